"""A chain of tiny shops: every figure a second time in plain Python, and what must not be told."""

import random
import statistics
from dataclasses import replace
from datetime import date, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.layout import Hours
from vitrina.floor.measures.breaks import Moved, moved_within
from vitrina.floor.measures.chain import CHAIN, PROFILES, chain_tables
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.floor.measures.day import day_figures
from vitrina.floor.measures.standing import belong_together, compose, suppress

FIRST = date(2026, 3, 2)  # a Monday
DAYS = [FIRST + timedelta(days=number) for number in range(3)]


@pytest.fixture
def shop(lake, story):
    """shop(slug, currency=…) → a story of a shop of its own in the same lake."""

    def make(slug, **changes):
        return type(story)(lake, replace(story.shop, slug=slug, name=slug.title(), **changes), FIRST)

    return make


def busy(story, day, people, *, receipts=0, minor=1000, watched=True):
    story.on(day)
    if watched:
        story.watch("10:00", "18:00")
    story.enter("11:00", *(f"{day}-{number}" for number in range(people)))
    for number in range(receipts):
        story.receipt("12:00", f"{day}-{number}", minor, currency=story.shop.currency)


def chain(lake, *stories, k_anonymity=0, against=None, moved=None):
    for story in stories:
        if any(story.rows.values()):
            story.store()
    shops = [story.shop for story in stories]
    rows = ChainLedger(lake).read(shops, DAYS[0], DAYS[-1])
    before = ChainLedger(lake).read(shops, *against) if against else None
    return compose(shops, rows, before, k_anonymity=k_anonymity, moved=moved)


def random_day(story, day, chance):
    story.on(day)
    story.watch("10:00", "18:00")
    story.enter("10:00", "first")
    for number in range(chance.randint(1, 30)):
        person = f"p{number}"
        clock = f"{chance.randint(10, 17)}:{chance.randint(0, 59):02}:00"
        story.enter(clock, person, role=chance.choice(("unknown", "staff")), line=chance.choice(("door", "aisle")))
        for zone in chance.sample(("shelf", "promo", "street"), chance.randint(0, 3)):
            story.visit(clock, person, zone, round(chance.expovariate(0.1), 3))
        if chance.random() < 0.6:
            story.wait(clock, person, chance.randint(1, 300), chance.choice(("served", "abandoned", "unknown")))
        if chance.random() < 0.5:
            story.receipt(clock, f"{day}-{number}", chance.randint(-200, 3000), revision=chance.randint(1, 2))


