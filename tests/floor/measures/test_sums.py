"""What a day adds up to: every sum a second time in plain Python, and the ledger that keeps them."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise

import ibis
import pytest

from vitrina.errors import StorageError
from vitrina.floor.measures import ledger, queries, sums, sumsfile
from vitrina.floor.measures.ledger import Ledger
from vitrina.floor.measures.queries import Marks

DAY = date(2026, 3, 10)
LATER = date(2026, 4, 1)
INSIDE, QUEUES = ("shelf", "promo"), ("tills",)
PEOPLE = [f"p{number}" for number in range(25)]


def tell(story, seed):
    """A day of random rows whose times are all different, so that their order is one."""
    chance = random.Random(seed)
    seconds = iter(chance.sample(range(10 * 3600, 18 * 3600), 400))

    def clock():
        second = next(seconds)
        return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"

    for _ in range(chance.randint(1, 60)):
        story.enter(
            clock(),
            chance.choice(PEOPLE),
            direction=chance.choice(("in", "in", "out")),
            role=chance.choice(("unknown", "customer", "staff")),
            line=chance.choice(("door", "door", "aisle")),
        )
    for _ in range(chance.randint(0, 120)):
        role = chance.choice(("unknown", "customer", "staff"))
        zone = chance.choice(("shelf", "promo", "street", "tills", "old-corner"))
        story.visit(clock(), chance.choice(PEOPLE), zone, chance.expovariate(0.1), role=role)
    for _ in range(chance.randint(0, 40)):
        outcome = chance.choice(("served", "served", "abandoned", "unknown"))
        story.wait(clock(), chance.choice(PEOPLE), chance.uniform(1, 300), outcome)
    for number in range(chance.randint(0, 30)):
        for revision in range(1, chance.randint(2, 4)):
            story.receipt(clock(), str(number), chance.randint(-200, 2000), revision=revision)


def plain_walks(visits):
    """Person to the zones walked through, without staying in one."""
    walks = defaultdict(list)
    for row in sorted(visits, key=lambda row: row["t"]):
        if row["zone_id"] in (*INSIDE, *QUEUES) and row["zone_id"] not in walks[row["person_id"]][-1:]:
            walks[row["person_id"]].append(row["zone_id"])
    return {person: walk for person, walk in walks.items() if walk}


def plain_funnel(rows, visits):
    came = {
        row["person_id"]
        for row in rows["crossings"]
        if row["line_id"] == "door" and row["role"] != "staff" and row["direction"] == "in"
    }
    queued = {row["person_id"] for row in rows["waits"]}
    served = {row["person_id"] for row in rows["waits"] if row["outcome"] == "served"}
    found = {}
    for section in ("", *INSIDE):
        zones = (section,) if section else INSIDE
        reached = came & {row["person_id"] for row in visits if row["zone_id"] in zones}
        if reached:
            found[section] = (len(reached), len(reached & queued), len(reached & served))
    return len(came), found


def asked(story, name):
    tables = {table: story.lake.expr(table) for table in sums.SOURCES}
    return sums.SUMS[name](tables, Marks.of(story.shop)).to_pyarrow().to_pylist()


@pytest.mark.parametrize("seed", range(6))
def test_walks_and_funnel_are_what_plain_python_counts(story, seed):
    tell(story, seed)
    rows = {name: list(content) for name, content in story.rows.items()}
    story.store()
    visits = [row for row in rows["visits"] if row["role"] != "staff"]
    walks = plain_walks(visits)
    came, funnel = plain_funnel(rows, visits)

    assert sum(row["people"] for row in asked(story, "entered")) == came
    assert {row["zone_id"]: (row["reached"], row["queued"], row["served"]) for row in asked(story, "funnel")} == funnel
    taken, people = Counter(), Counter()
    for walk in walks.values():
        steps = list(pairwise((sums.START, *walk, sums.END)))
        taken.update((min(place, sums.STEPS), *step) for place, step in enumerate(steps))
        people.update(set(steps))
    found = asked(story, "steps")
    assert {(row["place"], row["origin"], row["goal"]): row["steps"] for row in found} == taken
    by_step = Counter()
    for row in found:
        by_step[row["origin"], row["goal"]] += row["people"]
    assert +by_step == people
    told = Counter(
        sums.ARROW.join(walk[: sums.PATH_STOPS] + [sums.MORE] * (len(walk) > sums.PATH_STOPS))
        for walk in walks.values()
    )
    assert {row["path"]: row["people"] for row in asked(story, "paths")} == told


@pytest.mark.parametrize("seed", range(3))
def test_doors_street_stops_queues_and_sales_add_up_to_the_days_page(story, seed):
    tell(story, seed)
    day = story.figures()
    zones = {zone.zone: zone for zone in day.zones}

    assert sum(row["inbound"] for row in asked(story, "doors")) == day.figures["footfall"].value
    entries = day.figures["footfall"].value
    passers = sum(row["passers"] for row in asked(story, "street"))
    assert day.figures["capture_rate"].n in (0, entries + passers)
    for row in asked(story, "stops"):
        zone = zones[row["zone_id"]]
        assert row["visitors"] == zone.visitors.value
        assert row["stopped"] / row["visitors"] == pytest.approx(zone.stopping_power.value)
    for row in asked(story, "dwells"):
        assert (row["visits"], len(row["dwell_s"])) == (zones[row["zone_id"]].dwell_median.n,) * 2
    for row in asked(story, "queues"):
        assert row["served"] + row["abandoned"] == day.queues[0].abandonment.n
        assert len(row["wait_s"] or []) == row["served"]
    waits = story.lake.expr("waits").to_pyarrow().to_pylist()
    for row in asked(story, "queuers"):
        here = [wait for wait in waits if row["zone_id"] in ("", wait["zone_id"])]
        assert (row["joined"], row["served"], row["ended"]) == tuple(
            len({wait["person_id"] for wait in here if wait["outcome"] in outcomes})
            for outcomes in (("served", "abandoned", "unknown"), ("served",), ("served", "abandoned"))
        )
    bought = sum(row["receipts"] for row in asked(story, "sales"))
    assert bought == (day.figures["average_ticket"].n or 0)


@pytest.mark.parametrize("dialect", ["postgres", "databricks"])
@pytest.mark.parametrize("name", sums.SUMS)
def test_every_sum_compiles_for_other_engines_and_is_by_shop_and_day(name, dialect):
    marks = Marks(("door",), QUEUES, ("street",), INSIDE, (("shelf", 5.0),))
    made = sums.SUMS[name](queries.unbound(), marks)
    assert made.columns[:2] == ("shop_id", "business_day")
    assert "SELECT" in str(ibis.to_sql(made, dialect=dialect))


# The ledger ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def book(story, tmp_path):
    return Ledger(story.lake, tmp_path / "sums")


def read(book, story, first=DAY, last=DAY, *, over_before=LATER):
    return book.read(story.shop.slug, Marks.of(story.shop), [(first, last)], over_before=over_before)


def entries(found):
    by_day = Counter()
    for row in found["doors"].to_pylist():
        by_day[row["business_day"].isoformat()] += row["inbound"]
    return dict(by_day)


def test_what_is_kept_is_what_the_engine_says(story, book):
    for seed, day in enumerate((DAY - timedelta(days=10), DAY - timedelta(days=1), DAY)):
        tell(story.on(day), seed)
    story.store()
    first, again = (read(book, story, DAY - timedelta(days=20)) for _ in range(2))
    bare = Ledger(story.lake).read(
        story.shop.slug, Marks.of(story.shop), [(DAY - timedelta(days=20), DAY)], over_before=LATER
    )
    for name in sums.SUMS:
        rows = [
            sorted(map(repr, each[name].drop_columns(_lists(each[name])).to_pylist())) for each in (first, again, bare)
        ]
        assert rows[0] == rows[1] == rows[2], name


def _lists(table):
    return [field.name for field in table.schema if "list" in str(field.type)]


def test_late_rows_are_added_up(story, book):
    story.enter("11:00", "ann")
    story.store()
    assert entries(read(book, story)) == {"2026-03-10": 1}
    story.enter("12:00", "bob")
    story.store()
    assert entries(read(book, story)) == {"2026-03-10": 2}


def test_compacting_the_lake_changes_nothing(story, book):
    for clock in ("11:00", "12:00", "13:00"):
        story.enter(clock, "ann")
        story.store()
    before = entries(read(book, story))
    story.lake.compact(grace_s=0)
    assert entries(read(book, story)) == before == {"2026-03-10": 3}


def test_a_day_that_is_not_over_is_not_kept(story, book, tmp_path):
    story.enter("11:00", "ann")
    story.store()
    assert entries(read(book, story, over_before=DAY)) == {"2026-03-10": 1}
    assert not list(tmp_path.glob("sums/*/*"))


def test_a_day_that_was_deleted_from_the_lake_is_gone(story, book):
    story.on(DAY - timedelta(days=1)).enter("11:00", "ann")
    story.on(DAY).enter("11:00", "bob")
    story.store()
    assert len(entries(read(book, story, DAY - timedelta(days=1)))) == 2
    story.lake.delete("crossings", "person_id", "ann", grace_s=0)
    assert entries(read(book, story, DAY - timedelta(days=1))) == {"2026-03-10": 1}


def test_other_marks_are_other_sums(story, book):
    story.enter("11:00", "ann", line="aisle")
    story.store()
    assert entries(read(book, story)) == {}
    aisle = book.read(story.shop.slug, Marks(("aisle",)), [(DAY, DAY)], over_before=LATER)
    assert entries(aisle) == {"2026-03-10": 1}


def test_days_asked_for_twice_are_given_once_and_those_between_two_spans_not_at_all(story, book):
    for back in range(4):
        story.on(DAY - timedelta(days=back)).enter("11:00", "ann")
    story.store()
    spans = [(DAY, DAY), (DAY - timedelta(days=1), DAY), (DAY - timedelta(days=3), DAY - timedelta(days=3))]
    found = book.read(story.shop.slug, Marks.of(story.shop), spans, over_before=LATER)
    assert entries(found) == {"2026-03-07": 1, "2026-03-09": 1, "2026-03-10": 1}


def test_a_file_that_cannot_be_read_is_made_again(story, book, tmp_path):
    story.enter("11:00", "ann")
    story.store()
    read(book, story)
    (kept,) = tmp_path.glob("sums/*/*.arrow")
    kept.write_bytes(kept.read_bytes()[:100])
    assert entries(read(book, story)) == {"2026-03-10": 1}


def test_what_was_kept_when_there_was_one_sum_less_is_made_again(story, book, tmp_path):
    story.enter("11:00", "ann")
    story.wait("11:00", "ann", 30.0)
    story.store()
    read(book, story)
    (kept,) = tmp_path.glob("sums/*/*.arrow")
    marks, tables = sumsfile.load(kept, ledger._schemas())
    sumsfile.store(kept, {name: rows for name, rows in tables.items() if name != "queuers"}, marks)

    assert sorted(read(book, story)["queuers"]["zone_id"].to_pylist()) == ["", "tills"]
    assert sumsfile.load(kept, ledger._schemas())[1]["queuers"].num_rows == 2


def test_a_disk_that_is_full_and_a_process_that_was_killed_leave_nothing_behind(story, book, tmp_path, monkeypatch):
    story.enter("11:00", "ann")
    story.store()
    folder = tmp_path / "sums" / story.shop.slug
    folder.mkdir(parents=True)
    (folder / ".killed.part").write_bytes(b"half")
    os.utime(folder / ".killed.part", (0, 0))

    with monkeypatch.context() as full:
        full.setattr(sumsfile.Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StorageError, match="No space left"):
            read(book, story)
    assert list(folder.iterdir()) == []

    assert entries(read(book, story)) == {"2026-03-10": 1}
    assert [path.name for path in folder.iterdir()] == ["2026-03.arrow"]


def test_filling_ahead_tells_how_many_days_were_missing_and_forgetting_deletes_months(story, book, tmp_path):
    for day in (date(2026, 2, 27), date(2026, 3, 1), DAY):
        story.on(day).enter("11:00", "ann")
    story.store()
    marks = Marks.of(story.shop)
    assert book.fill(story.shop.slug, marks, date(2026, 2, 1), DAY) == 3
    assert book.fill(story.shop.slug, marks, date(2026, 2, 1), DAY) == 0
    book.forget_before(date(2026, 3, 5))
    (kept,) = tmp_path.glob("sums/*/*.arrow")
    assert kept.name == "2026-03.arrow"
    assert list(book._load("riga-1", "2026-03")[0]) == [DAY]


def test_no_persons_id_is_kept(story, book, tmp_path):
    story.enter("11:00", "person-of-march")
    story.visit("11:01", "person-of-march", "shelf", 30.0)
    story.store()
    read(book, story)
    (kept,) = tmp_path.glob("sums/*/*.arrow")
    assert b"person-of-march" not in kept.read_bytes()
    assert b"shelf" in kept.read_bytes()


def test_a_ledger_of_nothing_has_all_its_columns(story, book):
    found = read(book, story)
    assert found.keys() == sums.SUMS.keys()
    assert all(table.num_rows == 0 for table in found.values())
    assert ledger.SOURCES == sums.SOURCES
