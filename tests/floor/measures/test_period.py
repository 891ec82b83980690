"""A shop over any period: one day is the day's page, many are what plain Python counts; what may be compared."""

from __future__ import annotations

import json
import random
import statistics
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.layout import Hours
from vitrina.floor.measures import period, walks
from vitrina.floor.measures.breaks import changed
from vitrina.floor.measures.compared import tables
from vitrina.floor.measures.ledger import Ledger

DAY = date(2026, 3, 10)  # a Tuesday
TODAY = date(2026, 6, 1)
PEOPLE = tuple(f"p{number}" for number in range(12))


def tell(story, seed):
    """A watched day of random rows."""
    chance = random.Random(f"{seed} {story.day}")
    story.watch("10:00", "18:00")

    def clock():
        return f"{chance.randint(10, 17)}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}"

    for _ in range(chance.randint(8, 30)):
        story.enter(clock(), chance.choice(PEOPLE), direction=chance.choice(("in", "in", "out")), role="unknown")
    for _ in range(chance.randint(10, 60)):
        story.visit(
            clock(), chance.choice(PEOPLE), chance.choice(("shelf", "promo", "street")), chance.expovariate(0.1)
        )
    for _ in range(chance.randint(3, 15)):
        story.wait(clock(), chance.choice(PEOPLE), chance.uniform(1, 300), chance.choice(("served", "abandoned")))
    for number in range(chance.randint(3, 15)):
        story.receipt(clock(), f"{story.day}-{number}", chance.randint(100, 2000))


def figures(story, first, last=None, against=None, *, layouts=(), today=TODAY, k=0, shop=None):
    shop = shop or story.shop
    book = Ledger(story.lake)
    return period.period_figures(
        book, shop, (first, last or first), against, today=today, layouts=layouts or (shop.layout,), k_anonymity=k
    )


def shown(figure):
    return (figure.value, figure.n, figure.low, figure.high, figure.note)


def close(left, right):
    return left == right or (None not in (left, right) and left == pytest.approx(right))


# One day -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_period_of_one_day_is_the_days_page(story, seed):
    tell(story, seed)
    day = story.figures()
    found = figures(story, DAY)

    assert found.period.watched_share == pytest.approx(day.watched_share)
    for name in (
        "footfall",
        "capture_rate",
        "dwell_median",
        "dwell_p90",
        "queue_wait_median",
        "queue_wait_p90",
        "abandonment",
        "conversion",
        "shopper_yield",
    ):
        pairs = zip(shown(found.figures[name].now), shown(day.figures[name]), strict=True)
        assert all(close(*pair) for pair in pairs), name
    ticket, of_page = found.figures["average_ticket"].now, day.figures["average_ticket"]
    assert shown(ticket)[:2] == pytest.approx(shown(of_page)[:2])
    assert shown(ticket)[2:4] == pytest.approx(shown(of_page)[2:4], rel=0.1)  # drawn in another order
    for zone, of_day in zip(found.zones, [zone for zone in day.zones if zone.kind != "queue"], strict=True):
        assert zone.zone == of_day.zone
        for name in ("visitors", "exposure", "dwell_median", "dwell_p90", "stopping_power", "holding_power"):
            ours, theirs = shown(getattr(zone, name).now), shown(getattr(of_day, name))
            assert all(close(*pair) for pair in zip(ours, theirs, strict=True)), (zone.zone, name)
    assert found.queues[0].length_max.now.value == day.queues[0].length_max.value
    assert close(found.queues[0].length_mean.now.value, day.queues[0].length_mean.value)
    inner = Counter({(row["from"], row["to"]): row["people"] for row in found.transitions})
    assert inner == Counter({(row["from"], row["to"]): row["people"] for row in day.transitions})
    ours = {tuple(row["path"]): row["people"] for row in found.paths}
    assert all(ours[tuple(row["path"])] == row["people"] for row in day.paths if tuple(row["path"]) in ours)