def plainly(rows, shop):
    """The chain's measures of one shop out of all its rows, without any library."""
    door = [r for r in rows["crossings"] if r["line_id"] == "door" and r["role"] != "staff" and r["direction"] == "in"]
    kinds = {zone.slug: (zone.kind, zone.stop_s) for zone in shop.layout.zones}
    newest = {}
    for row in sorted(rows["receipts"], key=lambda row: row["revision"]):
        newest[row["receipt_id"]] = row
    bought = [row["total_minor"] for row in newest.values() if row["total_minor"] > 0]
    sold = {row["business_day"] for row in newest.values() if row["total_minor"] > 0}
    takings = sum(row["total_minor"] for row in newest.values() if row["business_day"] in sold)
    buyers = sum(row["business_day"] in sold for row in door)
    dwell = {"section": [], "promo": []}
    longest = {}
    for row in rows["visits"]:
        kind, stop_s = kinds[row["zone_id"]]
        if kind in dwell:
            dwell[kind].append(row["dwell_s"])
            key = row["business_day"], row["zone_id"], row["person_id"], stop_s
            longest[key] = max(longest.get(key, 0), row["dwell_s"])
    served = [row["wait_s"] for row in rows["waits"] if row["outcome"] == "served"]
    gone = sum(row["outcome"] == "abandoned" for row in rows["waits"])
    return {
        "footfall": len(door) / len(DAYS),
        "conversion": len(bought) / buyers,
        "average_ticket": statistics.mean(bought),
        "shopper_yield": takings / buyers,
        "dwell_section": statistics.median(dwell["section"]),
        "dwell_promo": statistics.median(dwell["promo"]),
        "stopping_power": statistics.mean(seconds >= key[3] for key, seconds in longest.items()),
        "queue_wait_p90": float(np.quantile(served, 0.9)),
        "abandonment": gone / (gone + len(served)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_every_measure_is_what_plain_python_gives(lake, shop, seed):
    chance, stories, expected = random.Random(seed), [shop("ada"), shop("bo", currency="EUR")], []
    for story in stories:
        for day in DAYS:
            random_day(story, day, chance)
        expected.append(plainly({name: list(rows) for name, rows in story.rows.items()}, story.shop))
    found = chain(lake, *stories)
    for place, values in enumerate(expected):
        for name, value in values.items():
            assert found.columns[name].value[place] == pytest.approx(value), name


def test_dwell_is_hidden_by_the_people_behind_it_however_many_visits_they_made(lake, shop):
    story = shop("ada")
    for day in DAYS:
        busy(story, day, 9)
        for minute in range(5):
            story.visit(f"11:{minute:02}", "p0", "shelf", 20.0)
            story.visit("12:00", f"p{minute}", "promo", 20.0)
    found = chain(lake, story, k_anonymity=5)
    assert (found.columns["dwell_section"].n[0], found.columns["dwell_promo"].n[0]) == (0, 15)
    assert found.columns["dwell_section"].notes == ("fewer than 5 people: not shown",)


def test_stops_and_waits_are_hidden_by_the_people_behind_them(lake, shop):
    few, enough = shop("ada"), shop("bo")
    for number in range(5):
        for story, person in ((few, f"p{number % 2}"), (enough, f"p{number}")):
            story.on(FIRST).visit(f"11:0{number}", person, "shelf", 20.0)
            story.visit(f"12:0{number}", person, "promo", 20.0)
            story.wait(f"13:{number}0", person, 30.0)
            story.wait(f"13:{number}5", person, 40.0, "abandoned")
    few.visit("14:00", "p0", "shelf", 20.0)
    for number in range(2, 4):
        few.visit("14:00", f"p{number}", "shelf", 20.0)
        few.visit("14:05", f"p{number}", "promo", 20.0)
    found = chain(lake, few, enough, k_anonymity=5)
    ns = {name: found.columns[name].n.tolist() for name in ("stopping_power", "queue_wait_p90", "abandonment")}
    assert ns == {"stopping_power": [0, 10], "queue_wait_p90": [0, 5], "abandonment": [0, 10]}
    assert np.isnan(found.columns["queue_wait_p90"].series[0, 0])


def test_a_day_on_which_nobody_watched_at_all_lowers_the_share_that_was_watched(lake, shop):
    story, closed = (
        shop("ada"),
        shop("bo", opens=((Hours(time(10), time(18)),), (), *[(Hours(time(10), time(18)),)] * 5)),
    )
    busy(story, DAYS[0], 9)
    busy(closed, DAYS[0], 9)
    busy(closed, DAYS[2], 9)
    found = chain(lake, story, closed)
    assert found.watched.tolist() == [pytest.approx(1 / 3), 1.0]
    assert found.partly.tolist() == [True, False]
    assert found.columns["footfall"].value[0] == 9


def test_days_without_a_receipt_are_left_out_of_what_sales_are_divided_by(lake, shop):
    story = shop("ada")
    for day, receipts in zip(DAYS, (6, 0, 6), strict=True):
        busy(story, day, 12, receipts=receipts)
    found = chain(lake, story)
    assert (found.columns["conversion"].value[0], found.columns["conversion"].n[0]) == (0.5, 24)


def test_one_day_of_the_chain_is_the_day_of_its_page(lake, shop):
    story, chance = shop("ada"), random.Random(3)
    random_day(story, DAYS[0], chance)
    story.store()
    day = day_figures(lake, story.shop, DAYS[0], k_anonymity=0)
    rows = ChainLedger(lake).read([story.shop], DAYS[0], DAYS[0])
    found = compose([story.shop], rows, None, k_anonymity=0)
    for name in ("footfall", "conversion", "average_ticket", "shopper_yield", "queue_wait_p90", "abandonment"):
        assert found.columns[name].value[0] == pytest.approx(day.figures[name].value), name
    assert found.watched[0] == day.watched_share == 1.0


def test_a_shop_stands_apart_only_when_its_whole_interval_does(lake, shop):
    stories = [shop(slug) for slug in ("ada", "bo", "cy", "di", "ed")]
    for story, people in zip(stories, ((9, 10, 11), (10, 11, 9), (11, 9, 10), (40, 41, 42), (5, 20, 12)), strict=True):
        for day, count in zip(DAYS, people, strict=True):
            busy(story, day, count)
    footfall = chain(lake, *stories).columns["footfall"]
    assert footfall.medians == {"": 10.0}
    assert footfall.standing == ("alike", "alike", "alike", "above", "alike")
    assert footfall.ranked == 5


def test_a_partly_watched_shop_is_marked_and_not_ranked_and_its_bad_days_do_not_count(lake, shop):
    stories = [shop(slug) for slug in ("ada", "bo", "cy", "di")]
    for story in stories[:3]:
        for day in DAYS:
            busy(story, day, 10)
    half = stories[3]
    for day in DAYS:
        half.on(day)
        half.watch("10:00", "14:00" if day != DAYS[0] else "18:00")
        half.enter("11:00", *(f"{day}-{number}" for number in range(10 if day == DAYS[0] else 3)))
    found = chain(lake, *stories)
    assert found.partly.tolist() == [False, False, False, True]
    assert found.columns["footfall"].standing[3] == "unranked"
    assert found.columns["footfall"].value[3] == 10


def test_a_day_that_nobody_watched_is_not_a_day_without_people(lake, shop):
    story = shop("ada")
    busy(story, DAYS[0], 12)
    found = chain(lake, story)
    assert found.columns["footfall"].value[0] == 12
    assert np.isnan(found.columns["footfall"].series[0, 1:]).all()


def test_currencies_are_never_added_nor_ranked_together(lake, shop):
    stories = [shop(f"e{number}", currency="EUR") for number in range(3)]
    stories += [shop(f"j{number}", currency="JPY") for number in range(3)]
    for number, story in enumerate(stories):
        for day in DAYS:
            busy(story, day, 10, receipts=5, minor=1000 + number if story.shop.currency == "EUR" else 90_000)
    found = chain(lake, *stories)
    ticket = found.columns["average_ticket"]
    assert ticket.medians == {"EUR": 1001.0, "JPY": 90_000.0}
    totals = {total.currency: total.found.value for total in found.totals if total.measure.name == "average_ticket"}
    assert totals == {"EUR": 1001.0, "JPY": 90_000.0}
    assert [stories[place].shop.currency for place in found.order("-value", "average_ticket")] == ["EUR"] * 3 + [
        "JPY"
    ] * 3


def test_receipts_in_a_foreign_currency_are_left_out_and_said(lake, shop):
    story = shop("ada")
    busy(story, DAYS[0], 10, receipts=5, minor=1000)
    story.receipt("13:00", "odd", 700_000, currency="JPY")
    column = chain(lake, story).columns["average_ticket"]
    assert (column.value[0], column.notes[0]) == (1000, "receipts in another currency are left out")


def test_fewer_people_than_k_are_never_told_not_even_by_a_total(lake, shop):
    few, many = shop("ada"), shop("bo")
    busy(few, DAYS[0], 3)
    busy(many, DAYS[0], 20)
    found = chain(lake, few, many, k_anonymity=5)
    footfall = found.columns["footfall"]
    assert np.isnan(footfall.value[0])
    assert footfall.notes[0] == "fewer than 5 people: not shown"
    assert footfall.n[0] == 0
    assert next(total for total in found.totals if total.measure.name == "footfall").found.value == 20
    assert np.isnan(footfall.series[0]).all()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=10), st.integers(2, 8))
