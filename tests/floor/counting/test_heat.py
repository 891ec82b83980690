from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.counting.heat import Heat, HeatGrid
from vitrina.floor.layout import Plan

PLAN = Plan(10, 6)


def test_seconds_go_to_the_cell_where_people_stand() -> None:
    grid = HeatGrid(PLAN)
    for n in range(11):
        grid.update([(1.1, 0.6), (1.2, 0.7), (9.9, 5.9)], 7200 + n / 5)

    assert grid.finish() == [
        Heat(7200.0, 4, 2, 25, pytest.approx(4.0)),  # two people for two seconds
        Heat(7200.0, 39, 23, 25, pytest.approx(2.0)),
    ]


def test_an_hour_ends_with_its_cells() -> None:
    grid = HeatGrid(PLAN)
    grid.update([(1, 1)], 3599.0)
    grid.update([(1, 1)], 3599.5)

    assert grid.update([(1, 1)], 3600.5) == [Heat(0.0, 4, 4, 25, 0.5)]
    assert grid.finish() == [Heat(3600.0, 4, 4, 25, 1.0)]
    assert grid.finish() == []


def test_a_gap_is_not_time_that_people_spent() -> None:
    grid = HeatGrid(PLAN)
    grid.update([(1, 1)], 100.0)
    grid.update([(1, 1)], 700.0)
    grid.update([(1, 1)], 700.5)

    assert [cell.seconds for cell in grid.finish()] == [0.5]


def test_off_the_plan_and_unknown_places_are_left_out_and_memory_has_a_bound() -> None:
    grid = HeatGrid(PLAN)
    rng = np.random.default_rng(2)
    for n in range(400):
        grid.update(rng.uniform(-500, 500, (50, 2)), n / 5)
        grid.update([(np.nan, 1), (10.0, 1), (1, -0.01)], n / 5 + 0.1)
    assert len(grid.state()["cells"]) <= 40 * 24


def test_late_frames_are_left_out_and_a_clock_set_back_closes_the_hour() -> None:
    grid = HeatGrid(PLAN)
    for t in (7200.0, 7201.0, 7200.5):
        grid.update([(1, 1)], t)

    assert [cell.seconds for cell in grid.update([(1, 1)], 3600.0)] == [1.0]


def test_restart_goes_on_from_what_is_stored() -> None:
    first, second = HeatGrid(PLAN), HeatGrid(PLAN)
    first.update([(1, 1)], 10.0)
    first.update([(1, 1)], 11.0)
    second.restore(json.loads(json.dumps(first.state())))
    second.update([(1, 1)], 100.0)
    second.update([(1, 1)], 101.0)

    assert [cell.seconds for cell in second.finish()] == [2.0]


def test_a_plan_without_size_is_refused() -> None:
    with pytest.raises(InputError, match="larger than 0"):
        HeatGrid(Plan(0, 5))


@given(st.lists(st.tuples(st.floats(0.01, 1.9), st.integers(0, 5)), min_size=1, max_size=50))
def test_the_sum_over_all_cells_is_people_times_seconds(moments: Any) -> None:
    grid, t, heat, person_s = HeatGrid(PLAN), 3590.0, [], 0.0
    grid.update([], t)
    for step, people in moments:
        t += step
        person_s += step * people
        heat += grid.update(np.random.default_rng(people).uniform(0, 5, (people, 2)), t)
    assert sum(cell.seconds for cell in heat + grid.finish()) == pytest.approx(person_s)
