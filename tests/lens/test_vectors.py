"""Vectors are kept once a picture and embedder, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import InputError
from vitrina.lens.vectors import VectorStore


def vectors(*crops: int, dim: int = 4) -> list[np.ndarray]:
    return [np.arange(n * dim, dtype=np.float32).reshape(n, dim) + n for n in crops]


def test_what_was_added_is_read_again_by_picture(tmp_path: Path) -> None:
    store, (first, second) = VectorStore(tmp_path), vectors(2, 3)
    store.append("lite", ["a", "b"], [first, second])

    found = VectorStore(tmp_path).read("lite", ["b", "nowhere", "a"])

    assert found.keys() == {"a", "b"}
    assert np.array_equal(found["a"], first)
    assert np.array_equal(found["b"], second)


def test_only_what_is_not_there_is_missing_and_each_once(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    store.append("lite", ["a"], vectors(1))
    VectorStore(tmp_path).append("lite", ["b"], vectors(1))  # another process

    assert store.missing("lite", ["c", "a", "b", "c"]) == ["c"]
    assert store.missing("other", ["a"]) == ["a"]


def test_the_first_vectors_of_a_picture_count(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    first, second = vectors(1, 2)
    store.append("lite", ["a"], [first])
    store.append("lite", ["a"], [second])

    assert np.array_equal(store.read("lite", ["a"])["a"], first)
    assert store.compact("lite") == 2
    assert np.array_equal(store.read("lite", ["a"])["a"], first)


def test_compacting_keeps_every_picture_in_one_file_and_another_reader_finds_it(tmp_path: Path) -> None:
    store, reader = VectorStore(tmp_path), VectorStore(tmp_path)
    for name in "abc":
        store.append("lite", [name], vectors(2))
    assert reader.missing("lite", "abc") == []

    assert store.compact("lite") == 3

    assert len(list((tmp_path / "lite").glob("*.parquet"))) == 1
    assert reader.read("lite", "abc").keys() == {"a", "b", "c"}
    assert store.compact("lite") == 0
    assert store.models() == ["lite"]


def test_what_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "lite").mkdir()
    (tmp_path / "lite" / ".half.draft").write_bytes(b"PAR1")

    assert VectorStore(tmp_path).missing("lite", ["a"]) == ["a"]


def test_vectors_of_a_wrong_shape_and_names_that_are_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for each of 2 pictures, got 1"):
        VectorStore(tmp_path).append("lite", ["a", "b"], vectors(1))
    with pytest.raises(InputError, match="name of a model"):
        VectorStore(tmp_path).missing("../lite", ["a"])
