"""Figures are computed once for what the lake holds, and again when it has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from vitrina.floor.layout import Layout, Line, Plan, Shop
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import new_id
from vitrina.storage.lake import Lake
from vitrina.web import app
from vitrina.web.figures import Figures

TODAY = date(2026, 3, 10)
DOOR = Line("door", "Door", "entrance", (0.0, 0.0), (1.0, 0.0))
SHOP = Shop("riga", "Riga", "UTC", "EUR", Layout("l", datetime(2026, 1, 1, tzinfo=UTC), Plan(8, 6), (), (), (DOOR,)))


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.t = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.t

    def pass_by(self, seconds: float) -> None:
        self.t += timedelta(seconds=seconds)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tables=FLOOR_TABLES)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def figures(lake: Lake, clock: Clock) -> Iterator[Figures]:
    service = Figures(lake, k_anonymity=1, now=clock)
    yield service
    service.close()


def come_in(lake: Lake, people: int, day: date, *, batch_no: int, hour: int = 10) -> None:
    common: dict[str, Any] = {"business_day": day, "shop_id": "riga", "layout_id": "l", "simulated": False}
    common |= {"camera_id": "c", "line_id": "door", "direction": "in", "role": "customer"}
    t = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    rows = [common | {"event_id": new_id(), "person_id": new_id(), "t": t} for _ in range(people)]
    lake.append("crossings", rows, writer_id=f"test-{day}", batch_no=batch_no)


def footfall(figures: Any) -> float | None:
    return figures.figures["footfall"].value  # type: ignore[no-any-return]


def test_an_old_day_is_computed_once_until_its_files_change(lake: Lake, figures: Figures) -> None:
    yesterday = TODAY - timedelta(days=1)
    come_in(lake, 7, yesterday, batch_no=1)
    first = figures.day(SHOP, yesterday)

    come_in(lake, 3, TODAY, batch_no=1)
    again = figures.day(SHOP, yesterday)
    come_in(lake, 2, yesterday, batch_no=2)

    assert again is first
    assert (footfall(first), footfall(figures.day(SHOP, yesterday))) == (7, 9)


def test_today_ends_now(lake: Lake, figures: Figures, clock: Clock) -> None:
    come_in(lake, 6, TODAY, batch_no=1, hour=10)
    come_in(lake, 8, TODAY, batch_no=2, hour=13)

    before = footfall(figures.day(SHOP, TODAY))
    clock.pass_by(2 * 3600)

    assert (before, footfall(figures.day(SHOP, TODAY))) == (6, 14)


def test_the_list_never_waits_for_the_day_that_runs_now(lake: Lake, figures: Figures, clock: Clock) -> None:
    come_in(lake, 6, TODAY, batch_no=1)
    figures.look_ahead([SHOP])
    ready = figures.glance(SHOP, TODAY)

    come_in(lake, 5, TODAY, batch_no=2)
    clock.pass_by(60)
    still = figures.glance(SHOP, TODAY)
    figures.look_ahead([SHOP])

    assert still is ready
    assert footfall(figures.glance(SHOP, TODAY)) == 11


def test_after_a_long_pause_the_list_shows_what_is_true_now(lake: Lake, figures: Figures, clock: Clock) -> None:
    come_in(lake, 6, TODAY, batch_no=1)
    figures.look_ahead([SHOP])

    come_in(lake, 5, TODAY, batch_no=2)
    clock.pass_by(600)

    assert footfall(figures.glance(SHOP, TODAY)) == 11


def test_many_who_ask_at_once_share_one_answer(lake: Lake, figures: Figures) -> None:
    come_in(lake, 6, TODAY, batch_no=1)

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(lambda _: figures.day(SHOP, TODAY), range(16)))

    assert len({id(answer) for answer in answers}) == 1


def test_the_newest_day_is_known_without_a_question(lake: Lake, figures: Figures) -> None:
    before = figures.last_day(SHOP)
    come_in(lake, 1, date(2026, 2, 3), batch_no=1)
    come_in(lake, 1, date(2026, 3, 1), batch_no=1)

    assert (before, figures.last_day(SHOP)) == (None, date(2026, 3, 1))


def test_the_last_two_weeks_have_a_place_for_every_day(lake: Lake, figures: Figures) -> None:
    come_in(lake, 4, TODAY - timedelta(days=13), batch_no=1)
    come_in(lake, 2, TODAY, batch_no=1)
    watched = {"business_day": TODAY - timedelta(days=1), "shop_id": "riga", "layout_id": "l", "simulated": False}
    minute = {"camera_id": "c", "people_mean": 0.0, "people_max": 0, "watched_s": 60.0}
    t = datetime(2026, 3, 9, 10, tzinfo=UTC)
    lake.append("presence", [watched | minute | {"event_id": new_id(), "t": t}], writer_id="test", batch_no=1)

    days = figures.recent_footfall(SHOP, TODAY)

    assert [count for _, count in days] == [4, *[None] * 11, 0, 2]


def test_a_question_that_failed_is_asked_again(lake: Lake, figures: Figures) -> None:
    come_in(lake, 6, TODAY, batch_no=1)
    nameless = Shop("riga", "Riga", "UTC", "EUR", None)  # type: ignore[arg-type]

    for _ in range(2):
        with pytest.raises(AttributeError):
            figures.day(nameless, TODAY)

    assert footfall(figures.day(SHOP, TODAY)) == 6


def test_an_answer_that_takes_long_is_begun_and_asked_for_again(figures: Figures) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        go_on.wait(timeout=240)
        return "there"

    first = figures.soon("key", slowly)
    begun.wait(timeout=240)
    still = figures.soon("key", slowly)
    go_on.set()

    assert (first, still) == (None, None)
    assert figures.once("key", slowly) == figures.soon("key", slowly) == "there"


def test_of_what_changes_with_time_only_the_newest_two_answers_are_kept(figures: Figures, clock: Clock) -> None:
    for minute in range(50):
        figures.glance(SHOP, TODAY)
        figures.once(("checked", minute), lambda: object(), series="checked")
        clock.pass_by(60)

    assert len(figures._kept) <= 8
    assert figures.once(("checked", 49), lambda: "again", series="checked") != "again"
    assert figures.once(("checked", 0), lambda: "again", series="checked") == "again"


@pytest.mark.parametrize("step", [app._see_chain, app._see_first_page, app._add_up_first_page])
def test_what_goes_wrong_while_looking_ahead_is_logged_and_ends_nothing(
    step: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    """One error that nobody expected would else end these loops until the next start."""
    anyio.run(app._ahead, step, object())

    assert "Traceback" in caplog.text
