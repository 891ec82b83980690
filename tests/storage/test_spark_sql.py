"""What a stranger may ask Spark: parsed, checked and written anew, without a Spark."""

from __future__ import annotations

import pytest

from vitrina.errors import DeniedError, InputError
from vitrina.storage.spark_sql import checked_select

TABLES = ("visits", "waits")


def test_one_select_over_the_lake_passes_with_the_tables_it_reads() -> None:
    found = checked_select(
        "WITH long AS (SELECT * FROM Visits WHERE dwell_s > 60) "
        "SELECT shop_id, percentile(dwell_s, 0.9) AS p90 FROM long JOIN waits USING (shop_id) GROUP BY shop_id",
        TABLES,
    )

    assert found.tables == ("visits", "waits")
    assert "PERCENTILE(dwell_s, 0.9)" in found.sql


@pytest.mark.parametrize(
    "query",
    [
        "SELECT reflect('java.lang.System', 'exit', 1)",
        "SELECT java_method('java.lang.Runtime', 'getRuntime')",
        "SELECT * FROM parquet.`/etc/passwd`",
        "SELECT * FROM other.visits",
        "SELECT TRANSFORM(shop_id) USING 'cat' AS (s STRING) FROM visits",
        "SELECT * FROM read_files('/etc')",
        "SELECT shop_id FROM visits WHERE EXISTS (SELECT 1 FROM text.`/etc/passwd`)",
        "SELECT input_file_name() FROM visits",
    ],
)
def test_a_select_that_reaches_further_is_denied(query: str) -> None:
    with pytest.raises(DeniedError):
        checked_select(query, TABLES)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM visits",
        "SET spark.sql.runSQLOnFiles=true",
        "SELECT 1; SELECT 2",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "ADD JAR '/x.jar'",
        "",
        "SELEC 1",
        "SELECT * FROM nowhere",
    ],
)
def test_anything_but_one_select_over_known_tables_is_refused(query: str) -> None:
    with pytest.raises(InputError):
        checked_select(query, TABLES)


def test_hints_are_dropped() -> None:
    assert "BROADCAST" not in checked_select("SELECT /*+ BROADCAST(visits) */ * FROM visits", TABLES).sql
