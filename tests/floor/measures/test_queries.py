"""Every measure three times: as Ibis query, as the page's figure, and here in plain Python over the same rows."""

import random
import statistics
from collections import Counter, defaultdict
from datetime import UTC, datetime

import ibis
import numpy as np
import pytest

from vitrina.errors import NotFoundError
from vitrina.floor.measures import queries
from vitrina.floor.measures.cards import MEASURES, measure
from vitrina.floor.measures.queries import Marks
from vitrina.floor.store import FLOOR_TABLES

PEOPLE = [f"p{number}" for number in range(40)]
ZONES = ("shelf", "promo", "street", "old-corner")


def tell(story, seed):
    """A day of random rows, with staff, passages, revisions, refunds and people who vanish."""
    chance = random.Random(seed)

    def clock():
        return f"{chance.randint(10, 17)}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}"

    for _ in range(chance.randint(1, 60)):
        story.enter(
            clock(),
            chance.choice(PEOPLE),
            direction=chance.choice(("in", "in", "out")),
            role=chance.choice(("unknown", "unknown", "staff")),
            line=chance.choice(("door", "door", "aisle")),
        )
    for _ in range(chance.randint(0, 150)):
        role = chance.choice(("unknown", "unknown", "unknown", "staff"))
        story.visit(clock(), chance.choice(PEOPLE), chance.choice(ZONES), chance.expovariate(0.1), role=role)
    for _ in range(chance.randint(0, 40)):
        outcome = chance.choice(("served", "served", "abandoned", "unknown"))
        story.wait(clock(), chance.choice(PEOPLE), round(chance.uniform(1, 300), 3), outcome)
    for number in range(chance.randint(0, 30)):
        for revision in range(1, chance.randint(2, 4)):
            story.receipt(clock(), str(number), chance.randint(-200, 2000), revision=revision)


def plainly(rows, shop):
    """The definitions of floor.md, without any library: measure or (zone, measure) → value."""
    stop_s = {zone.slug: zone.stop_s for zone in shop.layout.zones}
    crossed = [row for row in rows["crossings"] if row["line_id"] == "door" and row["role"] != "staff"]
    entered = [row for row in crossed if row["direction"] == "in"]
    visits = [row for row in rows["visits"] if row["role"] != "staff"]
    newest = {}
    for row in rows["receipts"]:
        newest[row["receipt_id"]] = max(newest.get(row["receipt_id"], row), row, key=lambda each: each["revision"])
    totals = [row["total_minor"] for row in newest.values()]
    bought = [total for total in totals if total > 0]
    passers = {row["person_id"] for row in visits if row["zone_id"] == "street"} - {row["person_id"] for row in entered}
    served = [row["wait_s"] for row in rows["waits"] if row["outcome"] == "served"]
    abandoned = sum(row["outcome"] == "abandoned" for row in rows["waits"])
    values = {"footfall": len(entered)}
    if passers and entered:
        values["capture_rate"] = len(entered) / (len(entered) + len(passers))
    if served:
        values["queue_wait_median"] = statistics.median(served)
        values["queue_wait_p90"] = float(np.quantile(served, 0.9))
    if served or abandoned:
        values["abandonment"] = abandoned / (abandoned + len(served))
    if bought:
        values["average_ticket"] = sum(bought) / len(bought)
        if entered:
            values["conversion"] = len(bought) / len(entered)
            values["shopper_yield"] = sum(totals) / len(entered)
    longest = defaultdict(dict)
    dwells = defaultdict(list)
    for row in visits:
        dwells[row["zone_id"]].append(row["dwell_s"])
        mine = longest[row["zone_id"]]
        mine[row["person_id"]] = max(mine.get(row["person_id"], 0.0), row["dwell_s"])
    for zone, mine in longest.items():
        stopped = [dwell for dwell in mine.values() if dwell >= stop_s.get(zone, 5.0)]
        values[zone, "zone_visitors"] = len(mine)
        values[zone, "dwell_median"] = statistics.median(dwells[zone])
        values[zone, "dwell_p90"] = float(np.quantile(dwells[zone], 0.9))
        values[zone, "stopping_power"] = len(stopped) / len(mine)
        if stopped:
            values[zone, "holding_power"] = statistics.median(stopped)
        if entered:
            values[zone, "exposure"] = len(mine) / len(entered)
    return values


