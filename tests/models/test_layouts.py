"""One behaviour, every layout: a tiny network that says "a person of 0.9 at (24, 16, 56, 48)" is read so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.models.conftest import INPUT_HW, one_person

from vitrina.errors import InputError
from vitrina.models.layouts import LAYOUTS, Reading, read_people, recognise
from vitrina.models.session import Session

BOX = [24, 16, 56, 48]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_and_read(name: str, write_model) -> None:
    session = Session(write_model(name).read_bytes(), name="tiny")

    outputs = session.run(np.zeros((1, 3, *INPUT_HW), np.float32))
    found = recognise(outputs, INPUT_HW)
    boxes, scores = read_people(outputs, LAYOUTS[found], Reading(INPUT_HW))

    assert found == name
    np.testing.assert_allclose(boxes, [BOX], atol=0.01)
    np.testing.assert_allclose(scores, [0.9], atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"nanodet-g", "rt-detr"}))
def test_another_class_is_a_person_when_the_model_says_so(name: str) -> None:
    outputs = one_person(name)
    reading = Reading(INPUT_HW, person_class=1, floor=0.5)

    boxes, _ = read_people(outputs, LAYOUTS[name], reading)

    assert len(boxes) == 1
    assert not np.allclose(boxes, [BOX])


def test_half_precision_networks_are_read_alike(write_model) -> None:
    halves = {name: array.astype(np.float16) for name, array in one_person("yolov8").items()}
    session = Session(write_model("yolov8", answers=halves, kind=10).read_bytes(), name="half")

    outputs = session.run(np.zeros((1, 3, *INPUT_HW), np.float32))
    boxes, scores = read_people(outputs, LAYOUTS["yolov8"], Reading(INPUT_HW))

    np.testing.assert_allclose(boxes, [BOX])
    assert scores.dtype == np.float32


@pytest.mark.parametrize(
    "shapes",
    [
        {"output0": (1, 300, 6)},  # boxes after suppression
        {"output0": (1, 4, 126)},  # boxes without a class
        {"output0": (1, 80, 85)},  # neither the cells of this input nor as many queries as columns
        {"output0": (2, 84, 126)},  # two pictures
        {"labels": (1, 30), "boxes": (1, 29, 4), "scores": (1, 30)},
        {"logits": (1, 30, 80), "pred_boxes": (1, 30, 5)},
        {"embedding": (1, 512)},
        {"a": (1, 84, 126), "b": (1, 84, 126)},
    ],
    ids=str,
)
def test_what_fits_none_is_refused_with_what_was_found(shapes: dict[str, tuple[int, ...]]) -> None:
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    with pytest.raises(InputError) as refused:
        recognise(outputs, INPUT_HW)

    message = str(refused.value)
    assert all(name in message for name in shapes)
    assert "64x96 (126 cells)" in message
    assert all(f"{name}: {layout.expects}" in message for name, layout in LAYOUTS.items())


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"notes\.txt is not a model that ONNX Runtime .* can open"):
        Session(b"hello", name="notes.txt")


@pytest.mark.parametrize("picture", [(1, 1, 64, 96), (1, 64, 96, 3), (4, 3, 64, 96), (1, 3, 64)], ids=str)
def test_a_network_that_takes_no_picture_is_refused_with_its_inputs(picture: tuple[int, ...], write_model) -> None:
    path = write_model("yolov8", picture=picture)

    with pytest.raises(InputError, match=r"expected one picture .* found inputs images tensor\(float\)"):
        Session(path.read_bytes(), name="tiny")


def test_a_provider_that_does_not_exist_is_refused(write_model) -> None:
    with pytest.raises(InputError, match="expected one of cpu, cuda, openvino"):
        Session(write_model().read_bytes(), name="tiny", provider="tpu")


def test_a_provider_that_is_not_installed_says_what_to_install(write_model) -> None:
    from vitrina.errors import MissingError

    with pytest.raises(MissingError, match="pip install onnxruntime-"):
        Session(write_model().read_bytes(), name="tiny", provider="cuda")