def test_small_groups_are_hidden_as_on_the_days_page(story):
    story.watch("10:00", "18:00")
    story.enter("11:00", *PEOPLE[:4])
    for person in PEOPLE[:4]:
        story.visit("11:05", person, "shelf", 20.0)
        story.visit("11:10", person, "promo", 20.0)
    story.store()
    found = figures(story, DAY, k=5)
    assert found.figures["footfall"].now.note == "fewer than 5 people: not shown; not audited" or (
        found.figures["footfall"].now.note == "fewer than 5 people: not shown"
    )
    assert found.series[0]["in"] is None
    assert found.transitions == found.flows == found.paths == []
    assert {row["inside"] for row in found.occupancy if row["hour"] == 11} == {None}
    assert found.funnels[""][1].count is None
    assert "4" not in {str(value) for value in _values(asdict(found.funnels[""][1]))}


def _values(tree):
    if isinstance(tree, dict):
        return [value for each in tree.values() for value in _values(each)]
    return [tree]


# Many days -----------------------------------------------------------------------------------------------------------


def a_fortnight(story, seed=0, days=14, until=DAY):
    for back in range(days):
        tell(story.on(until - timedelta(days=back)), seed)
    rows = {name: list(content) for name, content in story.rows.items()}
    story.store()
    return rows


def test_two_weeks_are_what_plain_python_counts(story):
    rows = a_fortnight(story)
    first = DAY - timedelta(days=6)
    found = figures(story, first, DAY, period.before((first, DAY)))

    def of(table, days):
        return [row for row in rows[table] if row["business_day"] in days]

    now = {first + timedelta(days=number) for number in range(7)}
    entries = [row for row in of("crossings", now) if row["direction"] == "in"]
    bought = of("receipts", now)
    values = {name: figure.now.value for name, figure in found.figures.items()}
    assert values["footfall"] == len(entries)
    assert values["footfall_a_day"] == pytest.approx(len(entries) / 7)
    assert values["conversion"] == pytest.approx(len(bought) / len(entries))
    assert values["average_ticket"] == pytest.approx(statistics.mean(row["total_minor"] for row in bought))
    served = [row["wait_s"] for row in of("waits", now) if row["outcome"] == "served"]
    assert values["queue_wait_median"] == pytest.approx(statistics.median(served))
    assert values["queue_wait_p90"] == pytest.approx(float(np.quantile(served, 0.9)))
    dwells = [row["dwell_s"] for row in of("visits", now) if row["zone_id"] in ("shelf", "promo")]
    assert values["dwell_median"] == pytest.approx(statistics.median(dwells))
    shelf = next(zone for zone in found.zones if zone.zone == "shelf")
    visitors = {(row["business_day"], row["person_id"]) for row in of("visits", now) if row["zone_id"] == "shelf"}
    assert shelf.visitors.now.value == len(visitors)
    assert [row["in"] for row in found.series] == [
        sum(row["business_day"] == day for row in entries) for day in sorted(now)
    ]
    before = {day - timedelta(days=7) for day in now}
    assert found.figures["footfall"].before.value == sum(row["direction"] == "in" for row in of("crossings", before))
    inside = sum(row["in"] * row["days"] for row in found.occupancy)
    assert inside == pytest.approx(len(entries), abs=0.05 * len(found.occupancy))


def test_periods_with_the_same_week_days_are_compared_in_pairs_of_days(story):
    for back in range(14):
        day = DAY - timedelta(days=back)
        story.on(day).watch("10:00", "18:00")
        people = 10 + 5 * day.weekday() + (3 if back < 7 else 0)
        story.enter("11:00", *(f"{number}" for number in range(people)))
    story.store()
    first = DAY - timedelta(days=6)
    paired = figures(story, first, DAY, period.before((first, DAY)))
    change = paired.figures["footfall_a_day"].now.change
    assert (change.value, change.low, change.high) == (pytest.approx(3), pytest.approx(3), pytest.approx(3))

    other = (first - timedelta(days=6), DAY - timedelta(days=7))
    unpaired = figures(story, first, DAY, other)
    assert not unpaired.aligned
    assert unpaired.figures["footfall_a_day"].now.change.low < 0
    assert unpaired.series[0]["before"] is None