def asked(story):
    """The same values from the cards' queries."""
    tables = {name: story.lake.expr(name) for name in FLOOR_TABLES}
    values = {}
    for name in set(MEASURES) - {"occupancy", "transitions", "queue_length"}:
        rows = MEASURES[name].query(tables, Marks.of(story.shop)).to_pyarrow().to_pylist()
        for row in rows:
            in_zone = "zone_id" in row and row["zone_id"] != "tills"
            values[(row["zone_id"], name) if in_zone else name] = row["value"]
    return values


def shown(day):
    """The same values from the day's page."""
    found = {name: figure.value for name, figure in day.figures.items() if name in MEASURES}
    for zone in day.zones:
        figures = (
            zone.visitors,
            zone.exposure,
            zone.dwell_median,
            zone.dwell_p90,
            zone.stopping_power,
            zone.holding_power,
        )
        found |= {(zone.zone, figure.name): figure.value for figure in figures}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_query_and_page_give_what_plain_python_gives(story, seed):
    tell(story, seed)
    rows = {name: list(content) for name, content in story.rows.items()}
    expected = plainly(rows, story.shop)
    day = story.figures()
    from_queries, from_page = asked(story), shown(day)
    for name, value in expected.items():
        assert from_page[name] == pytest.approx(value), name
        if value or name in from_queries:
            assert from_queries[name] == pytest.approx(value), name


@pytest.mark.parametrize("seed", range(3))
def test_the_queue_and_the_steps_between_zones_are_the_same_asked_and_shown(story, seed):
    tell(story, seed)
    day = story.figures()
    tables, marks = {name: story.lake.expr(name) for name in FLOOR_TABLES}, Marks.of(story.shop)
    lengths = queries.queue_length(tables, marks).to_pyarrow()["value"].to_pylist()
    assert lengths == ([day.queues[0].length_max.value] if day.queues[0].length_max.n else [])
    steps = queries.transitions(tables, marks).to_pyarrow().to_pylist()
    inner = [row for row in day.transitions if row["from"] != "(start)" and row["to"] != "(end)"]
    assert Counter({(row["zone_id"], row["following"]): row["value"] for row in steps}) == Counter(
        {(row["from"], row["to"]): row["people"] for row in inner}
    )


def test_the_bare_balance_ends_at_entries_minus_exits(story):
    story.enter("10:00", "ann", "bob")
    story.leave("10:30", "ann")
    story.store()
    rows = queries.occupancy({"crossings": story.lake.expr("crossings")}, Marks.of(story.shop)).order_by("t")
    assert rows.to_pyarrow()["value"].to_pylist()[-1] == 1


def test_every_measure_has_a_card_with_a_query_that_reads_its_tables_alone():
    marks = Marks(("door",), ("tills",), ("street",), ("shelf",), (("shelf", 5.0),))
    for card in MEASURES.values():
        assert all((card.title, card.definition, card.interval, card.hides))
        tables = {name: queries.unbound()[name] for name in card.tables}
        sql = str(ibis.to_sql(card.query(tables, marks), dialect="duckdb"))
        assert sql.startswith(("SELECT", "WITH"))


@pytest.mark.parametrize("dialect", ["postgres", "databricks"])
def test_every_query_compiles_for_other_engines(dialect):
    marks = Marks(("door",), ("tills",), ("street",), ("shelf",), (("shelf", 5.0),))
    for card in MEASURES.values():
        assert "SELECT" in str(ibis.to_sql(card.query(queries.unbound(), marks), dialect=dialect))


def test_an_unknown_measure_is_answered_with_the_known_ones():
    with pytest.raises(NotFoundError, match="there is no measure 'feetfall'; there are: footfall"):
        measure("feetfall")


def test_rows_of_other_shops_and_days_change_nothing(story, bar):
    story.enter("11:00", "ann")
    bar.enter("21:00", "bob", "cid")
    story.add(
        "crossings",
        datetime(2026, 3, 9, 12, tzinfo=UTC),
        **{"person_id": "x", "line_id": "door"}
        | {"direction": "in", "role": "customer", "business_day": datetime(2026, 3, 9).date()},
    )
    bar.store()
    assert story.figures().figures["footfall"].value == 1
