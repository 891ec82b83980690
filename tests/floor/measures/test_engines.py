"""One suite for every engine: each question that the pages ask has the same answer on DuckDB and on Spark, to 1e-9.

The lake holds what is easy to get wrong (ties, midnight, days of 23 and 25 hours, revisions, two currencies, people who
vanish) and a simulated shop beside it; and then nothing at all.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from vitrina.floor.layout import Shop
from vitrina.floor.measures import chain, quality
from vitrina.floor.measures.cards import MEASURES
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.day import day_figures
from vitrina.floor.measures.ledger import Ledger
from vitrina.floor.measures.quality import CHECKED_TABLES as CHECKED
from vitrina.floor.measures.queries import Marks, Tables
from vitrina.floor.measures.sums import SUMS
from vitrina.floor.measures.views import QUERIES as VIEWS
from vitrina.floor.simulate.chain import simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage import spark as spark_engine
from vitrina.storage.lake import Lake
from vitrina.storage.spark import Spark, SparkLake

# PySpark closes the sockets of its answers when they are collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning",
)

TUESDAY = date(2026, 3, 10)
SHORT_DAY, LONG_DAY = date(2026, 3, 29), date(2026, 10, 25)  # of 23 and 25 hours in Riga
SPAN = (date(2026, 3, 8), date(2026, 3, 10))
SINCE = datetime(2026, 3, 9, tzinfo=UTC)

Question = Callable[[Tables], ibis.Table]


@dataclass(frozen=True)
class Chain:
    """A lake on disk and whose rows are in it."""

    path: Path
    shops: tuple[Shop, ...]
    marks: Marks

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.path, tables=FLOOR_TABLES)


# Lakes -------------------------------------------------------------------------------------------------------------


def tell_what_is_easy_to_get_wrong(story: Any) -> None:
    for day in (TUESDAY, SHORT_DAY, LONG_DAY):
        story.on(day)
        for clock in ("10:00", "02:59", "03:59", "04:00", "23:59:59"):
            story.enter(clock, "ann", "bob", "cid")  # at the same instant
            story.leave(clock, "ann")
            story.visit(clock, "ann", "shelf", 5.0)
            story.visit(clock, "ann", "promo", 5.0)
            story.visit(clock, "bob", "shelf", 5.0)
            story.visit(clock, "dot", "street", 0.0)
            story.wait(clock, "ann", 60.0)
            story.wait(clock, "bob", 60.0, "abandoned")
            story.wait(clock, "cid", 60.0, "vanished")
        story.watch("10:00", "10:40")
        story.add("gaps", story.at("10:40"), until_t=story.at("10:50"), gap_s=600.0, reason="stream lost")
        for ix in range(3):
            story.add("heat", story.at("10:00"), ix=ix, iy=0, cell_cm=50, seconds=0.1 * ix)
    story.on(TUESDAY)
    for revision, minor in ((1, 1000), (2, 900), (3, 0)):
        story.receipt("11:00", "cancelled", minor, revision=revision)
    story.receipt("11:00", "lowered", 1000)
    story.receipt("11:00", "lowered", 700, revision=2)
    story.receipt("11:00", "refund", -500)
    story.receipt("11:00", "far", 10**12, currency="JPY")
    story.receipt("23:59:59", "late", 1)


def tell_by_chance(story: Any, seed: int, day: date) -> None:
    """Times to the minute, so that many things happen at once."""
    chance = random.Random(seed)
    people, zones = [f"p{n}" for n in range(12)], ("shelf", "promo", "street", "old-corner", "tills")

    def clock() -> str:
        return f"{chance.randint(9, 18):02}:{chance.choice((0, 14, 15, 59)):02}"

    story.on(day)
    for _ in range(60):
        way, role = chance.choice(("in", "in", "out")), chance.choice(("unknown", "customer", "staff"))
        story.enter(clock(), chance.choice(people), direction=way, role=role, line=chance.choice(("door", "aisle")))
        dwell_s = chance.choice((0.0, 4.999, 5.0, 10.0, chance.expovariate(0.02)))
        story.visit(clock(), chance.choice(people), chance.choice(zones), dwell_s, role=role)
        story.wait(clock(), chance.choice(people), chance.uniform(0, 300), chance.choice(("served", "abandoned", "?")))
        story.receipt(
            clock(), str(chance.randint(0, 20)), chance.randint(-99, 999), revision=chance.randint(1, 2**31 - 1)
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, new_story: Any) -> Chain:
    path = tmp_path_factory.mktemp("engines") / "lake"
    lake = Lake(path, tables=FLOOR_TABLES)
    story = new_story(lake)
    tell_what_is_easy_to_get_wrong(story)
    for seed in range(3):
        tell_by_chance(story, seed, TUESDAY - timedelta(days=seed))
    story.store()
    other = new_story(lake, replace(story.shop, slug="riga-2", opens=()))
    tell_by_chance(other, 9, TUESDAY)
    other.watch("10:00", "10:05")
    other.store()
    simulated = simulate_chain(1, 2, end_day=TUESDAY, positions_days=1)
    write_chain(lake, simulated)
    shops = (story.shop, other.shop, *simulated.shops)
    return Chain(path, shops, together([Marks.of(shop) for shop in shops]))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory, told: Chain) -> Chain:
    return Chain(tmp_path_factory.mktemp("nothing") / "lake", told.shops, told.marks)


def together(marks: Sequence[Marks]) -> Marks:
    return Marks(*(tuple(sorted({each for one in marks for each in getattr(one, f.name)})) for f in fields(Marks)))


# Engines -----------------------------------------------------------------------------------------------------------

Opened = Callable[[Chain], Lake]


@pytest.fixture(scope="module")
def spark() -> Iterator[Spark]:
    if reason := spark_engine.missing():
        pytest.skip(reason)
    with Spark("local[2]", memory_mb=1024) as spark:
        yield spark
    gc.collect()  # while what PySpark leaves open may still be passed over


@pytest.fixture(scope="module", params=["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Opened:
    """The same lake, opened with one engine."""
    if request.param == "duckdb":
        return lambda held: Lake(held.path, tables=FLOOR_TABLES)
    session = request.getfixturevalue("spark")
    return lambda held: SparkLake(held.path, tables=FLOOR_TABLES, spark=session)


# Questions ---------------------------------------------------------------------------------------------------------


def questions(held: Chain) -> dict[str, Question]:
    marks = held.marks
    found: dict[str, Question] = {}
    found |= {f"measure {name}": lambda tables, card=card: card.query(tables, marks) for name, card in MEASURES.items()}
    found |= {f"sum {name}": lambda tables, query=query: query(tables, marks) for name, query in SUMS.items()}
    beside = chain.places(held.shops, [SPAN[0] + timedelta(days=n) for n in range(3)])
    asked = {**chain.CHAIN, **chain.PROFILES}
    found |= {f"chain {name}": lambda tables, query=query: query({**tables, **beside}) for name, query in asked.items()}
    found |= {
        f"view {name}": lambda tables, query=query: query({**tables, **beside}, 5) for name, query in VIEWS.items()
    }
    found |= {f"check {name}": lambda tables, name=name: quality.questions(tables, SINCE)[name] for name in CHECKED}
    return found


NAMES = [
    *(f"measure {name}" for name in MEASURES),
    *(f"sum {name}" for name in SUMS),
    *(f"chain {name}" for name in (*chain.CHAIN, *chain.PROFILES)),
    *(f"view {name}" for name in VIEWS),
    *(f"check {name}" for name in CHECKED),
]


def ask(lake: Lake, question: Question) -> pa.Table:
    return question({name: lake.expr(name) for name in FLOOR_TABLES}).to_pyarrow()


def plain(lake: Lake, question: Question) -> pa.Table:
    """The same question written out as SQL for DuckDB, without its Ibis backend."""
    tables = by_name()
    rows = ", ".join(f"{name} AS {lake.relation(name, lake.files(name))}" for name in FLOOR_TABLES)
    return lake.run(f"WITH {rows} SELECT * FROM ({ibis.to_sql(question(tables), dialect='duckdb')})")


def by_name() -> Tables:
    """The lake's tables as engines see them: any column might be null."""
    schemas = {name: [field.with_nullable(True) for field in spec.schema] for name, spec in FLOOR_TABLES.items()}
    return {name: ibis.table(ibis.Schema.from_pyarrow(pa.schema(s)), name=name) for name, s in schemas.items()}


