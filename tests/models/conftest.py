"""Tiny networks in every layout that detectors answer in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INPUT_HW = (64, 96)
"""Input of the tiny networks: 8·12 + 4·6 + 2·3 = 126 cells."""

CELLS = 126

Answers = dict[str, NDArray[np.generic]]
WriteModel = Callable[..., Path]


def network(
    outputs: Answers,
    *,
    picture: tuple[object, ...] = (1, 3, *INPUT_HW),
    kind: int = TensorProto.FLOAT,
    sizes: bool = False,
) -> bytes:
    """A network that answers every picture with the same arrays; with `sizes`, boxes are multiplied by the size asked
    for, as RT-DETR's post-processing does."""
    inputs = [helper.make_tensor_value_info("images", kind, picture)]
    nodes, constants = [], []
    for name, array in outputs.items():
        constants.append(numpy_helper.from_array(array, f"{name}_constant"))
        scaled = sizes and name == "boxes"
        nodes.append(helper.make_node("Identity", [f"{name}_constant"], [f"{name}_raw" if scaled else name]))
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
        nodes += [
            helper.make_node("Cast", ["orig_target_sizes"], ["size_wh"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["size_wh", "size_wh"], ["size_whwh"], axis=1),
            helper.make_node("Mul", ["boxes_raw", "size_whwh"], ["boxes"]),
        ]
    answers = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in outputs.items()
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, answers, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def one_person(layout: str) -> Answers:
    """Outputs in `layout` that all say: a person of 0.9 at (24, 16, 56, 48) of the 96×64 input, and a dog of 0.8."""
    rng = np.random.default_rng(7)
    if layout == "nanodet-g":
        cells = rng.normal(-9, 0.1, (1, 45, CELLS)).astype(np.float32)
        cells[0, :, 96 + 12 + 2] = -20.0  # stride 16, row 2, column 2: its centre is (40, 40)
        cells[0, 0, 96 + 12 + 2] = np.log(0.9 / 0.1)
        for side, distance in enumerate((1.0, 1.5, 1.0, 0.5)):  # in strides: left, top, right, bottom
            low = int(distance)
            cells[0, 1 + 11 * side + low, 96 + 12 + 2] = np.log(1 - distance % 1) if distance % 1 else 0.0
            if distance % 1:
                cells[0, 1 + 11 * side + low + 1, 96 + 12 + 2] = np.log(distance % 1)
        return {"person_cells": cells}
    if layout == "yolox":
        rows = rng.uniform(0, 0.01, (1, CELLS, 7)).astype(np.float32)
        rows[0, 96 + 12 + 2] = [0.5, 0.0, np.log(2), np.log(2), 0.95, 0.9 / 0.95, 0.1]
        rows[0, 96 + 12 + 3] = [0.5, 0.0, np.log(2), np.log(2), 0.9, 0.01, 0.8]
        return {"output": rows}
    if layout == "yolox-decoded":
        strides = np.repeat([8, 16, 32], [96, 24, 6])
        grids = [np.mgrid[: 64 // s, : 96 // s][::-1].reshape(2, -1).T for s in (8, 16, 32)]
        rows = rng.uniform(0, 0.01, (1, CELLS, 7)).astype(np.float32)
        rows[0, :, :2] = (np.concatenate(grids) + 0.5) * strides[:, None]
        rows[0, 96 + 12 + 2] = [40, 32, 32, 32, 0.95, 0.9 / 0.95, 0.1]
        rows[0, 96 + 12 + 4] = [70, 32, 20, 20, 0.9, 0.01, 0.8]
        return {"output": rows}
    if layout == "yolov8":
        columns = rng.uniform(0, 0.01, (1, 6, CELLS)).astype(np.float32)
        columns[0, :, 50] = [40, 32, 32, 32, 0.9, 0.1]
        columns[0, :, 51] = [41, 32, 32, 32, 0.7, 0.1]  # the same person again
        columns[0, :, 52] = [70, 32, 20, 20, 0.01, 0.8]
        return {"output0": columns}
    boxes = rng.uniform(0.1, 0.2, (1, 30, 4)).astype(np.float32)
    scores = rng.uniform(0, 0.01, (1, 30, 3)).astype(np.float32)
    boxes[0, 4], scores[0, 4] = [40 / 96, 32 / 64, 32 / 96, 32 / 64], [0.9, 0.1, 0.0]
    boxes[0, 5], scores[0, 5] = [0.8, 0.5, 0.1, 0.1], [0.0, 0.8, 0.0]
    if layout == "rt-detr-rows":
        return {"output0": np.concatenate([boxes, scores], axis=2)}
    if layout == "rt-detr-queries":
        return {"logits": np.log(scores.clip(1e-6) / (1 - scores)), "pred_boxes": boxes}
    corners = np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], axis=2)
    return {"labels": scores.argmax(2).astype(np.int64), "boxes": corners, "scores": scores.max(2)}


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """write_model("yolox") → the path of a tiny model in that layout."""

    def write(
        layout: str = "yolox", *, file: str = "tiny.onnx", answers: Answers | None = None, **options: object
    ) -> Path:
        path = tmp_path / file
        outputs = one_person(layout) if answers is None else answers
        path.write_bytes(network(outputs, sizes=layout == "rt-detr", **options))  # type: ignore[arg-type]
        return path

    return write