def test_a_hidden_day_cannot_be_worked_out_from_the_total(counts, k):
    hidden = suppress(np.array([counts], float), k)[0]
    assert all(hidden[place] for place, count in enumerate(counts) if 0 < count < k)
    if hidden.sum() == 1:  # nothing else that could be hidden
        assert sum(count > 0 for count in counts) == 1


def test_a_chain_without_rows_or_shops_is_no_error(lake, shop):
    empty = chain(lake, shop("ada"))
    assert empty.unseen.tolist() == [True]
    assert empty.columns["footfall"].notes == ("not watched",)
    assert empty.totals == ()
    nobody = chain(lake)
    assert nobody.order("-value", "footfall") == []


def test_what_somebody_may_not_see_moves_neither_median_nor_standing(lake, shop):
    stories = [shop(slug) for slug in ("ada", "bo", "cy", "secret")]
    for story, people in zip(stories, (10, 11, 12, 5000), strict=True):
        for day in DAYS:
            busy(story, day, people)
    everything = chain(lake, *stories)
    visible = chain(lake, *stories[:3])
    assert visible.columns["footfall"].medians == {"": 11.0}
    assert everything.columns["footfall"].medians == {"": 11.5}
    assert visible.totals[0].found.value == 33


def test_sorting_is_stable_and_shops_without_a_value_stand_last(lake, shop):
    stories = [shop(slug) for slug in ("dora", "ada", "cy", "bo")]
    for story, people in zip(stories, (10, 10, 0, 30), strict=True):
        busy(story, DAYS[0], people) if people else None
    found = chain(lake, *stories)
    names = {
        sort: [stories[place].shop.slug for place in found.order(sort, "footfall")]
        for sort in ("value", "-value", "name", "-name")
    }
    assert names["-value"] == ["bo", "ada", "dora", "cy"]
    assert names["value"] == ["ada", "dora", "bo", "cy"]
    assert names["name"] == ["ada", "bo", "cy", "dora"] == names["-name"][::-1]


