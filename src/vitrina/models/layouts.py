"""Output layouts of person detectors: how each is recognised, fed and read.

A layout is recognised by what the network puts out for a known input, so shapes that an export leaves free are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.models import decode
from vitrina.models.decode import Detections, cell_count, cells
from vitrina.models.preparation import Preparation

Outputs = Mapping[str, NDArray[Any]]

SCORE_FLOOR = 0.1
"""Weaker boxes are dropped; what is stronger is the tracker's to judge."""

NMS_IOU = 0.6


@dataclass(frozen=True, slots=True)
class Reading:
    """What a decoder needs besides the outputs."""

    input_hw: tuple[int, int]
    person_class: int = 0
    floor: float = SCORE_FLOOR


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which detectors answer.

    expects: the outputs, in words. fits: whether outputs have this layout. classes: how many it tells apart.
    read: outputs → boxes in pixels of the input. overlaps: whether one person may have several boxes.
    """

    title: str
    expects: str
    preparation: Preparation
    fits: Callable[[Outputs, tuple[int, int]], bool]
    classes: Callable[[Outputs], int]
    read: Callable[[Outputs, Reading], Detections]
    overlaps: bool = True


NANODET_PICTURE = Preparation("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), "top-left", 0)
YOLOX_PICTURE = Preparation("bgr", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "top-left", 114)
YOLO_PICTURE = Preparation("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "centre", 114)
DETR_PICTURE = Preparation("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "stretch", 0)


def _only(outputs: Outputs) -> NDArray[np.float32]:
    """The single output, without its batch axis."""
    (array,) = outputs.values()
    rows: NDArray[np.float32] = array[0].astype(np.float32, copy=False)
    return rows


def _is_single(outputs: Outputs) -> bool:
    return len(outputs) == 1 and all(array.ndim == 3 and array.shape[0] == 1 for array in outputs.values())


# ---- ours


def _fits_nanodet(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    array = outputs.get("person_cells")
    return (
        array is not None and len(outputs) == 1 and tuple(array.shape) == (1, 1 + 4 * decode.BINS, cell_count(input_hw))
    )


def _read_nanodet(outputs: Outputs, reading: Reading) -> Detections:
    return decode.decode_nanodet(_only(outputs), reading.input_hw, floor=reading.floor)


# ---- YOLOX


def _has_yolox_rows(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    return _is_single(outputs) and _only(outputs).shape[0] == cell_count(input_hw) and _only(outputs).shape[1] >= 6


def _are_pixels(rows: NDArray[np.float32], input_hw: tuple[int, int]) -> bool:
    """Whether the first two columns are pixels of the input rather than offsets within a cell.

    Whichever of the two readings puts the centres nearer to their own cells is the right one.
    """
    columns_rows, strides = cells(input_hw)
    as_pixels = np.abs(rows[:, :2] / strides[:, None] - columns_rows)
    return bool(np.median(as_pixels) < np.median(np.abs(rows[:, :2])))


def _fits_yolox(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    return _has_yolox_rows(outputs, input_hw) and not _are_pixels(_only(outputs), input_hw)


def _fits_yolox_boxes(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    return _has_yolox_rows(outputs, input_hw) and _are_pixels(_only(outputs), input_hw)


def _read_yolox(outputs: Outputs, reading: Reading) -> Detections:
    rows = _only(outputs)
    return decode.decode_yolox(rows, reading.input_hw, person_class=reading.person_class, floor=reading.floor)


def _read_yolox_boxes(outputs: Outputs, reading: Reading) -> Detections:
    return decode.decode_yolox_boxes(_only(outputs), person_class=reading.person_class, floor=reading.floor)


# ---- YOLOv8, YOLO11


def _fits_yolo(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    if not _is_single(outputs) or "person_cells" in outputs:
        return False
    channels, count = _only(outputs).shape
    return bool(channels >= 5 and count == cell_count(input_hw))


def _read_yolo(outputs: Outputs, reading: Reading) -> Detections:
    return decode.decode_rows(_only(outputs).T, person_class=reading.person_class, floor=reading.floor)


# ---- RT-DETR


def _named(outputs: Outputs, *names: str) -> bool:
    return set(outputs) == set(names) and all(array.shape[:1] == (1,) for array in outputs.values())


def _fits_detr(outputs: Outputs, _input_hw: tuple[int, int]) -> bool:
    if not _named(outputs, "labels", "boxes", "scores"):
        return False
    count = outputs["scores"].shape[-1]
    return outputs["labels"].shape == (1, count) and outputs["boxes"].shape == (1, count, 4)


def _read_detr(outputs: Outputs, reading: Reading) -> Detections:
    scores = outputs["scores"][0].astype(np.float32)
    keep = (outputs["labels"][0] == reading.person_class) & (scores >= reading.floor)
    return outputs["boxes"][0][keep].astype(np.float32), scores[keep]


def _fits_detr_queries(outputs: Outputs, _input_hw: tuple[int, int]) -> bool:
    if not _named(outputs, "logits", "pred_boxes"):
        return False
    logits, boxes = outputs["logits"], outputs["pred_boxes"]
    return logits.ndim == 3 and tuple(boxes.shape) == (*logits.shape[:2], 4)


def _read_detr_queries(outputs: Outputs, reading: Reading) -> Detections:
    rows = np.hstack([outputs["pred_boxes"][0], decode.sigmoid(outputs["logits"][0])]).astype(np.float32)
    return _read_relative(rows, reading)


def _fits_detr_rows(outputs: Outputs, input_hw: tuple[int, int]) -> bool:
    """(1, queries, 4 + classes). Six columns could as well be boxes after suppression: only `--layout` can tell."""
    if not _is_single(outputs) or cell_count(input_hw) in _only(outputs).shape:
        return False
    count, columns = _only(outputs).shape
    return bool(columns >= 5 and columns != 6 and count > columns)


def _read_detr_rows(outputs: Outputs, reading: Reading) -> Detections:
    return _read_relative(_only(outputs), reading)


def _read_relative(rows: NDArray[np.float32], reading: Reading) -> Detections:
    """Rows whose centres and sizes are fractions of the input."""
    boxes, scores = decode.decode_rows(rows, person_class=reading.person_class, floor=reading.floor)
    height, width = reading.input_hw
    return boxes * np.array([width, height, width, height], np.float32), scores


def _columns_after(first: int) -> Callable[[Outputs], int]:
    return lambda outputs: _only(outputs).shape[1] - first


LAYOUTS: dict[str, Layout] = {
    "nanodet-g": Layout(
        title="NanoDet-g, person class only (ships with Vitrina)",
        expects="person_cells (1, 45, cells)",
        preparation=NANODET_PICTURE,
        fits=_fits_nanodet,
        classes=lambda _: 1,
        read=_read_nanodet,
    ),
    "yolox": Layout(
        title="YOLOX, as its own exporter writes it",
        expects="one output (1, cells, 5 + classes), offsets within cells",
        preparation=YOLOX_PICTURE,
        fits=_fits_yolox,
        classes=_columns_after(5),
        read=_read_yolox,
    ),
    "yolox-decoded": Layout(
        title="YOLOX, exported with --decode_in_inference",
        expects="one output (1, cells, 5 + classes), pixels",
        preparation=YOLOX_PICTURE,
        fits=_fits_yolox_boxes,
        classes=_columns_after(5),
        read=_read_yolox_boxes,
    ),
    "yolov8": Layout(
        title="YOLOv8, YOLO11, exported without NMS",
        expects="one output (1, 4 + classes, cells)",
        preparation=YOLO_PICTURE,
        fits=_fits_yolo,
        classes=lambda outputs: _only(outputs).shape[0] - 4,
        read=_read_yolo,
    ),
    "rt-detr": Layout(
        title="RT-DETR, D-FINE, with their own post-processing",
        expects="labels (1, queries), boxes (1, queries, 4), scores (1, queries)",
        preparation=DETR_PICTURE,
        fits=_fits_detr,
        classes=lambda outputs: 1 + int(outputs["labels"].max(initial=0)),
        read=_read_detr,
        overlaps=False,
    ),
    "rt-detr-queries": Layout(
        title="RT-DETR, exported from Transformers",
        expects="logits (1, queries, classes), pred_boxes (1, queries, 4)",
        preparation=DETR_PICTURE,
        fits=_fits_detr_queries,
        classes=lambda outputs: outputs["logits"].shape[2],
        read=_read_detr_queries,
        overlaps=False,
    ),
    "rt-detr-rows": Layout(
        title="RT-DETR, exported from Ultralytics",
        expects="one output (1, queries, 4 + classes), fractions of the input",
        preparation=DETR_PICTURE,
        fits=_fits_detr_rows,
        classes=_columns_after(4),
        read=_read_detr_rows,
        overlaps=False,
    ),
}


def recognise(outputs: Outputs, input_hw: tuple[int, int]) -> str:
    """The name of the layout that these outputs of a picture of `input_hw` have; InputError when there is none."""
    for name, layout in LAYOUTS.items():
        if layout.fits(outputs, input_hw):
            return name
    raise InputError(f"{describe_outputs(outputs, input_hw)}, which is no layout that we know. {expected_layouts()}")


def expected_layouts() -> str:
    known = "; ".join(f"{name}: {layout.expects}" for name, layout in LAYOUTS.items())
    return f"Expected one of: {known}. Export the detector in one of them, without NMS in the graph"


def describe_outputs(outputs: Outputs, input_hw: tuple[int, int]) -> str:
    """What a network put out, in words, for messages."""
    found = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in outputs.items())
    return f"for an input of {input_hw[0]}x{input_hw[1]} ({cell_count(input_hw)} cells) the model gave {found}"


def read_people(outputs: Outputs, layout: Layout, reading: Reading) -> Detections:
    """Boxes of people in pixels of the input, best first, one box a person."""
    boxes_xyxy, scores = layout.read(outputs, reading)
    if layout.overlaps:
        keep = decode.suppress(boxes_xyxy, scores, iou=NMS_IOU)
    else:
        keep = np.argsort(-scores, kind="stable")
    return boxes_xyxy[keep], scores[keep]
