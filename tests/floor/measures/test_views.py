"""What can be asked in SQL: counts of people by shop, day and place, and nothing about small groups."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from vitrina.floor.measures.views import READS, VIEWS, read_view
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.table import comment_of

PEOPLE = tuple(f"p{number}" for number in range(9))


@pytest.fixture
def ask(story: Any) -> Any:
    def view(name: str, *, k: int = 5) -> list[dict[str, Any]]:
        story.store()
        return read_view(story.lake, name, [story.shop], story.day, story.day, k=k).to_pylist()

    return view


def test_entries_and_exits_are_counted_by_hour_and_day_and_small_groups_are_empty(story: Any, ask: Any) -> None:
    story.enter("10:05", *PEOPLE[:6])
    story.enter("11:05", *PEOPLE[6:])
    story.leave("11:30", *PEOPLE[:5])
    story.enter("12:00", "sue", role="staff")
    story.enter("12:00", "bob", line="aisle")

    (day,) = ask("days")
    hours = {row["hour_t"]: row for row in ask("hours")}

    assert (day["entries"], day["exits"], day["simulated"]) == (9, 5, False)
    assert (hours[story.at("10:00")]["entries"], hours[story.at("10:00")]["exits"]) == (6, 0)
    assert (hours[story.at("11:00")]["entries"], hours[story.at("11:00")]["exits"]) == (None, 5)
    assert len(hours) == 2


def test_a_zone_tells_visitors_visits_dwell_and_who_stopped(story: Any, ask: Any) -> None:
    for number, person in enumerate(PEOPLE[:6]):
        story.visit("10:05", person, "shelf", 2.0 + number)
    story.visit("10:20", "p0", "shelf", 1.0)
    story.visit("10:05", "p0", "promo", 20.0)
    for person in PEOPLE:
        story.visit("10:05", person, "back", 60.0)

    zones = {row["zone_id"]: row for row in ask("zones")}

    shelf = zones["shelf"]
    assert (shelf["visitors"], shelf["visits"], shelf["dwell_median_s"], shelf["stopped"]) == (6, 7, 4.0, 3)
    assert [zones["promo"][name] for name in ("visitors", "visits", "dwell_median_s", "stopped")] == [None] * 4
    assert "back" not in zones


def test_a_queue_tells_how_waits_ended(story: Any, ask: Any) -> None:
    for number, person in enumerate(PEOPLE[:5]):
        story.wait("10:05", person, 10.0 * number)
    story.wait("10:05", "p8", 300.0, "abandoned")

    assert [(row["joined"], row["served"], row["abandoned"], row["wait_median_s"]) for row in ask("queues")] == [
        (6, 5, 1, 20.0)
    ]


def test_how_long_few_served_had_waited_is_empty(story: Any, ask: Any) -> None:
    story.wait("10:05", "p0", 77.0)
    for person in PEOPLE[1:6]:
        story.wait("10:05", person, 300.0, "abandoned")

    assert [(row["joined"], row["served"], row["wait_median_s"], row["wait_p90_s"]) for row in ask("queues")] == [
        (6, 1, None, None)
    ]


def test_waits_of_one_person_are_about_one_person(story: Any, ask: Any) -> None:
    for minute in range(6):
        story.wait(f"10:0{minute}", "p0", 77.0)
    for person in PEOPLE[1:4]:
        story.wait("10:05", person, 300.0, "abandoned")

    assert [(row["joined"], row["served"], row["abandoned"], row["wait_median_s"]) for row in ask("queues")] == [
        (None, None, None, None)
    ]


def test_a_step_that_few_people_took_is_no_row(story: Any, ask: Any) -> None:
    for person in PEOPLE[:5]:
        story.visit("10:05", person, "shelf", 5.0)
        story.visit("10:10", person, "promo", 5.0)
    story.visit("10:15", "p0", "shelf", 5.0)

    assert [(row["zone_id"], row["to_zone_id"], row["people"]) for row in ask("steps")] == [("shelf", "promo", 5)]


def test_sales_are_each_receipts_highest_revision(story: Any, ask: Any) -> None:
    story.receipt("10:05", "1", 500)
    story.receipt("10:05", "1", 700, revision=2)
    story.receipt("10:06", "2", -100)

    assert [(row["receipts"], row["takings_minor"]) for row in ask("sales")] == [(None, None)]
    assert [(row["receipts"], row["takings_minor"], row["currency"]) for row in ask("sales", k=2)] == [(1, 600, "EUR")]


def test_cameras_tell_how_long_they_watched(story: Any, ask: Any) -> None:
    story.watch("10:00", "10:30")

    assert [(row["camera_id"], row["watched_s"]) for row in ask("watched")] == [("cam", 1800.0)]


def test_the_layout_is_there_by_name_without_rooms_of_the_staff(ask: Any) -> None:
    assert [row["name"] for row in ask("shops")] == ["Riga 1"]
    assert {row["zone_id"] for row in ask("zones_now")} == {"shelf", "promo", "tills", "street"}


def test_rows_of_shops_that_were_not_asked_for_and_of_other_days_are_not_in_it(story: Any) -> None:
    story.enter("10:05", *PEOPLE)
    story.store()

    for name in VIEWS:
        rows = read_view(story.lake, name, [], story.day, story.day, k=5)
        assert rows.num_rows == 0, name
    later = story.day + timedelta(days=1)
    assert read_view(story.lake, "days", [story.shop], later, later, k=5).num_rows == 0


def test_no_view_has_an_id_of_a_person_and_every_column_says_what_it_is() -> None:
    personal = {"person_id", "event_id", "x_cm", "y_cm", "receipt_id"}
    for view in VIEWS.values():
        assert not personal & set(view.schema.names)
        assert view.comment
        for field in view.schema:
            assert comment_of(field), (view.name, field.name)
    assert {field.type for view in VIEWS.values() for field in view.schema} <= {
        pa.string(), pa.date32(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC")
    }  # fmt: skip
    assert set(READS) <= FLOOR_TABLES.keys()
