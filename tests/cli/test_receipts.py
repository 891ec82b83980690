"""`vitrina floor receipts import` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vitrina.cli import shop as shop_command
from vitrina.cli.lake import open_lake
from vitrina.cli.receipts import app
from vitrina.errors import ConflictError, InputError
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database
from vitrina.storage.spool import lock_alone

SHOP = """
[shop]
slug = "riga"
name = "Riga"
timezone = "Europe/Riga"
currency = "EUR"

[plan]
width_m = 10
height_m = 8
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)
    settings.home.mkdir()
    database = Database(settings.database)
    database.migrate()
    database.dispose()
    (tmp_path / "shop.toml").write_text(SHOP)
    applied = CliRunner().invoke(shop_command.app, ["apply", str(tmp_path / "shop.toml")], obj=settings)
    assert applied.exit_code == 0, applied.output
    return settings


def take(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["import", *arguments, "--shop", "riga", "--json"], obj=settings)


def test_a_file_twice_counts_once_and_a_growing_one_adds_what_is_new(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "monday.csv"
    file.write_text("receipt_id,t,total\n1,2026-07-01 12:00,2.50\n2,2026-07-01 12:01,x\n")

    first, again = (json.loads(take(settings, str(file)).output)["files"][0] for _ in range(2))
    file.write_text(file.read_text() + "3,2026-07-01 12:02,4\n1,2026-07-01 12:00,2.50\n")
    grown = json.loads(take(settings, str(file), "--rejected", str(tmp_path / "wrong.csv")).output)["files"][0]

    assert (first["receipts"], first["new"], [one["line"] for one in first["rejected"]]) == (1, 1, [3])
    assert again["new"] == 0
    assert grown["new"] == 1
    assert open_lake(settings).expr("receipts", shop_id="riga").count().execute() == 2
    assert (tmp_path / "wrong.csv").read_text().splitlines()[1].startswith(f'{file},3,"total: expected an amount')


def test_two_imports_of_one_source_do_not_run_at_once(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "monday.csv"
    file.write_text("receipt_id,t,total\n1,2026-07-01 12:00,2.50\n")
    held = lock_alone(open_lake(settings).lock_path("receipts.riga.tills"), busy="held")

    assert isinstance(take(settings, str(file)).exception, ConflictError)
    assert held


def test_mistakes_in_what_was_typed_are_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("receipt_id,t,total\n")
    (tmp_path / "old.csv").write_bytes("receipt_id,t,total\n1,2026-07-01 12:00,2,50 €\n".encode("cp1252"))

    for arguments, message in (
        ((str(tmp_path / "none.csv"),), "there is no such file"),
        ((str(tmp_path / "old.csv"),), "Try --encoding cp1252"),
        ((str(tmp_path / "old.csv"), "--column", "total"), "expected OURS=THEIRS"),
        ((str(tmp_path / "old.csv"), "--source", "till 2"), "--source: expected letters, digits, dots and dashes"),
        ((str(tmp_path / "new.csv"), "--rejected", str(tmp_path / "no" / "wrong.csv")), "cannot write it"),
    ):
        error = take(settings, *arguments).exception
        assert isinstance(error, InputError)
        assert message in str(error)
