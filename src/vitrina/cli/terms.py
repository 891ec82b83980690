"""`vitrina lens cashback terms`: how much each shop gives back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from vitrina.cli.connect import print_json, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError, VitrinaError
from vitrina.lens import terms
from vitrina.lens.cashback import Term, parse_category
from vitrina.lens.offer import Reject
from vitrina.lens.termfile import read_terms
from vitrina.lens.terms import TermSettings

SHOWN = 5

app = typer.Typer(help="How much each shop gives back.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Replace = Annotated[
    bool, typer.Option("--replace", help="Put it in the place of what overlaps: that ends the day before.")
]


@app.command("list")
def list_terms(
    context: typer.Context,
    shop: Annotated[str, typer.Option(help="Only this shop.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show all terms, by shop and category.

    \b
    Examples:
      vitrina lens cashback terms list
      vitrina lens cashback terms list --shop best-shop --json
    """
    with database_session(context.obj) as session:
        found = terms.list_terms(session, shop=shop or None)
    _show_terms(found, as_json=as_json)


@app.command("set")
def set_term(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's slug.")],
    percent: Annotated[str, typer.Option(help="Of the price, such as 7.5.")] = "",
    amount: Annotated[str, typer.Option(help="A fixed amount, such as 5.00, instead of a percentage.")] = "",
    category: Annotated[str, typer.Option(help="Such as 'Shoes > Boots'; without it, the whole shop.")] = "",
    cap: Annotated[str, typer.Option(help="At most this amount.")] = "",
    currency: Annotated[str, typer.Option(help="Of amount and cap; without it, the shop's.")] = "",
    hold_days: Annotated[int, typer.Option(help="Days from the order until it can be paid.")] = 30,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; today.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; none.")] = None,
    replace: _Replace = False,
    as_json: AsJson = False,
) -> None:
    """Say what a shop gives back. The most specific category counts. Amounts are rounded down, to the price at most.

    \b
    Examples:
      vitrina lens cashback terms set best-shop --percent 5
      vitrina lens cashback terms set best-shop --category "Shoes > Boots" --percent 7.5 --cap 20 --hold-days 45
      vitrina lens cashback terms set best-shop --amount 2.50 --from 2026-11-20 --to 2026-11-30 --replace
    """
    given = TermSettings(
        shop, parse_category(category), percent, amount, cap, currency, hold_days, _day(first), _day(last)
    )
    change = terms.replace_term if replace else terms.set_term
    with database_session(context.obj) as session:
        term = change(session, given, by=whoami(), today=datetime.now(UTC).date())
    _show_terms([term], as_json=as_json)


@app.command("remove")
def remove_term(
    context: typer.Context,
    term_id: Annotated[str, typer.Argument(help="Id of the term, or its last letters, as in `list`.")],
    as_json: AsJson = False,
) -> None:
    """Take a term away. Clicks that were promised it keep their promise.

    \b
    Example:
      vitrina lens cashback terms remove 3f0c9a5e
    """
    with database_session(context.obj) as session:
        term = terms.remove_term(session, term_id, by=whoami())
    _show_terms([term], as_json=as_json)


@app.command("import")
def import_terms(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header: shop, category, rate or percent or amount, …")],
    shop: Annotated[str, typer.Option(help="The shop of every line that names none.")] = "",
    column: Annotated[list[str] | None, typer.Option(help="OURS=THEIRS, where the file has another name.")] = None,
    encoding: Annotated[str, typer.Option(help="How the file's letters are written.")] = "utf-8-sig",
    replace: _Replace = False,
    as_json: AsJson = False,
) -> None:
    """Take terms from a network's export. A line that does not fit costs that line; the others count.

    Columns: shop, category, rate (`5 %` or `2.50 EUR`) or percent or amount, cap, currency, hold_days, valid_from,
    valid_to.

    \b
    Examples:
      vitrina lens cashback terms import tariffs.csv --shop best-shop
      vitrina lens cashback terms import tariffs.csv --column category=Tariff --column rate=Payment --replace --json
    """
    lines = list(read_terms(_text(file, encoding), shop=shop, columns=_columns(column or [])))
    taken: list[Term] = []
    rejected = [(one.line, one.reason) for one in lines if isinstance(one, Reject)]
    change = terms.replace_term if replace else terms.set_term
    with database_session(context.obj) as session:
        good = [one for one in lines if not isinstance(one, Reject)]
        for line, given in track(good, "Terms", console=Console(stderr=True), disable=len(good) < 50):
            try:
                taken.append(change(session, given, by=whoami(), today=datetime.now(UTC).date()))
            except VitrinaError as error:
                rejected.append((line, str(error)))
    rejected.sort()
    if as_json:
        lines_out = [{"line": line, "reason": reason} for line, reason in rejected]
        print_json({"taken": [terms.told(term) for term in taken], "rejected": lines_out})
        return
    Console().print(f"{file}: {len(taken)} terms, {len(rejected)} lines left out", highlight=False, soft_wrap=True)
    for line, reason in rejected[:SHOWN]:
        Console(stderr=True).print(f"  line {line}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if len(rejected) > SHOWN:
        Console(stderr=True).print(f"  and {len(rejected) - SHOWN} more; --json names them all")


def _show_terms(found: list[Term], *, as_json: bool) -> None:
    answers = [terms.told(term) for term in found]
    if as_json:
        print_json(answers)
        return
    shown = Table("id", _whole("shop"), "category", "cashback", "cap", "hold", _whole("from"), _whole("to"))
    for one in answers:
        gives = f"{one['percent']} %" if one["percent"] else f"{one['amount']} {one['currency']}"
        cap = f"{one['cap']} {one['currency']}" if one["cap"] else ""
        days = f"{one['hold_days']} days"
        shown.add_row(
            one["term_id"][-8:],
            one["shop"],
            one["category"] or "all",
            gives,
            cap,
            days,
            one["valid_from"],
            one["valid_to"] or "",
        )
    Console().print(shown)


def _whole(heading: str) -> Column:
    """Folded where it does not fit: half of an id or a slug is of no use."""
    return Column(heading, overflow="fold")


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _columns(typed: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed]
    wrong = next(
        (one for one, (ours, equals, theirs) in zip(typed, pairs, strict=True) if not (ours and equals and theirs)),
        None,
    )
    if wrong is not None:
        raise InputError(f"--column: expected OURS=THEIRS such as rate=Payment, got {wrong!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _text(file: Path, encoding: str) -> str:
    try:
        return file.read_text(encoding=encoding)
    except FileNotFoundError as error:
        raise InputError(f"{file}: there is no such file") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"{file}: not readable as {encoding} ({error}). Try --encoding cp1251.") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