def test_a_day_that_was_not_watched_is_left_out_of_what_is_counted_by_day(story):
    a_fortnight(story, days=8)
    gap = DAY - timedelta(days=8)
    story.on(gap).watch("10:00", "12:00")
    story.enter("11:00", *PEOPLE)
    story.store()
    found = figures(story, gap, DAY)
    assert found.period.left_out == (gap.isoformat(),)
    assert found.period.watched == 8
    assert "some days were not watched in full" in found.figures["footfall"].now.note
    by_day = [row["in"] for row in found.series]
    assert found.figures["footfall"].now.value == sum(by_day)
    assert found.figures["footfall_a_day"].now.value == pytest.approx(sum(by_day[1:]) / 8)
    assert found.figures["conversion"].now.n == sum(by_day[1:])
    assert found.series[0]["state"] == "partly"


def test_a_day_without_a_row_is_not_watched_and_a_day_without_hours_is_closed(story):
    tell(story, 1)
    story.store()
    weekdays = replace(story.shop, opens=(*((Hours(time(10), time(18)),),) * 6, ()))
    found = figures(story, date(2026, 3, 8), DAY, shop=weekdays)
    assert [row["state"] for row in found.series] == ["closed", "unwatched", "watched"]
    assert [row["in"] is None for row in found.series] == [True, True, False]
    assert (found.period.closed, found.period.watched, found.period.left_out) == (1, 1, ("2026-03-09",))
    assert found.period.watched_share == pytest.approx(0.5)


def test_the_day_that_is_not_over_counts_in_sums_alone(story):
    a_fortnight(story, days=3)
    found = figures(story, DAY - timedelta(days=2), DAY, today=DAY)
    assert found.series[-1]["state"] == "running"
    assert found.figures["footfall"].now.value == sum(row["in"] for row in found.series)
    assert found.figures["footfall_a_day"].now.n == 2


def test_days_without_a_receipt_are_left_out_of_sales_and_not_taken_for_days_without_buyers(story):
    for back in range(14):
        story.on(DAY - timedelta(days=back)).watch("10:00", "18:00")
        story.enter("11:00", *PEOPLE)
        for number in range(6 if back in (0, 2, 4) else 0):
            story.receipt("11:05", f"{back}-{number}", 1000)
    story.store()
    first = DAY - timedelta(days=6)
    found = figures(story, first, DAY, period.before((first, DAY)), k=5)
    conversion, sales = found.figures["conversion"], found.figures["sales_a_day"]
    assert (conversion.now.value, conversion.now.n) == (0.5, 36)
    assert conversion.now.note == "days without a receipt are left out"
    assert (sales.now.value, sales.now.n) == (6000.0, 3)
    assert conversion.before.value is conversion.now.change is sales.now.change is None
    assert found.funnels[""][-1].share.now.value == 0.5


def test_receipts_in_the_funnel_and_conversion_change_with_the_same_interval_beside_a_single_day(story):
    for back in range(15):
        story.on(DAY - timedelta(days=back)).watch("10:00", "18:00")
        for number in range(30):
            story.enter(f"{10 + number % 8}:05", f"{back}-{number}")
        for number in range(6 + 5 * (back % 3)):
            story.receipt(f"{10 + number % 8}:{20 + number}", f"{back}-{number}", 1000)
    story.store()
    early, late = DAY - timedelta(days=14), DAY - timedelta(days=13)
    found = figures(story, late, DAY, (early, early))
    conversion, receipts = found.figures["conversion"], found.funnels[""][-1].share
    assert receipts.before.low < receipts.before.value < receipts.before.high
    assert receipts.now.change.low < receipts.now.change.value < receipts.now.change.high
    assert (shown(receipts.now), shown(receipts.before)) == (shown(conversion.now), shown(conversion.before))
    assert receipts.now.change == conversion.now.change


