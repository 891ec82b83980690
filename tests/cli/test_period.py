"""`vitrina floor report` over a period, and the job that adds up days."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from vitrina.cli.lake import open_lake
from vitrina.cli.period import add_up_days, forget_sums, parse_against, parse_period
from vitrina.cli.report import report
from vitrina.errors import InputError
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile
from vitrina.floor.simulate.chain import simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

YESTERDAY = datetime.now(UTC).date() - timedelta(days=2)
BEFORE = f"{YESTERDAY - timedelta(days=3)}..{YESTERDAY - timedelta(days=2)}"
SPAN = ("--from", YESTERDAY - timedelta(days=1), "--to", YESTERDAY)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A simulated shop of four days that are over."""
    home = tmp_path_factory.mktemp("home")
    settings = load_settings({"VITRINA_HOME": str(home)}, folder=home)
    chain = simulate_chain(1, 4, end_day=YESTERDAY)
    database = Database(settings.database)
    database.migrate()
    with database.session() as session:
        shop = chain.shops[0]
        shops.apply(session, ShopFile(shop, {}), "test", box=SecretBox(home), now=shop.layout.valid_from)
    database.dispose()
    write_chain(open_lake(settings), chain)
    return settings


def run(settings: Settings, *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(report)
    words = ["--shop", "demo-berlin", *map(str, arguments)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words, obj=settings)


def test_a_period_is_reported_as_text_json_and_page_with_the_same_numbers(settings: Settings, tmp_path: Path) -> None:
    text, told = run(settings, *SPAN, "--against", BEFORE), run(settings, *SPAN, "--json")
    page = run(settings, *SPAN, "--html", tmp_path / "period.html")

    found = json.loads(told.stdout)
    footfall = found["figures"]["footfall"]["now"]["value"]
    assert f"{footfall:,.0f}".replace(",", " ") in text.stdout
    assert "against" in text.stdout
    assert "(simulated data)" in text.stdout
    assert page.exit_code == 0, page.output
    html = (tmp_path / "period.html").read_text()
    assert f"{footfall:,.0f}".replace(",", " ") in html
    for title in ("Zones", "Queues", "Funnel over any section", "From zone to zone", "People inside", "Days"):
        assert title in html
    assert "<script" not in html


def test_nothing_else_may_be_compared_with_nothing(settings: Settings) -> None:
    found = json.loads(run(settings, *SPAN, "--against", "none", "--json").stdout)
    assert found["against"] is None
    assert all(figure["before"] is None for figure in found["figures"].values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-03-09", "--to", "2026-03-01"), "swap the two"),
        (("--from", "soon"), "--from: expected 'today', 'yesterday' or a date such as 2026-11-03"),
        (("--from", "2026-03-09", "--against", "monday"), "--against: expected before"),
        (("--to", "2190-01-01"), "has not begun"),
        (("--to", "0001-01-05"), "expected a day of the years 2000 to 2200"),
        (("--day", "0001-01-05"), "expected a day of the years 2000 to 2200"),
    ],
)
def test_what_is_no_period_is_refused(settings: Settings, arguments: tuple[str, ...], words: str) -> None:
    done = run(settings, *arguments)
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)


def test_periods_are_read_from_words() -> None:
    today = date(2026, 3, 10)
    assert parse_period("", "yesterday", today) == (date(2026, 2, 10), date(2026, 3, 9))
    assert parse_period("2026-03-01", "", today) == (date(2026, 3, 1), date(2026, 3, 9))
    week = (date(2026, 3, 3), date(2026, 3, 9))
    assert parse_period("today", "", today) == (today, today)
    assert parse_against("before", week, today=today) == (date(2026, 2, 24), date(2026, 3, 2))
    assert parse_against("year", week, today=today) == (date(2025, 3, 4), date(2025, 3, 10))
    assert parse_against("2026-01-01..2026-01-02", week, today=today) == (date(2026, 1, 1), date(2026, 1, 2))
    assert parse_against("yesterday..today", week, today=today) == (date(2026, 3, 9), today)
    assert parse_against("none", week, today=today) is None


def test_the_job_adds_up_what_is_over_once_and_ends_when_it_is_told(settings: Settings) -> None:
    lake = open_lake(settings)
    first = add_up_days(settings, lake, check=lambda: None)
    assert first <= 4
    assert add_up_days(settings, lake, check=lambda: None) == 0

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        add_up_days(settings, lake, check=stop)


def test_what_retention_deletes_is_not_kept_as_sums_either(settings: Settings) -> None:
    lake = open_lake(settings)
    add_up_days(settings, lake, check=lambda: None)
    assert list(settings.home.glob("sums/demo-berlin/*.arrow"))

    forget_sums(settings, lake, datetime.now(UTC))
    assert list(settings.home.glob("sums/demo-berlin/*.arrow"))
    forget_sums(settings, lake, datetime.now(UTC) + timedelta(days=settings.visits_days + 40))
    assert not list(settings.home.glob("sums/demo-berlin/*.arrow"))


def test_a_past_day_is_read_under_the_layout_that_it_was_counted_under(settings: Settings) -> None:
    before = run(settings, "--day", YESTERDAY, "--json").stdout
    database = Database(settings.database)
    with database.session() as session:
        shop = shops.load_shop(session, "demo-berlin")
        without_a_door = replace(shop, layout=replace(shop.layout, lines=()))
        shops.apply(session, ShopFile(without_a_door, {}), "test", box=SecretBox(settings.home))
    database.dispose()
    assert json.loads(before)["figures"]["footfall"]["value"] > 0
    assert run(settings, "--day", YESTERDAY, "--json").stdout == before
