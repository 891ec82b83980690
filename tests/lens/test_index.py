"""One behaviour for every index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import ConflictError, InputError, StorageError
from vitrina.lens.index import BruteIndex, Entry, Filter, Index, entry_id, split_entry
from vitrina.lens.index_qdrant import QdrantIndex
from vitrina.lens.index_zvec import ZvecIndex
from vitrina.lens.snapshot import read_snapshot

DIM = 8
MAKE: dict[str, Callable[[Path], Index]] = {
    "brute": lambda _folder: BruteIndex(),
    "zvec": lambda folder: ZvecIndex(folder / "index"),
    "qdrant": lambda _folder: QdrantIndex(":memory:", "lite"),
}


@pytest.fixture(params=MAKE)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    index = MAKE[request.param](tmp_path)
    yield index
    index.close()


def unit(place: int) -> np.ndarray:
    vector = np.zeros(DIM, np.float32)
    vector[place] = 1.0
    return vector


def entry(place: int, shop: str = "best", **told: object) -> Entry:
    given: dict[str, object] = {"category": "Shoes", "brand": "Acme", "price_minor": 100 * (place + 1)}
    given |= {"currency": "EUR", "available": True} | told
    return Entry(entry_id("ab" * 32, place, shop), unit(place), shop, **given)  # type: ignore[arg-type]


def found(index: Index, vector: np.ndarray, k: int = 5, where: Filter = Filter()) -> list[str]:
    return [hit.entry_id for hit in index.search(vector[None], k, where)[0]]


def test_an_empty_index_finds_nothing(index: Index) -> None:
    assert index.search(np.ones((2, DIM), np.float32), 3) == [[], []]
    assert index.count() == 0
    assert index.delete_where(Filter()) == 0
    index.delete(["nowhere"])
    index.settle()


def test_the_nearest_come_first_with_their_cosine(index: Index) -> None:
    index.upsert([entry(0), entry(1), entry(2)])
    between = (2 * unit(0) + unit(1)) / np.sqrt(5).astype(np.float32)

    hits = index.search(np.stack([between, unit(2)]), 2)

    assert [hit.entry_id for hit in hits[0]] == [entry(0).entry_id, entry(1).entry_id]
    assert hits[0][0].score == pytest.approx(2 / 5**0.5, abs=5e-3)
    assert hits[1][0].entry_id == entry(2).entry_id


def test_putting_an_entry_again_replaces_it(index: Index) -> None:
    index.upsert([entry(0, brand="Acme")])
    index.upsert([entry(0, brand="Other")])

    assert index.count() == 1
    assert found(index, unit(0), where=Filter(brands=("Acme",))) == []
    assert found(index, unit(0), where=Filter(brands=("Other",))) == [entry(0).entry_id]


def test_what_was_deleted_is_not_found(index: Index) -> None:
    index.upsert([entry(0), entry(1), entry(2, shop="other")])

    index.delete([entry(0).entry_id, "nowhere"])
    assert entry(0).entry_id not in found(index, unit(0))
    assert index.delete_where(Filter(shops=("other",))) == 1
    assert found(index, unit(2)) == [entry(1).entry_id]
    assert index.delete_where(Filter()) == 1
    assert index.count() == 0


@pytest.mark.parametrize(
    ("where", "places"),
    [
        (Filter(), {0, 1, 2, 3}),
        (Filter(shops=("best",)), {0, 1, 3}),
        (Filter(shops=("best", "second")), {0, 1, 2, 3}),
        (Filter(categories=("Bags",)), {3}),
        (Filter(brands=('O\'Hara "& sons" or 1=1',)), {1}),
        (Filter(currency="USD"), {2}),
        (Filter(available=False), {3}),
        (Filter(max_price_minor=200, currency="EUR"), {0, 1}),
        (Filter(min_price_minor=200, currency="EUR"), {1, 3}),
        (Filter(shops=("best",), available=True, max_price_minor=100, currency="EUR"), {0}),
        (Filter(shops=("nobody",)), set()),
        (Filter(shops=("x' or shop != 'x",)), set()),
    ],
)
def test_every_filter_lets_pass_what_it_says(index: Index, where: Filter, places: set[int]) -> None:
    there = [
        entry(0),
        entry(1, brand='O\'Hara "& sons" or 1=1'),
        entry(2, shop="second", currency="USD"),
        entry(3, category="Bags", available=False),
    ]
    index.upsert(there)

    assert set(found(index, unit(0), where=where)) == {there[place].entry_id for place in places}
    assert index.count(where) == len(places)


def test_a_price_without_its_currency_is_refused() -> None:
    with pytest.raises(InputError, match="needs its currency"):
        Filter(max_price_minor=5)


def test_queries_of_a_wrong_shape_are_refused(index: Index) -> None:
    with pytest.raises(InputError, match="expected vectors of the shape"):
        index.search(unit(0), 3)


def test_a_filter_that_thousands_pass_counts_them_all(index: Index) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(2500, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index.upsert(
        [
            Entry(entry_id(f"{n:064x}", 0, "best"), one, "best", "", "", n, "EUR", n % 5 > 0)
            for n, one in enumerate(vectors)
        ]
    )

    assert index.count(Filter(available=True)) == 2000
    assert len(found(index, unit(0), 1500)) == 1500
    assert index.delete_where(Filter(available=True)) == 2000
    assert index.count() == 500


def test_a_copy_holds_what_there_was_and_the_index_goes_on(index: Index, tmp_path: Path) -> None:
    there = [entry(0), entry(1, brand='O\'Hara "& sons"'), entry(2, shop="second")]
    index.upsert(there)
    index.snapshot(tmp_path / "copy")
    index.delete([there[0].entry_id])

    copy = opened(tmp_path / "copy")
    assert copy.count() == 3
    assert found(copy, unit(0), 1) == [there[0].entry_id]
    assert found(copy, unit(1), where=Filter(brands=(there[1].brand,))) == [there[1].entry_id]
    assert index.count() == 2
    copy.close()
    with pytest.raises(ConflictError, match="not there yet"):
        index.snapshot(tmp_path / "copy")


def test_what_was_destroyed_holds_nothing_and_can_be_filled_again(index: Index) -> None:
    index.destroy()
    index.upsert([entry(0), entry(1)])

    index.destroy()

    assert index.count() == 0
    assert found(index, unit(0)) == []
    index.upsert([entry(1)])
    assert found(index, unit(0)) == [entry(1).entry_id]


def test_a_destroyed_zvec_index_leaves_no_file_even_after_a_kill_in_the_middle(tmp_path: Path) -> None:
    index = ZvecIndex(tmp_path / "index")
    index.upsert([entry(0)])
    (tmp_path / ".index.gone").mkdir()  # what the kill left

    index.destroy()

    assert list(tmp_path.iterdir()) == []


def opened(copy: Path) -> Index:
    """zvec's copy is an index; the others' fills one."""
    if not (copy / "entries.parquet").exists():
        return ZvecIndex(copy)
    index = BruteIndex()
    for some in read_snapshot(copy):
        index.upsert(some)
    return index


def test_a_folder_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a snapshot"):
        list(read_snapshot(tmp_path))


def test_a_qdrant_collection_is_there_for_who_comes_next(tmp_path: Path) -> None:
    first = QdrantIndex(str(tmp_path / "qdrant"), "lite")
    first.upsert([entry(0)])
    first.close()

    second = QdrantIndex(str(tmp_path / "qdrant"), "lite")
    assert found(second, unit(0)) == [entry(0).entry_id]
    second.close()
    other = QdrantIndex(str(tmp_path / "qdrant"), "other")
    assert other.count() == 0
    other.close()


def test_a_cluster_that_does_not_answer_is_told_with_the_setting_that_names_it() -> None:
    index = QdrantIndex("http://127.0.0.1:9", "lite")

    with pytest.raises(StorageError, match="lens_qdrant_url"):
        index.count()
    index.close()


def test_a_zvec_index_is_there_after_it_was_closed_and_settled(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(1500, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    there = [
        Entry(entry_id(f"{n:064x}", 0, "best"), vector, "best", "", "", n, "EUR", True)
        for n, vector in enumerate(vectors)
    ]
    index = ZvecIndex(tmp_path / "index")
    index.upsert(there)
    index.settle()
    index.close()

    again = ZvecIndex(tmp_path / "index")
    hits = again.search(vectors[:50], 1)
    again.close()

    assert [some[0].entry_id for some in hits] == [one.entry_id for one in there[:50]]


def test_one_picture_in_many_shops_hides_no_other_from_zvec(tmp_path: Path) -> None:
    """Before vectors were moved apart, dozens of these searches missed what they asked for."""
    vectors = np.random.default_rng(0).normal(size=(1500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = ZvecIndex(tmp_path / "index")
    for shop in ("first", *(f"shop-{n}" for n in range(80))):
        index.upsert(
            [
                Entry(entry_id(f"{n:064x}", 0, shop), vector, shop, "", "", n, "EUR", True)
                for n, vector in enumerate(vectors if shop == "first" else vectors[:20])
            ]
        )
    index.settle()

    found = index.search(vectors, 10)
    index.close()

    assert {len(hits) for hits in found} == {10}
    shown = [{split_entry(hit.entry_id)[0] for hit in hits} for hits in found]
    assert [n for n, some in enumerate(shown) if f"{n:064x}" not in some] == []
    assert max(abs(hits[0].score - 1) for hits in found) < 1e-3


@pytest.mark.parametrize("kind", ["zvec", "qdrant"])
def test_vectors_of_another_length_are_refused(kind: str, tmp_path: Path) -> None:
    index = MAKE[kind](tmp_path)
    index.upsert([entry(0)])
    longer = Entry(entry_id("cd" * 32, 0, "best"), np.ones(9, np.float32), "best", "", "", 1, "EUR", True)

    with pytest.raises(InputError, match="expected 8 numbers, got 9"):
        index.upsert([longer])
    index.close()


def test_an_entrys_id_says_picture_crop_and_shop() -> None:
    assert split_entry(entry_id("ab" * 32, 2, "best-shop")) == ("ab" * 32, 2, "best-shop")
