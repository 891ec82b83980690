from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow.compute as pc
import pytest

from vitrina.floor.measures.day import day_figures, same_week_days
from vitrina.floor.simulate.chain import simulate_chain
from vitrina.floor.simulate.ids import event_ids
from vitrina.floor.simulate.plan import ENTRANCE, profiles
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.product import ShopClock
from vitrina.storage.lake import Lake
from vitrina.storage.table import conform

TUESDAY = date(2026, 3, 10)


@pytest.fixture(scope="module")
def small():
    """One small shop over two days."""
    return simulate_chain(shops=3, days=2, seed=5, end_day=TUESDAY)


@pytest.fixture(scope="module")
def rows(small):
    """Tokyo's Tuesday."""
    return small.rows(small.profiles[2], small.shops[2], TUESDAY)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(small, rows):
    again = simulate_chain(shops=3, days=9, seed=5, end_day=TUESDAY)
    other = simulate_chain(shops=3, days=2, seed=6, end_day=TUESDAY)
    assert again.rows(again.profiles[2], again.shops[2], TUESDAY) == rows
    assert other.rows(other.profiles[2], other.shops[2], TUESDAY)["visits"] != rows["visits"]


def test_every_row_fits_its_table_and_says_that_it_is_simulated(rows):
    for name, spec in FLOOR_TABLES.items():
        table = conform(rows[name], spec)
        assert pc.all(table["simulated"]).as_py() in (True, None)
        assert pc.count_distinct(table["event_id"]).as_py() == table.num_rows


def test_the_tables_tell_one_story(rows):
    crossings, visits, waits, receipts = (rows[name] for name in ("crossings", "visits", "waits", "receipts"))
    assert set(crossings["line_id"].to_pylist()) == {ENTRANCE}
    inbound = pc.sum(pc.equal(crossings["direction"], "in")).as_py()
    served = pc.sum(pc.equal(waits["outcome"], "served")).as_py()
    bought = pc.count_distinct(receipts.filter(pc.greater(receipts["total_minor"], 0))["receipt_id"]).as_py()
    assert bought == served
    assert 0.15 < served / inbound < 0.6
    lasted = pc.subtract(visits["left_t"].cast("int64"), visits["t"].cast("int64")).to_numpy() / 1e6
    assert np.allclose(lasted, visits["dwell_s"].to_numpy(), atol=1e-3)
    assert set(waits["person_id"].to_pylist()) <= set(visits["person_id"].to_pylist())


def test_people_stay_on_the_plan(small, rows):
    plan = small.shops[2].layout.plan
    assert pc.min(rows["positions"]["x_cm"]).as_py() >= 0
    assert pc.max(rows["positions"]["x_cm"]).as_py() <= plan.width_m * 100
    assert pc.max(rows["positions"]["y_cm"]).as_py() <= plan.height_m * 100


def test_heat_is_as_long_as_people_stayed(rows):
    visits = rows["visits"].filter(pc.not_equal(rows["visits"]["zone_id"], "street"))
    stayed = pc.sum(visits.filter(pc.equal(visits["role"], "unknown"))["dwell_s"]).as_py()
    assert pc.sum(rows["heat"]["seconds"]).as_py() > stayed


def test_business_days_are_the_shops_own(rows):
    clock = ShopClock("Asia/Tokyo")
    days = {clock.business_day(t) for t in rows["crossings"]["t"].to_pylist()}
    assert days == {TUESDAY}


def test_berlin_is_closed_on_sunday():
    chain = simulate_chain(shops=1, days=1, end_day=date(2026, 3, 8))
    assert (
        sum(table.num_rows for table in chain.rows(chain.profiles[0], chain.shops[0], date(2026, 3, 8)).values()) == 0
    )


def test_many_shops_have_names_of_their_own():
    assert len({profile.slug for profile in profiles(1000)}) == 1000


def test_ids_are_uuid7_of_their_moment():
    t_us = np.array([1_645_557_742_000_000], dtype=np.int64)  # RFC 9562, appendix A.6
    found = event_ids(t_us, np.random.default_rng(0))[0].as_py()
    assert found.startswith("017f22e2-79b0-7")
    assert found[19] in "89ab"


def test_writing_twice_writes_once(tmp_path):
    lake = Lake(tmp_path / "lake", tables=FLOOR_TABLES)
    chain = simulate_chain(shops=1, days=2, end_day=TUESDAY)
    first = write_chain(lake, chain)
    assert first["visits"] > 1000
    assert set(write_chain(lake, chain).values()) == {0}
    assert lake.expr("visits").count().to_pyarrow().as_py() == first["visits"]


def test_days_before_and_after_join_those_that_are_there(tmp_path):
    lake = Lake(tmp_path / "lake", tables=FLOOR_TABLES)
    write_chain(lake, simulate_chain(shops=1, days=1, end_day=TUESDAY))
    write_chain(lake, simulate_chain(shops=1, days=3, end_day=date(2026, 3, 11)))
    whole = lake.expr("visits")
    assert whole.business_day.nunique().to_pyarrow().as_py() == 3
    assert whole.event_id.nunique().to_pyarrow().as_py() == whole.count().to_pyarrow().as_py()


def test_today_grows_by_the_hour_and_is_in_the_end_the_whole_day(tmp_path):
    lake = Lake(tmp_path / "lake", tables=FLOOR_TABLES)
    moments = [datetime(2026, 3, 10, hour, 20, tzinfo=UTC) for hour in (2, 9, 9, 14, 23)]
    counts = []
    for moment in moments:
        write_chain(lake, simulate_chain(shops=1, days=1, end_day=TUESDAY, until=moment))
        counts.append(lake.expr("visits").count().to_pyarrow().as_py())
    write_chain(
        lake, simulate_chain(shops=1, days=2, end_day=date(2026, 3, 11), until=datetime(2026, 3, 11, 4, 0, tzinfo=UTC))
    )
    chain = simulate_chain(shops=1, days=1, end_day=TUESDAY)
    whole = chain.rows(chain.profiles[0], chain.shops[0], TUESDAY)["visits"]
    assert counts[0] == 0
    assert 0 < counts[1] == counts[2] < counts[3] <= counts[4]
    stored = lake.expr("visits", days=(TUESDAY, TUESDAY)).event_id.to_pyarrow().to_pylist()
    assert sorted(stored) == sorted(whole["event_id"].to_pylist())


def test_the_page_of_a_simulated_day_finds_what_was_put_in(tmp_path):
    lake = Lake(tmp_path / "lake", tables=FLOOR_TABLES)
    chain = simulate_chain(shops=1, days=29, end_day=TUESDAY)
    write_chain(lake, replace(chain, days=tuple(reversed(same_week_days(TUESDAY)))))
    day = day_figures(lake, chain.shops[0], TUESDAY)
    promo = next(zone for zone in day.zones if zone.kind == "promo")
    assert day.simulated
    assert 900 < day.figures["footfall"].value < 2000
    assert len(day.figures["footfall"].change.days) == 4
    assert promo.stopping_power.change.value > 0.05  # the display that works since two weeks
    assert all(zone.exposure.value <= 1 for zone in day.zones if zone.kind == "section")