def test_what_is_about_few_people_is_hidden_however_many_visits_they_made(story):
    story.watch("10:00", "18:00")
    story.enter("10:30", *PEOPLE)
    for person in PEOPLE:
        story.visit("11:00", person, "promo", 1.0)
    story.visit("11:10", "p0", "promo", 77.0)
    for minute in range(8):
        story.visit(f"11:{minute:02}", "p0", "shelf", 20.0)
    story.store()
    found = figures(story, DAY, k=5)
    shelf, promo = (next(zone for zone in found.zones if zone.zone == slug) for slug in ("shelf", "promo"))
    assert promo.stopping_power.now.n == 12
    assert promo.holding_power.now.value is None
    assert shelf.dwell_median.now.value is None
    assert found.figures["dwell_median"].now.n == 21
    alone = replace(story.shop, layout=replace(story.shop.layout, zones=story.shop.layout.zones[:1]))
    assert figures(story, DAY, k=5, shop=alone).figures["dwell_median"].now.value is None


def test_how_few_came_in_cannot_be_reckoned_from_a_share_of_many(story):
    story.watch("10:00", "18:00")
    story.enter("10:30", *PEOPLE[:2])
    for number in range(12):
        story.visit("11:05", f"p{number}", "shelf", 10.0)
        story.visit("11:00", f"p{number}", "street", 3.0)
        story.receipt("12:00", f"r{number}", 1000)
    story.store()

    def shown(k):
        found = figures(story, DAY, k=k)
        shelf = next(zone for zone in found.zones if zone.zone == "shelf")
        of_many = (shelf.exposure, found.figures["capture_rate"], found.funnels[""][-1].share)
        return [figure.now.value for figure in of_many]

    assert shown(5) == [None, None, None]
    assert None not in shown(2)


def test_waits_are_hidden_by_the_people_behind_them_and_counted_as_waits(story):
    for back in range(2):
        story.on(DAY - timedelta(days=back)).watch("10:00", "18:00")
        for number in range(6):
            story.wait(f"1{number}:00", f"p{number % 2}", 30.0)
            story.wait(f"1{number}:30", f"p{number % 3}", 200.0, "abandoned")
    story.store()
    names = ("queue_wait_median", "queue_wait_p90", "abandonment")

    day = figures(story, DAY, k=5)
    of_queue = asdict(day.queues[0])
    told = [of_queue[name]["now"]["value"] for name in ("joined", "length_max", "length_mean", "wait_median")]
    assert told == [None] * 4
    assert {day.figures[name].now.value for name in names} == {None}

    both = figures(story, DAY - timedelta(days=1), DAY, k=5)
    assert [both.figures[name].now.n for name in names] == [None, None, 24]  # 2 · 2 were served, 2 · 3 joined
    assert both.queues[0].abandonment.now.value == 0.5
    assert both.queues[0].joined.now.value == 24
    assert figures(story, DAY - timedelta(days=1), DAY, k=4).queues[0].wait_p90.now.n == 12


def test_who_stands_in_two_queues_is_one_person(story):
    tills = next(zone for zone in story.shop.layout.zones if zone.kind == "queue")
    other = replace(tills, slug="express", name="Express")
    shop = replace(story.shop, layout=replace(story.shop.layout, zones=(*story.shop.layout.zones, other)))
    for number in range(3):
        story.wait("11:00", f"p{number}", 30.0)
        story.wait("12:00", f"p{number}", 30.0)
        story.rows["waits"][-1]["zone_id"] = "express"
    story.store()
    assert figures(story, DAY, k=4, shop=shop).figures["queue_wait_median"].now.value is None
    assert figures(story, DAY, k=3, shop=shop).figures["queue_wait_median"].now.n == 6


