"""ONNX Runtime sessions: one per worker, one thread each unless more are asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vitrina.errors import InputError, MissingError

logger = logging.getLogger(__name__)

PROVIDERS = {
    "cpu": ("CPUExecutionProvider", "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""Where a network runs: ONNX Runtime's name for it, and the PyPI package that has it."""

REFUSALS = tuple(
    kind
    for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)
"""ONNX Runtime's own exceptions; they have no common base."""

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
PROBE_HW = (320, 320)
"""The size with which a network of free size is tried."""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output. shape: None where the file leaves a side free."""

    name: str
    shape: tuple[int | None, ...]
    kind: str

    def __str__(self) -> str:
        sides = ", ".join("free" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.kind} ({sides})"


class Session:
    """A network: one picture in (or several, where the file leaves that free), named arrays out.

    input_hw: the fixed (height, width) of the input, or None where the file leaves them free.
    """

    def __init__(self, content: bytes, *, name: str, provider: str = "cpu", threads: int = 1) -> None:
        self._runtime = _open(content, name, provider, threads)
        self.inputs = tuple(_port(node) for node in self._runtime.get_inputs())
        self.outputs = tuple(_port(node) for node in self._runtime.get_outputs())
        self._picture, self._sizes = _picture_and_sizes(self.inputs, name)
        height, width = self._picture.shape[2:]
        self.takes_many = self._picture.shape[0] is None
        self.input_hw = None if height is None or width is None else (height, width)

    @property
    def probe_hw(self) -> tuple[int, int]:
        return self.input_hw or PROBE_HW

    def run(self, picture: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
        """picture: (1, 3, height, width) float32, prepared; (n, …) where the network `takes_many`."""
        feeds: dict[str, NDArray[Any]] = {
            self._picture.name: picture.astype(DTYPES[self._picture.kind], copy=False),
        }
        if self._sizes is not None:
            feeds[self._sizes.name] = np.array([picture.shape[:1:-1]], np.int64)  # width, height
        arrays = self._runtime.run(None, feeds)
        return {port.name: array for port, array in zip(self.outputs, arrays, strict=True)}

    def probe(self) -> Mapping[str, NDArray[Any]]:
        """The answer to one grey picture; InputError when the network cannot take it."""
        try:
            return self.run(np.full((1, 3, *self.probe_hw), 0.5, np.float32))
        except REFUSALS as error:
            reason = _first_line(error)
            raise InputError(f"the model does not run on a picture of {self.probe_hw}: {reason}. {self}") from error

    def __str__(self) -> str:
        inputs, outputs = (", ".join(map(str, ports)) for ports in (self.inputs, self.outputs))
        return f"inputs: {inputs}; outputs: {outputs}"


def _open(content: bytes, name: str, provider: str, threads: int) -> onnxruntime.InferenceSession:
    if provider not in PROVIDERS:
        raise InputError(f"provider: expected one of {', '.join(PROVIDERS)}, got {provider!r}")
    wanted, package = PROVIDERS[provider]
    if wanted not in onnxruntime.get_available_providers():
        raise MissingError(f"this ONNX Runtime cannot run on {provider}: pip install {package} in place of onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=[wanted])
    except REFUSALS as error:
        raise InputError(
            f"{name} is not a model that ONNX Runtime {onnxruntime.__version__} can open: {_first_line(error)}. "
            "Expected one ONNX file with its weights inside"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _port(node: Any) -> Port:
    return Port(node.name, tuple(side if isinstance(side, int) else None for side in node.shape), node.type)


def _picture_and_sizes(inputs: tuple[Port, ...], name: str) -> tuple[Port, Port | None]:
    """The picture's input, and the one that RT-DETR's post-processing takes: the size to scale boxes to."""
    pictures = [port for port in inputs if port.kind in DTYPES and len(port.shape) == 4 and port.shape[1] in (3, None)]
    sizes = [port for port in inputs if port.kind == "tensor(int64)" and len(port.shape) == 2]
    batch = pictures[0].shape[0] if pictures else None
    if len(pictures) != 1 or len(pictures) + len(sizes) != len(inputs) or len(sizes) > 1 or batch not in (1, None):
        found = ", ".join(map(str, inputs))
        raise InputError(
            f"{name}: expected one picture (1, 3, height, width) of float32 or float16, and at most "
            f"orig_target_sizes (1, 2) of int64 beside it; found inputs {found}"
        )
    return pictures[0], sizes[0] if sizes else None
