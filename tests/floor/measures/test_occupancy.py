import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.measures.occupancy import people_inside

NOBODY = np.zeros(4)


def test_live_occupancy_is_entries_minus_exits():
    steps = np.array([[3, 0], [1, 2], [0, 1], [0, 0]])
    assert people_inside(steps, NOBODY, closed=False).tolist() == [3, 2, 1, 1]


def test_a_missed_entry_is_made_good_by_the_people_who_are_seen():
    steps = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    assert people_inside(steps, np.array([1.0, 2.0, 1.0, 0.0]), closed=False).tolist() == [1, 2, 1, 0]


def test_there_are_never_fewer_than_nobody():
    assert people_inside(np.array([[0, 2], [1, 0]]), np.zeros(2), closed=False).tolist() == [0, 1]


def test_after_closing_what_is_left_over_is_spread_over_the_crossings():
    steps = np.array([[4, 0], [0, 0], [0, 2], [0, 0]])
    assert np.allclose(people_inside(steps, NOBODY, closed=True), [4 - 4 / 3, 4 - 4 / 3, 0, 0])


def test_the_bare_balance_is_left_as_it_is():
    steps = np.array([[0, 2], [1, 0]])
    assert people_inside(steps, np.zeros(2), closed=True, mended=False).tolist() == [-2, -1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=60))
def test_occupancy_is_never_under_the_people_seen(rows):
    steps = np.array([row[:2] for row in rows])
    seen = np.array([row[2] for row in rows], dtype=float)
    for closed in (False, True):
        assert (people_inside(steps, seen, closed=closed) >= seen).all()
