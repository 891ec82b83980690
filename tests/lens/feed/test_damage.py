from __future__ import annotations

import random
from typing import BinaryIO, cast

import pytest
from benchmarks import damage


@pytest.mark.parametrize("name", damage.DAMAGES)
def test_a_damaged_feed_is_refused_or_read_and_the_catalog_is_never_half(name: str) -> None:
    told = damage.torment(12, 3, import_each=2, only=name)

    assert told.wrong == []
    assert told.feeds == 12


@pytest.mark.slow
def test_a_gigabyte_in_one_place_takes_no_memory() -> None:
    told, feed = damage.Told(), damage.yml(random.Random(1))
    place = feed.index(b"</offers>")

    stream = damage.Endless(feed[:place] + b"<offer id='1' x='", b"x", damage.HUGE, feed[place:])
    damage.read_one("attribute", cast(BinaryIO, stream), told)

    assert (told.wrong, told.offers, told.rejects, told.errors) == ([], damage.OFFERS, 1, 0)