def alike(one: Any, other: Any, where: str = "") -> None:
    """Equal, with numbers to 1e-9 and without regard to the kind of container."""
    if isinstance(one, Mapping):
        assert set(one) == set(other), where
        for key in one:
            alike(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray):
        np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-9, err_msg=where)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            alike(*pair, f"{where}[{number}]")
    elif isinstance(one, float) and isinstance(other, (int, float)):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (one != one and other != other), where
    else:
        assert one == other, where


def _plain(value: Any) -> Any:
    """What engines may differ in.

    Ibis takes the zone off a truncated time, and a bare SQL answer has it. Values collected from no rows are null on
    DuckDB and an empty list on Spark.
    """
    if isinstance(value, list):
        return sorted(value) or None
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def rows_of(answer: pa.Table) -> list[dict[str, Any]]:
    """Rows in an order of their own; a list of seconds is a bag of them."""
    rows = [
        {name: _plain(value) for name, value in row.items()}
        for row in answer.select(sorted(answer.column_names)).to_pylist()
    ]
    vague = (pa.types.is_floating, pa.types.is_list)
    exact = [field.name for field in answer.schema if not any(kind(field.type) for kind in vague)]
    return sorted(rows, key=lambda row: ([repr(row[name]) for name in sorted(exact)], repr(row)))


