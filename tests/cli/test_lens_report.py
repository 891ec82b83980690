"""`vitrina lens report`: clicks on what was found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitrina.cli.lens import app
from vitrina.lens.clicks import open_click
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, Asked, EventLog
from vitrina.lens.offer import Offer
from vitrina.product import Money, new_id
from vitrina.settings import Settings, load_settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake

PRICE = Money(4990, "EUR")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Twelve searches that found a boot, half of them with a box; six led to a click, four at the first place."""
    settings = load_settings({"VITRINA_HOME": str(tmp_path / "home")})
    database = Database(settings.database)
    database.migrate()
    offer = FoundOffer("best", "Best", "1", "Boot", PRICE, None, None, PRICE, True)
    product = FoundProduct("p", "Boot", "", ("Shoes",), "", 1.0, 1.0, (offer,))
    searches = [new_id() for _ in range(12)]
    with EventLog(Lake(settings.lake, tables=LENS_TABLES), "test") as log:
        for number, search_id in enumerate(searches):
            found = Found(search_id, (product,), (), (0, 0, 1, 1), (), 1.0)
            log.log_search(found, Asked(with_box=number % 2 == 0))
    with database.session() as session:
        for search_id, place in zip(searches, (1, 1, 2, 1, 4, 1), strict=False):
            boot = Offer("best", "1", "Boot", "https://best.example/1", PRICE, category=("Shoes",))
            open_click(session, boot, search_id=search_id, place=place)
    database.dispose()
    return settings


def test_it_tells_how_many_searches_led_to_a_click_and_at_which_place(settings: Settings) -> None:
    said = json.loads(CliRunner().invoke(app, ["report", "--json"], obj=settings).stdout)["clickthrough"]

    whole = said["lines"][0]
    assert (whole["by"], whole["searches"], whole["searches_with_click"], whole["click_rate"]["value"]) == (
        "all",
        12,
        6,
        0.5,
    )
    assert whole["first"]["value"] == pytest.approx(4 / 6, abs=1e-4)
    assert whole["reciprocal_rank"]["value"] == pytest.approx((4 + 1 / 2 + 1 / 4) / 6, abs=1e-4)
    assert {one["by"] for one in said["lines"]} == {"all", "box", "found", "category", "week"}
    assert "weak signal" in said["caveat"]


def test_people_read_it_as_a_table_with_the_caveat(settings: Settings) -> None:
    shown = CliRunner().invoke(app, ["report"], obj=settings, env={"COLUMNS": "200"}).stdout

    assert "50.0% (25.4% to 74.6%)" in shown
    assert "0.79" in shown
    assert "A weak signal" in shown
