from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vitrina.cli.lake import app, open_lake
from vitrina.errors import DeniedError, InputError, NotFoundError
from vitrina.floor.store import FLOOR_TABLES
from vitrina.lens.lakestore import LENS_TABLES
from vitrina.settings import Settings, load_settings
from vitrina.storage import audit
from vitrina.storage.database import Database

Run = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def run(settings: Settings) -> Run:
    return lambda *arguments: CliRunner().invoke(app, list(arguments), obj=settings)


@pytest.fixture
def crossings(settings: Settings) -> None:
    """One crossing a day for 600 days, by persons 0 to 9."""
    now = datetime.now(UTC)
    open_lake(settings).append(
        "crossings", [crossing(number, now - timedelta(days=number)) for number in range(0, 600, 30)],
        writer_id="test", batch_no=1,
    )  # fmt: skip


def crossing(number: int, t: datetime) -> dict[str, Any]:
    return {
        "event_id": f"event-{number}",
        "t": t,
        "business_day": t.date(),
        "shop_id": "riga",
        "layout_id": "l",
        "simulated": True,
        "camera_id": "c",
        "person_id": f"person-{number}",
        "line_id": "door",
        "direction": "in",
        "role": "unknown",
    }


def test_the_data_dictionary_has_every_table_and_column_with_a_comment(run: Run) -> None:
    described = json.loads(run("describe", "--json").output)
    assert [table["name"] for table in described] == [*FLOOR_TABLES, *LENS_TABLES]
    assert all(column["comment"] for table in described for column in table["columns"])
    shown = run("describe").output
    assert "crossings: Each time a person crossed a line." in shown
    assert "kept 400 days" in shown


def test_an_answer_comes_as_a_table_as_json_and_as_csv(run: Run, crossings: None) -> None:
    query = "SELECT shop_id, count(*) AS n, CAST(NULL AS VARCHAR) AS none FROM crossings GROUP BY shop_id"
    assert "riga" in run("sql", query).output
    assert json.loads(run("sql", query, "--json").output) == [{"shop_id": "riga", "n": 20, "none": None}]
    assert run("sql", query, "--csv").output.splitlines() == ['"shop_id","n","none"', '"riga",20,']


def test_brackets_in_an_answer_are_text_and_two_columns_may_have_one_name(run: Run) -> None:
    shown = run("sql", "SELECT '[/x] [red]' AS a, 1 AS b, 2 AS b").output
    assert "[/x] [red]" in shown
    assert [cell.strip() for cell in shown.splitlines()[3].split("│")][2:4] == ["1", "2"]


def test_every_question_is_in_the_audit_log(run: Run, crossings: None, settings: Settings) -> None:
    run("sql", "SELECT 1")
    assert isinstance(run("sql", "SELECT * FROM read_text('/etc/passwd')").exception, DeniedError)
    database = Database(settings.database)
    with database.reading() as session:
        log = [(entry.action, entry.after) for entry in reversed(audit.entries(session))]
        assert all(entry.who.startswith("cli:") for entry in audit.entries(session))
    database.dispose()
    assert log == [
        ("lake.sql", {"query": "SELECT 1", "engine": "duckdb"}),
        ("lake.sql", {"query": "SELECT * FROM read_text('/etc/passwd')", "engine": "duckdb"}),
    ]


def test_json_and_csv_at_once_are_refused(run: Run) -> None:
    assert isinstance(run("sql", "SELECT 1", "--json", "--csv").exception, InputError)


def test_retention_says_first_and_then_does(run: Run, crossings: None) -> None:
    kept_from = (datetime.now(UTC) - timedelta(days=400)).date().isoformat()
    assert json.loads(run("retain", "--dry-run", "--json").output)["crossings"] == kept_from
    assert json.loads(run("sql", "SELECT count(*) AS n FROM crossings", "--json").output) == [{"n": 20}]
    assert json.loads(run("retain", "--no-wait", "--json").output)["crossings"] == 6
    assert json.loads(run("sql", "SELECT count(*) AS n FROM crossings", "--json").output) == [{"n": 14}]


def test_retention_deletes_rows_that_were_set_aside_too(run: Run, crossings: None, settings: Settings) -> None:
    aside = settings.home / "journal" / "riga" / "door" / "000000000007.crossings.refused"
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"rows")
    long_ago = (datetime.now(UTC) - timedelta(days=402)).timestamp()
    os.utime(aside, (long_ago, long_ago))

    assert run("retain", "--no-wait").exit_code == 0

    assert not aside.exists()


def test_deleting_an_id_asks_back_and_leaves_no_trace(run: Run, crossings: None, settings: Settings) -> None:
    assert run("delete", "crossings", "person_id", "person-150").exit_code != 0, "nobody said yes"
    deleted = run("delete", "crossings", "person_id", "person-150", "--yes", "--no-wait", "--json")
    assert json.loads(deleted.output) == {"crossings": 1}
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert not [path for path in files if b"person-150" in path.read_bytes()]
    assert isinstance(run("delete", "nope", "person_id", "x", "--yes").exception, NotFoundError)


def test_compaction_says_what_it_did(run: Run, crossings: None) -> None:
    assert json.loads(run("compact", "--json").output)["crossings"] == 0
    assert "crossings" in run("compact").output