def test_an_empty_period_has_figures_without_values(story):
    found = figures(story, DAY - timedelta(days=6), DAY, (DAY - timedelta(days=13), DAY - timedelta(days=7)))
    assert found.figures["footfall"].now.value == 0
    assert found.figures["conversion"].now.note == "no receipts"
    assert found.figures["dwell_median"].now.value is None
    assert found.figures["footfall_a_day"].now.value is None
    assert (found.transitions, found.paths, found.occupancy, found.breaks) == ([], [], [], [])
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (DAY, DAY - timedelta(days=1), "swap the two"),
        (TODAY, TODAY + timedelta(days=1), "has not begun"),
        (date(2020, 1, 1), DAY, "up to three years"),
    ],
)
def test_a_period_that_cannot_be_is_refused(story, first, last, words):
    with pytest.raises(InputError, match=words):
        figures(story, first, last)
    with pytest.raises(InputError, match=words):
        figures(story, DAY, DAY, (first, last))


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 400))
def test_the_period_before_has_the_same_week_days_and_does_not_overlap(first, length):
    asked = (first, first + timedelta(days=length - 1))
    for other in (period.before(asked), period.year_before(asked)):
        assert period.aligned(asked, other)
    assert period.before(asked)[1] < first
    assert (first - period.before(asked)[1]).days <= 7
    assert 363 <= (first - period.year_before(asked)[0]).days <= 366


# Clocks --------------------------------------------------------------------------------------------------------------


def test_days_of_23_and_25_hours_keep_their_entries_at_the_shops_hours(kiosk):
    for day in (date(2026, 3, 28), date(2026, 10, 24)):
        kiosk.on(day).enter("05:00", *PEOPLE)
    kiosk.add(
        "crossings",
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        person_id="gus",
        line_id="door",
        direction="in",
        role="customer",
    )
    kiosk.add(
        "crossings",
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        person_id="kim",
        line_id="door",
        direction="in",
        role="customer",
    )
    kiosk.store()
    spring = figures(kiosk, date(2026, 3, 28), today=date(2026, 12, 1))
    autumn = figures(kiosk, date(2026, 10, 24), today=date(2026, 12, 1))
    assert {row["hour"]: row["in"] for row in spring.occupancy if row["in"]} == {5: 12}
    assert {row["hour"]: row["in"] for row in autumn.occupancy if row["in"]} == {5: 12, 3: 2}
    assert (spring.figures["footfall"].now.value, autumn.figures["footfall"].now.value) == (12, 14)


def test_people_inside_in_the_hour_that_a_clock_shows_twice_are_counted_once(kiosk):
    kiosk.on(date(2026, 10, 24)).enter("23:00", *PEOPLE)
    for person in PEOPLE:  # until the day is nearly over: the clock shows 3 from 00:00 until 02:00 UTC
        t = datetime(2026, 10, 25, 1, 50, tzinfo=UTC)
        kiosk.add("crossings", t, person_id=person, line_id="door", direction="out", role="customer")
    kiosk.store()
    found = figures(kiosk, date(2026, 10, 24), today=date(2026, 12, 1))
    assert {row["hour"]: row["inside"] for row in found.occupancy if row["inside"]} == {
        **dict.fromkeys((23, 0, 1, 2), 12),
        3: 10.5,  # of eight quarters seven
    }


def test_a_day_on_which_the_clock_leaves_an_hour_out_is_none_of_that_hours_days(kiosk):
    for day in (date(2026, 3, 21), date(2026, 3, 28)):
        kiosk.on(day).enter("02:30", *PEOPLE)
        kiosk.leave("03:50" if day.day == 21 else "02:50", *PEOPLE)
    kiosk.store()
    found = figures(kiosk, date(2026, 3, 21), date(2026, 3, 28), today=date(2026, 12, 1))
    cells = {(row["weekday"], row["hour"]): row for row in found.occupancy}
    assert (cells[5, 2]["days"], cells[5, 3]["days"], cells[5, 3]["inside"]) == (2, 1, 9.0)  # of four quarters three


def test_a_bars_night_belongs_to_the_evening_it_began_in(bar):
    bar.watch("20:00", "23:59")
    bar.enter("20:30", *PEOPLE[:2])
    bar.enter("01:30", "eve")
    bar.store()
    found = figures(bar, DAY)
    assert [(row["weekday"], row["hour"]) for row in found.occupancy if row["in"]] == []
    assert found.period.left_out == (DAY.isoformat(),)  # nobody watched after midnight
    assert found.figures["footfall"].now.value == 3


# Layouts -------------------------------------------------------------------------------------------------------------


def moved(shop, *, layout_id="layout-2"):
    zones = tuple(
        replace(zone, polygon=((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))) if zone.slug == "shelf" else zone
        for zone in shop.layout.zones
    )
    return replace(shop, layout=replace(shop.layout, layout_id=layout_id, zones=zones))