# What must hold ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_the_same_answer(engine: Opened, told: Chain, name: str) -> None:
    question = questions(told)[name]

    answer = ask(engine(told), question)

    if name.startswith("chain watched") or "chain" not in name:
        assert answer.num_rows > 0
    alike(rows_of(answer), rows_of(reference(told, question)))


def reference(held: Chain, question: Question) -> pa.Table:
    beside = question(by_name()).op().find(ibis.expr.operations.InMemoryTable)
    return ask(held.lake, question) if beside else plain(held.lake, question)


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_answered_when_there_is_nothing(engine: Opened, nothing: Chain, name: str) -> None:
    question = questions(nothing)[name]

    answer = ask(engine(nothing), question)

    alike(rows_of(answer), rows_of(ask(nothing.lake, question)))
    assert answer.schema.names == ask(nothing.lake, question).schema.names


def test_answers_have_the_types_of_the_lake(engine: Opened, told: Chain, nothing: Chain) -> None:
    for held in (told, nothing):
        for table, spec in FLOOR_TABLES.items():
            answer = engine(held).expr(table).limit(3).to_pyarrow()
            assert [field.type for field in answer.schema] == [field.type for field in spec.schema], table


def test_times_keep_their_microseconds_and_zone(engine: Opened, told: Chain) -> None:
    crossings = engine(told).expr("crossings", shop_id="riga-1", days=(LONG_DAY, LONG_DAY))

    times = crossings.select("t").distinct().order_by("t").to_pyarrow()["t"].to_pylist()

    assert [time.isoformat() for time in times] == [
        "2026-10-25T02:00:00+00:00",
        "2026-10-25T08:00:00+00:00",
        "2026-10-25T21:59:59+00:00",
        "2026-10-26T00:59:00+00:00",
        "2026-10-26T01:59:00+00:00",
    ]


def test_a_shop_and_days_are_told_apart_by_their_files(engine: Opened, told: Chain) -> None:
    lake = engine(told)

    def count(**narrow: Any) -> int:
        return int(lake.expr("receipts", **narrow).count().to_pyarrow().as_py())

    one, day, both = count(shop_id="riga-2"), count(days=(TUESDAY, TUESDAY)), count(shop_id="x")
    assert (one, both) == (60, 0)
    assert 0 < day < count()


def test_the_day_page_shows_the_same_numbers(engine: Opened, told: Chain) -> None:
    for shop in told.shops:
        for day in (TUESDAY, LONG_DAY):
            shown = day_figures(engine(told), shop, day, k_anonymity=0)
            alike(asdict(shown), asdict(day_figures(told.lake, shop, day, k_anonymity=0)), f"{shop.slug} {day}")


def test_the_chain_shows_the_same_numbers(engine: Opened, told: Chain) -> None:
    shown, expected = (ChainLedger(lake).read(told.shops, *SPAN) for lake in (engine(told), told.lake))

    assert shown.entries.sum() > 0
    for field in fields(expected):
        alike(getattr(expected, field.name), getattr(shown, field.name), field.name)


def test_the_sums_of_days_are_the_same(engine: Opened, told: Chain) -> None:
    for shop in told.shops:
        marks = Marks.of(shop)
        shown, expected = (
            Ledger(lake).read(shop.slug, marks, [SPAN], over_before=TUESDAY) for lake in (engine(told), told.lake)
        )
        alike({k: rows_of(v) for k, v in expected.items()}, {k: rows_of(v) for k, v in shown.items()}, shop.slug)


def test_a_question_in_sql_sees_the_lake_and_nothing_else(engine: Opened, told: Chain) -> None:
    answer = engine(told).sql(
        "SELECT shop_id, count(*) AS n FROM visits WHERE shop_id LIKE 'riga%' GROUP BY 1 ORDER BY 1"
    )

    assert answer.to_pydict() == {"shop_id": ["riga-1", "riga-2"], "n": [240, 60]}
