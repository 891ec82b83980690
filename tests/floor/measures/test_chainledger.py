"""A chain's days are asked about once: again only when what they were made of has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.layout import Shop
from vitrina.floor.measures import chainledger
from vitrina.floor.measures.chainledger import ChainLedger
from vitrina.floor.measures.chainrows import ChainRows, group_quantile
from vitrina.floor.simulate.chain import simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake

LAST = date(2026, 3, 2)
FIRST = LAST - timedelta(days=3)  # in another month


class CountedLake(Lake):
    """A lake that notes which days it was asked about."""

    asked: list[tuple[date, date]]

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None):  # type: ignore[no-untyped-def]
        if table == "visits" and days:
            self.asked.append(days)
        return super().expr(table, shop_id=shop_id, days=days)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Shop, ...]]:
    path = tmp_path_factory.mktemp("chain") / "lake"
    simulated = simulate_chain(2, 4, end_day=LAST, seed=3)
    write_chain(Lake(path, tables=FLOOR_TABLES), simulated)
    return path, simulated.shops


@pytest.fixture
def lake(chain: tuple[Path, tuple[Shop, ...]]) -> CountedLake:
    lake = CountedLake(chain[0], tables=FLOOR_TABLES)
    lake.asked = []
    return lake


def same(one: ChainRows, other: ChainRows) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("entries", "passers", "stopped", "served", "wait_p90", "wait", "watched", "minor")
    ) and all(np.array_equal(one.dwell[kind], other.dwell[kind], equal_nan=True) for kind in one.dwell)


def read(lake: Lake, folder: Path | None, shops: Sequence[Shop], first: date = FIRST, last: date = LAST) -> ChainRows:
    return ChainLedger(lake, folder).read(shops, first, last)


def test_what_is_kept_says_the_same_as_the_engine_and_is_not_asked_again(
    chain: tuple[Path, tuple[Shop, ...]], lake: CountedLake, tmp_path: Path
) -> None:
    shops = chain[1]
    fresh = read(lake, tmp_path, shops)
    asked = len(lake.asked)

    again = read(lake, tmp_path, list(reversed(shops))).only([shop.slug for shop in shops])

    assert asked == 2  # a question for each month
    assert len(lake.asked) == asked
    assert same(fresh, again)
    assert same(fresh, read(lake, None, shops))
    assert fresh.entries.sum() > 100


def test_only_days_that_are_not_kept_are_asked_about(
    chain: tuple[Path, tuple[Shop, ...]], lake: CountedLake, tmp_path: Path
) -> None:
    read(lake, tmp_path, chain[1], LAST - timedelta(days=1), LAST - timedelta(days=1))
    lake.asked.clear()

    whole = read(lake, tmp_path, chain[1], LAST - timedelta(days=1), LAST)

    assert lake.asked == [(LAST, LAST)]
    assert same(whole, read(lake, None, chain[1], LAST - timedelta(days=1), LAST))


def test_another_kind_of_zone_and_other_hours_are_asked_about_anew(
    chain: tuple[Path, tuple[Shop, ...]], lake: CountedLake, tmp_path: Path
) -> None:
    first, *others = chain[1]
    before = read(lake, tmp_path, chain[1])
    zones = tuple(replace(zone, kind="staff") if zone.kind == "section" else zone for zone in first.layout.zones)
    changed = replace(first, layout=replace(first.layout, zones=zones))
    lake.asked.clear()

    after = read(lake, tmp_path, [changed, *others])

    assert len(lake.asked) == 2
    assert before.dwell_n["section"][0].sum() > 0
    assert after.dwell_n["section"][0].sum() == 0
    lake.asked.clear()
    read(lake, tmp_path, [replace(changed, opens=()), *others])
    assert len(lake.asked) == 2


def test_filling_adds_up_what_is_missing_and_forgetting_leaves_no_day_of_before(
    chain: tuple[Path, tuple[Shop, ...]], lake: CountedLake, tmp_path: Path
) -> None:
    book = ChainLedger(lake, tmp_path)

    assert book.fill(chain[1], FIRST, LAST) == 4
    assert book.fill(chain[1], FIRST, LAST) == 0
    book.forget_before(LAST)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-03.arrow"]
    assert book.fill(chain[1], FIRST, LAST) == 3


def test_a_file_that_cannot_be_read_is_made_anew(
    chain: tuple[Path, tuple[Shop, ...]], lake: CountedLake, tmp_path: Path
) -> None:
    expected = read(lake, tmp_path, chain[1])
    (tmp_path / "2026-03.arrow").write_bytes(b"cut")

    assert same(read(lake, tmp_path, chain[1]), expected)


def test_a_chain_without_a_row_has_nothing(tmp_path: Path) -> None:
    empty = Lake(tmp_path / "lake", tables=FLOOR_TABLES)

    rows = read(empty, tmp_path / "sums", simulate_chain(2, 1, end_day=LAST, seed=1).shops)

    assert rows.unseen.all()
    assert np.isnan(rows.wait).all()


def test_no_id_of_a_person_is_kept() -> None:
    names = {name for schema in chainledger._schemas().values() for name in schema.names}

    assert not {"person_id", "event_id"} & names


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1e4)), max_size=40), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_a_groups_quantile_is_what_numpy_says_of_it_alone(rows: list[tuple[int, float]], q: float) -> None:
    group = np.array([place for place, _ in rows], np.int64)
    values = np.array([value for _, value in rows])

    found = group_quantile(values, group, 5, q)

    for number in range(5):
        own = values[group == number]
        assert np.isclose(found[number], np.quantile(own, q)) if len(own) else np.isnan(found[number])