def test_a_zone_that_was_moved_is_marked_and_not_compared(story):
    before = story.shop
    a_fortnight(story, until=DAY - timedelta(days=7), days=7)
    story.shop = moved(before)
    a_fortnight(story, days=7)
    first = DAY - timedelta(days=6)
    found = figures(
        story, first, DAY, period.before((first, DAY)), layouts=(before.layout, story.shop.layout), shop=story.shop
    )
    (broken,) = found.breaks
    assert (broken.day, broken.zones, broken.known) == (first.isoformat(), ("shelf",), True)
    assert found.series[0]["layout"] == "layout-2"
    shelf, promo = (next(zone for zone in found.zones if zone.zone == slug) for slug in ("shelf", "promo"))
    assert shelf.stopping_power.now.change is None
    assert shelf.stopping_power.now.note == "not the same zone before and after"
    assert shelf.stopping_power.before.value is not None
    assert promo.stopping_power.now.change is not None
    assert found.figures["dwell_median"].now.change is None
    assert found.figures["footfall_a_day"].now.change is not None
    assert found.funnels["shelf"][1].share.now.change is None
    assert found.funnels["promo"][1].share.now.change is not None


def test_a_layout_that_nobody_knows_any_more_lets_no_zone_be_compared(story):
    a_fortnight(story, until=DAY - timedelta(days=7), days=7)
    story.shop = moved(story.shop)
    a_fortnight(story, days=7)
    first = DAY - timedelta(days=6)
    found = figures(story, first, DAY, period.before((first, DAY)), layouts=(story.shop.layout,), shop=story.shop)
    assert [each.known for each in found.breaks] == [False]
    assert all(zone.stopping_power.now.change is None for zone in found.zones)
    assert found.figures["conversion"].now.change is None


def test_a_new_name_or_camera_is_no_break_in_any_zone(story):
    layout = story.shop.layout
    renamed = replace(layout, zones=tuple(replace(zone, name="Other") for zone in layout.zones))
    assert changed(layout, renamed) == []
    assert changed(layout, replace(layout, lines=layout.lines[1:])) == ["door"]
    assert changed(layout, replace(layout, lines=layout.lines[:1])) == []  # a passage counts nobody in


# Paths and files -----------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(1, 12), max_size=8))
def test_what_is_folded_keeps_every_person_and_shows_no_small_group(groups):
    found = walks.fold({goal: (people + 1, people) for goal, people in groups.items()}, 5)
    assert sum(people for _steps, people in found.values()) == sum(groups.values())
    assert sum(steps for steps, _people in found.values()) == sum(groups.values()) + len(groups)
    if sum(groups.values()) >= 5:
        assert all(people >= 5 for _steps, people in found.values())


def test_every_table_says_whose_it_is_and_holds_what_the_page_shows(story):
    a_fortnight(story)
    first = DAY - timedelta(days=6)
    found = figures(story, first, DAY, period.before((first, DAY)))
    exported = tables(found)
    for name, table in exported.items():
        assert table.column_names[:4] == ["shop", "period_first", "period_last", "simulated"], name
    assert exported["series"].num_rows == 7
    by_name = {row["name"]: row for row in exported["figures"].to_pylist()}
    assert by_name["footfall"]["value"] == found.figures["footfall"].now.value
    assert by_name["footfall"]["before_value"] == found.figures["footfall"].before.value
    assert {row["zone"] for row in exported["funnel"].to_pylist()} == {"(any)", "shelf", "promo"}


def test_the_funnel_never_widens_for_persons_and_depends_on_the_section(story):
    a_fortnight(story)
    found = figures(story, DAY - timedelta(days=6), DAY)
    for steps in found.funnels.values():
        counts = [step.count for step in steps if step.step != "receipts"]
        assert counts == sorted(counts, reverse=True)
        assert all(0 <= step.share.now.low <= step.share.now.value <= step.share.now.high for step in steps)
    assert found.funnels["shelf"][1].count < found.funnels[""][1].count
