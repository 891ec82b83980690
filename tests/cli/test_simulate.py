from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from vitrina.cli.lake import open_lake
from vitrina.cli.simulate import plan_chain, simulate
from vitrina.errors import InputError
from vitrina.floor.measures.day import day_figures
from vitrina.floor.setup.shops import load_shop
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database

NOW = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)  # 05:00 on the 11th in Tokyo, where a new business day has begun


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


def run(settings: Settings, *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], obj=settings)


def test_simulating_twice_fills_the_lake_once(settings: Settings) -> None:
    asked = ("--shops", 1, "--days", 2, "--seed", 3, "--end-day", "2026-03-10", "--json")

    first, second = run(settings, *asked), run(settings, *asked)

    assert first.exit_code == 0, first.output
    written = json.loads(first.stdout)
    assert written["shops"] == ["demo-berlin"]
    assert written["rows"]["visits"] > 1000
    assert set(json.loads(second.stdout)["rows"].values()) == {0}


def test_a_simulated_shop_can_be_read_like_any_other(settings: Settings) -> None:
    run(settings, "--shops", 1, "--days", 1, "--end-day", "2026-03-10")
    database = Database(settings.database)
    with database.session() as session:
        shop = load_shop(session, "demo-berlin")
    database.dispose()

    day = day_figures(open_lake(settings), shop, date(2026, 3, 10))

    assert day.simulated
    assert day.layout_ids == (shop.layout.layout_id,)
    assert shop.name == "Berlin (simulated)"
    assert [zone.name for zone in day.zones][:2] == ["Promo display", "New in"]


def test_the_last_day_is_today_where_it_is_latest() -> None:
    chain = plan_chain(shops=3, days=2, seed=1, end_day="", now=NOW)

    days = {(shop.slug, day) for shop, day, _ in chain.shop_days()}

    assert ("demo-tokyo", date(2026, 3, 11)) in days
    assert ("demo-berlin", date(2026, 3, 11)) not in days


@pytest.mark.parametrize(
    ("end_day", "message"),
    [("tomorrow", "--end-day: expected a date such as 2026-11-03, got 'tomorrow'"), ("2026-04-01", "or a day before")],
)
def test_a_last_day_that_cannot_be_is_refused(end_day: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_chain(shops=1, days=1, seed=1, end_day=end_day, now=NOW)