def test_a_change_is_like_for_like_and_by_the_same_week_days(lake, shop):
    old, new = shop("ada"), shop("bo")
    week_before = (DAYS[0] - timedelta(days=7), DAYS[-1] - timedelta(days=7))
    for number, day in enumerate(DAYS):
        busy(old, day - timedelta(days=7), 10 + 20 * number)
        busy(old, day, 12 + 20 * number)
        busy(new, day, 50)
    found = chain(lake, old, new, against=week_before)
    footfall = found.columns["footfall"]
    assert found.paired
    assert (footfall.change[0], footfall.change_low[0]) == pytest.approx((2.0, 2.0))
    assert np.isnan(footfall.change[1])
    total = found.totals[0]
    assert (total.found.value, total.change.value, total.change.n) == (82.0, 2.0, 1)


def test_a_shop_whose_door_was_drawn_anew_is_not_compared_with_itself_nor_counted_in_the_totals_change(lake, shop):
    stories = [shop("one"), shop("two")]
    for story in stories:
        for back in (0, 7):
            for number, day in enumerate(DAYS):
                busy(story, day - timedelta(days=back), 10 + number, receipts=3)
    against = (DAYS[0] - timedelta(days=7), DAYS[-1] - timedelta(days=7))

    found = chain(lake, *stories, against=against, moved={"two": Moved(DAYS[0], frozenset({"entrance"}))})

    for name, compared in [("footfall", False), ("conversion", False), ("average_ticket", True)]:
        assert np.isfinite(found.columns[name].change).tolist() == [True, compared], name
        assert found.columns[name].moved.tolist() == [False, not compared], name
    assert next(total for total in found.totals if total.measure.name == "footfall").change.n == 1


def test_a_layout_that_began_among_the_days_compared_tells_what_was_drawn_anew(shop):
    before = shop("one").shop.layout
    [*zones, last] = before.zones
    after = replace(before, layout_id="later", zones=(*zones, replace(last, polygon=((0, 0), (1, 0), (1, 1)))))
    versions = [(DAYS[0] - timedelta(days=9), before), (DAYS[1], after), (DAYS[2], after)]

    assert moved_within(versions, DAYS[0], DAYS[2]) == Moved(DAYS[2], frozenset({last.kind}))
    assert moved_within(versions, DAYS[2], DAYS[2]) == Moved(DAYS[2], frozenset())
    assert moved_within(versions, DAYS[0] - timedelta(days=9), DAYS[0]) is None


def test_periods_belong_together_by_whole_weeks_of_the_same_length():
    assert belong_together(DAYS, [day - timedelta(days=14) for day in DAYS])
    assert not belong_together(DAYS, [day - timedelta(days=3) for day in DAYS])
    assert not belong_together(DAYS, DAYS[:2])


def test_a_share_is_never_surer_than_wilson(lake, shop):
    story = shop("ada")
    for day in DAYS:
        story.on(day)
        for number in range(5):
            story.wait("12:00", f"p{number}", 30)
    column = chain(lake, story).columns["abandonment"]
    assert (column.value[0], column.low[0]) == (0.0, 0.0)
    assert column.high[0] == pytest.approx(0.2039, abs=1e-3)  # Wilson's upper bound of 0 of 15


@pytest.mark.parametrize("dialect", ["duckdb", "databricks"])
def test_every_question_of_the_chain_compiles_for_both_engines(dialect):
    import ibis

    for query in (CHAIN | PROFILES).values():
        assert "SELECT" in str(ibis.to_sql(query(chain_tables()), dialect=dialect))


def test_every_measure_of_the_chain_leads_to_a_card():
    from vitrina.floor.measures.cards import MEASURES

    assert {measure.card for measure in CHAIN_MEASURES.values()} <= set(MEASURES)
