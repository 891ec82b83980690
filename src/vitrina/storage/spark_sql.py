"""A stranger's SQL for Spark: one SELECT over the lake's tables, with functions that only compute. Pure.

Spark's SQL can read any file, call any Java method and start programs, and has no switch against it. So the text is
parsed here, held against lists of what is allowed, and Spark is given what the parser understood, written out anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrina.errors import DeniedError, InputError

if TYPE_CHECKING:
    from sqlglot import expressions as exp

ALSO_FUNCTIONS = frozenset({"bround", "find_in_set", "percentile", "skewness", "kurtosis", "mode", "unix_micros"})
"""Functions that the parser has no class for and that only compute; every one that it knows does."""


@dataclass(frozen=True, slots=True)
class Select:
    """sql: what Spark may be given. tables: the lake's tables that it reads."""

    sql: str
    tables: tuple[str, ...]


def checked_select(query: str, tables: Collection[str]) -> Select:
    """The query, checked. Raises InputError for anything but one SELECT, DeniedError when it reaches further."""
    import sqlglot
    from sqlglot import expressions as exp

    try:
        statements = sqlglot.parse(query, read="spark")
    except sqlglot.errors.SqlglotError as error:
        raise InputError(f"SQL: {error}") from error
    first = statements[0] if len(statements) == 1 else None
    if not isinstance(first, exp.Query):
        kinds = ", ".join(type(one).__name__.upper() for one in statements if one is not None) or "nothing"
        raise InputError(f"expected one SELECT, got {kinds}; the lake can only be read")
    for hint in list(first.find_all(exp.Hint)):
        hint.pop()
    for node in first.find_all(exp.Anonymous):
        if node.name.lower() not in ALSO_FUNCTIONS:
            raise DeniedError(f"SQL for Spark may not call {node.name}()")
    if first.find(exp.QueryTransform, exp.Command, exp.Into) is not None:
        raise DeniedError("SQL may read the tables of the lake, and start or write nothing")
    return Select(first.sql("spark"), _read_tables(first, tables))


def _read_tables(query: exp.Query, tables: Collection[str]) -> tuple[str, ...]:
    from sqlglot import expressions as exp

    named = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    found = set()
    for table in query.find_all(exp.Table):
        name = table.name.lower()
        if not isinstance(table.this, exp.Identifier) or table.db or table.catalog:
            raise DeniedError("SQL may read the tables of the lake, and no file, address or setting besides")
        if name in tables:
            found.add(name)
        elif name not in named:
            raise InputError(f"the lake has no table {table.name!r}; it has {', '.join(tables)}")
    return tuple(name for name in tables if name in found)
