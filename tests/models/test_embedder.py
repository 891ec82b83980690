"""Pictures into vectors, with the shipped embedder and with tiny ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from vitrina.errors import InputError
from vitrina.models.embedder import Embedder, check_golden, load_embedder, made_picture
from vitrina.models.library import add_embedder
from vitrina.models.manifest import IMAGE_EMBEDDER, Model, read_manifest, shipped_models
from vitrina.models.preparation import Preparation
from vitrina.models.registry import promote
from vitrina.settings import load_settings
from vitrina.storage.database import Database

PLAIN = Preparation("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "crop", 0)


@pytest.fixture(scope="module")
def shipped() -> Embedder:
    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)
    return Embedder(model)


def mean_colour(batch: int | str = "batch", side: int | str = 8) -> bytes:
    """A network whose vector is the mean of each channel."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, 3, side, side])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [batch, 3])
    graph = helper.make_graph(nodes, "mean", [picture], [vector])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def added(tmp_path: Path, content: bytes, **options: object) -> Model:
    path = tmp_path / "mean.onnx"
    path.write_bytes(content)
    return add_embedder(tmp_path / "home", path, preparation=PLAIN, **options)  # type: ignore[arg-type]


def plain(*colour: int, size_hw: tuple[int, int] = (20, 20)) -> NDArray[np.uint8]:
    return np.full((*size_hw, 3), colour, np.uint8)


def test_the_shipped_embedder_gets_the_vectors_that_were_stored_when_it_was_built(shipped: Embedder) -> None:
    check_golden(shipped)

    assert shipped.embed([made_picture(0)]).shape == (1, shipped.dim)


def test_vectors_have_length_1_and_do_not_depend_on_what_else_is_in_the_batch(shipped: Embedder) -> None:
    pictures = [made_picture(number % 3, side=100 + number) for number in range(11)]

    together = shipped.embed(pictures)
    alone = np.concatenate([shipped.embed([picture]) for picture in pictures])

    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_large_picture_and_its_thumbnail_are_nearly_the_same(shipped: Embedder) -> None:
    small = made_picture(0, side=224)
    large = small.repeat(3, axis=0).repeat(3, axis=1)

    one, other = shipped.embed([small, large])

    assert one @ other > 0.99


def test_no_pictures_have_no_vectors(shipped: Embedder) -> None:
    assert shipped.embed([]).shape == (0, shipped.dim)


@pytest.mark.parametrize("batch", ["batch", 1])
def test_an_added_embedder_works_whether_it_takes_one_picture_or_many(batch: int | str, tmp_path: Path) -> None:
    embedder = Embedder(added(tmp_path, mean_colour(batch)))

    vectors = embedder.embed([plain(255, 0, 0), plain(0, 51, 0)])

    np.testing.assert_allclose(vectors, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_crop_keeps_the_middle(tmp_path: Path) -> None:
    picture = plain(255, 0, 0, size_hw=(20, 60))
    picture[:, 20:40] = (0, 255, 0)

    (vector,) = Embedder(added(tmp_path, mean_colour())).embed([picture])

    np.testing.assert_allclose(vector, [0, 1, 0], atol=1e-6)


def test_a_black_picture_gives_zeros_instead_of_dividing_by_them(tmp_path: Path) -> None:
    assert Embedder(added(tmp_path, mean_colour())).embed([plain(0, 0, 0)]).tolist() == [[0, 0, 0]]


def test_a_network_of_free_size_needs_to_be_told_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes pictures of any size; .* --size 224"):
        added(tmp_path, mean_colour(side="side"))

    assert added(tmp_path, mean_colour(side="side"), input_hw=(16, 16)).input_hw == (16, 16)


def test_another_size_than_the_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes pictures of 8x8 \(height x width\), not 16x16"):
        added(tmp_path, mean_colour(), input_hw=(16, 16))


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"boxes": np.zeros((1, 9, 4), np.float32)}, r"gave boxes float32 \(1, 9, 4\) for one picture"),
        ({"a": np.zeros((1, 4), np.float32), "b": np.zeros((1, 4), np.float32)}, r"gave a float32 \(1, 4\), b float32"),
        ({"vector": np.full((1, 4), np.nan, np.float32)}, "not finite"),
    ],
)
def test_what_is_no_embedder_is_described(
    answers: dict[str, NDArray[np.float32]], found: str, write_model, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=found):
        add_embedder(tmp_path / "home", write_model(answers=answers), preparation=PLAIN)

    assert not (tmp_path / "home").exists()


def test_an_added_embedder_reads_as_it_was_written(tmp_path: Path) -> None:
    model = added(tmp_path, mean_colour(), licence="MIT", by="cli:ann")

    (again,) = read_manifest(model.path.parent / "model.toml")

    assert again == model


def test_a_detector_is_no_embedder() -> None:
    with pytest.raises(InputError, match="person-nanodet-g is a person-detector, expected an image-embedder"):
        Embedder(shipped_models()[0])


def test_the_promoted_embedder_is_the_one_that_runs(tmp_path: Path) -> None:
    settings = load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)
    model = added(tmp_path, mean_colour())
    database = Database(settings.database)
    database.migrate()

    before = load_embedder(settings, database).name
    with database.session() as session:
        promote(session, model, by="cli:ann")

    assert (before, load_embedder(settings, database).name) == ("image-lite0", "mean")
    database.dispose()
