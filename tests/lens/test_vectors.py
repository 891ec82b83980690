"""Vectors are kept once a picture and embedder, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import InputError
from vitrina.lens.vectors import VectorStore

A, B, C, D = (f"{letter * 62}00" for letter in "abcd")


def vectors(*crops: int, dim: int = 4) -> list[np.ndarray]:
    return [np.arange(n * dim, dtype=np.float32).reshape(n, dim) + n for n in crops]


def test_what_was_added_is_read_again_by_picture(tmp_path: Path) -> None:
    store, (first, second) = VectorStore(tmp_path), vectors(2, 3)
    store.append("lite", [A, B], [first, second])

    found = VectorStore(tmp_path).read("lite", [B, D, A])

    assert found.keys() == {A, B}
    assert np.array_equal(found[A], first)
    assert np.array_equal(found[B], second)


def test_only_what_is_not_there_is_missing_and_each_once(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    store.append("lite", [A], vectors(1))
    VectorStore(tmp_path).append("lite", [B], vectors(1))  # another process

    assert store.missing("lite", [C, A, B, C]) == [C]
    assert store.missing("other", [A]) == [A]


def test_the_first_vectors_of_a_picture_count(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    first, second = vectors(1, 2)
    store.append("lite", [A], [first])
    store.append("lite", [A], [second])

    assert np.array_equal(store.read("lite", [A])[A], first)
    assert store.compact("lite") == 2
    assert np.array_equal(store.read("lite", [A])[A], first)


def test_compacting_keeps_every_picture_in_one_file_and_another_reader_finds_it(tmp_path: Path) -> None:
    store, reader = VectorStore(tmp_path), VectorStore(tmp_path)
    for name in (A, B, C):
        store.append("lite", [name], vectors(2))
    assert reader.missing("lite", [A, B, C]) == []

    assert store.compact("lite") == 3

    assert len(list((tmp_path / "lite").glob("*.parquet"))) == 1
    assert reader.read("lite", [A, B, C]).keys() == {A, B, C}
    assert store.compact("lite") == 0
    assert store.models() == ["lite"]


def test_what_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "lite").mkdir()
    (tmp_path / "lite" / ".half.draft").write_bytes(b"PAR1")

    assert VectorStore(tmp_path).missing("lite", [A]) == [A]


def test_vectors_of_a_wrong_shape_and_names_that_are_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for each of 2 pictures, got 1"):
        VectorStore(tmp_path).append("lite", [A, B], vectors(1))
    with pytest.raises(InputError, match="name of a model"):
        VectorStore(tmp_path).missing("../lite", [A])


def test_many_are_read_a_portion_at_a_time_whichever_files_they_are_in(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    shas = [f"{n:064x}" for n in range(1500)]
    for first in (0, 700, 701):
        some = shas[first : {0: 700, 700: 701, 701: 1500}[first]]
        store.append("lite", some, [np.full((1 + int(sha, 16) % 3, 4), int(sha, 16), np.float32) for sha in some])

    for _ in range(2):
        portions = list(store.portions("lite", [*reversed(shas), D]))
        assert max(map(len, portions)) <= 500
        found = {sha: one for some in portions for sha, one in some.items()}
        assert found.keys() == set(shas)
        assert all(one.shape[0] == 1 + int(sha, 16) % 3 and one[0, 0] == int(sha, 16) for sha, one in found.items())
        store.compact("lite")


def test_files_that_are_made_into_one_while_they_are_read_are_found_again(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    for name in (A, B, C):
        store.append("lite", [name], vectors(2))

    portions = store.portions("lite", [A, B, C])
    found = dict(next(portions))
    assert VectorStore(tmp_path).compact("lite") == 3
    for some in portions:
        found |= some

    assert found.keys() == {A, B, C}
