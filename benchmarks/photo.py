"""From a photo to the product: how often the right one is first, and what it costs; ours beside simpler ways.

Real pictures: 150 hard photos of clothes against 800 (cluttered, turned, badly lit), 528 photos taken in a shop against
81 product pictures. Every way ranks all products by brute force, so that nothing but the pictures is compared.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Report
from vitrina.lens.crop import Box, cut, to_fractions
from vitrina.lens.embed import catalog_vectors, look
from vitrina.lens.found import BoxFractions
from vitrina.lens.likeness import EXACT_AT, SIMILAR_AT, Likeness
from vitrina.lens.photo import read_photo
from vitrina.models.embedder import Embedder
from vitrina.models.manifest import IMAGE_EMBEDDER, shipped_models

DATA = Path(__file__).parents[2] / "shared" / "data" / "lens"

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]
Way = Callable[[Rgb, BoxFractions | None], Floats]
"""A photo, and the box drawn on it → a score for each product of the catalog."""


@dataclass(frozen=True)
class Task:
    """photos with their boxes, and for each the place of the right product in `catalog`."""

    photos: list[Rgb]
    boxes: list[BoxFractions | None]
    right: list[int]
    catalog: list[Rgb]


@dataclass(frozen=True)
class Result:
    scores: Floats
    ranks: NDArray[np.intp]
    cpu_ms: float

    def recall(self, k: int) -> float:
        return float((self.ranks < k).mean())


def run() -> Report:
    """Rows by task and way; no rows where the pictures are not here."""
    title = "Photo to product, one thread, brute force over all products"
    columns = ["photos, way", "recall@1", "recall@5", "recall@10", "ms of processor a photo"]
    if not DATA.exists():
        return Report(f"{title}: skipped, the shared pictures are not here", columns, [])
    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)
    embedder = Embedder(model)
    clothes, grocery = read_clothes(), read_grocery()
    boxed = Task(clothes.photos, clothes.boxes, clothes.right, clothes.catalog)
    free = Task(clothes.photos, [None] * len(clothes.photos), clothes.right, clothes.catalog)
    rows: list[list[object]] = []
    ours: dict[str, Result] = {}
    of_clothes, of_grocery = ways(embedder, clothes.catalog), ways(embedder, grocery.catalog)
    for name, task, made_ways in (
        ("clothes", free, of_clothes),
        ("clothes, boxed", boxed, of_clothes),
        ("grocery", grocery, of_grocery),
    ):
        for way, made in made_ways.items():
            result = measure(task, made)
            shares = [f"{100 * result.recall(k):.1f}" for k in (1, 5, 10)]
            rows.append([f"{name}: {way}", *shares, round(result.cpu_ms, 1)])
            if way == "ours":
                ours[name] = result
    rows += calibration(model.likeness, ours, {"clothes": free, "clothes, boxed": boxed})
    elsewhere = Task(grocery.photos, grocery.boxes, [0] * len(grocery.photos), clothes.catalog)
    absent = measure(elsewhere, of_clothes["ours"])
    kind = Likeness.of(model.likeness)
    nothing = float(np.mean([kind.kind(float(best)) < SIMILAR_AT for best in absent.scores.max(axis=1)]))
    rows.append(["grocery photos against clothes: nothing alike", f"{100 * nothing:.1f}", "–", "–", "–"])
    bars = [
        ("clothes without a box, recall@1", ours["clothes"].recall(1), "≥ 0.85", ours["clothes"].recall(1) >= 0.85),
        ("clothes without a box, ms", ours["clothes"].cpu_ms, "≤ 80", ours["clothes"].cpu_ms <= 80),
        (
            "clothes boxed, recall@1",
            ours["clothes, boxed"].recall(1),
            "≥ 0.96",
            ours["clothes, boxed"].recall(1) >= 0.96,
        ),
        ("grocery, recall@1", ours["grocery"].recall(1), "≥ 0.38", ours["grocery"].recall(1) >= 0.38),
        ("grocery, recall@5", ours["grocery"].recall(5), "≥ 0.76", ours["grocery"].recall(5) >= 0.76),
        ("grocery against clothes, nothing alike", nothing, "≥ 0.95", nothing >= 0.95),
    ]
    return Report(title, columns, rows, bars)


def ways(embedder: Embedder, catalog: Sequence[Rgb]) -> dict[str, Way]:
    """Ours, and what people do instead."""
    kept = catalog_vectors(embedder, catalog)
    flat, owner = np.concatenate(kept), np.repeat(np.arange(len(kept)), [len(some) for some in kept])

    def best(vectors: Floats) -> Floats:
        cosines = np.full((len(catalog), len(vectors)), -1, np.float32)
        np.maximum.at(cosines, owner, flat @ vectors.T)
        return cosines.T

    def ours(photo: Rgb, box: BoxFractions | None) -> Floats:
        seen = look(embedder, photo, box)
        return seen.score(best(seen.vectors))

    def whole(photo: Rgb, box: BoxFractions | None) -> Floats:
        scores: Floats = best(embedder.embed([inside(photo, box)]))[0]
        return scores

    def centred(photo: Rgb, box: BoxFractions | None) -> Floats:
        shown = inside(photo, box)
        crops = [cut(shown, middle(shown, share)) for share in (1.0, 0.75, 0.5)]
        scores: Floats = best(embedder.embed(crops)).max(axis=0)
        return scores

    hashes = np.stack([perceptual_hash(picture) for picture in catalog])
    colours = np.stack([histogram(picture) for picture in catalog])
    return {
        "ours": ours,
        "3 centred crops": centred,
        "whole picture": whole,
        "colour histogram": lambda photo, box: np.minimum(colours, histogram(inside(photo, box))).sum(axis=1),
        "pHash": lambda photo, box: -(hashes != perceptual_hash(inside(photo, box))).sum(axis=1).astype(np.float32),
    }


def measure(task: Task, way: Way) -> Result:
    scores = []
    began = time.thread_time()
    for photo, box in zip(task.photos, task.boxes, strict=True):
        scores.append(way(photo, box))
    cpu_ms = 1000 * (time.thread_time() - began) / len(task.photos)
    table = np.array(scores, np.float32)
    order = np.argsort(-table, axis=1, kind="stable")
    ranks = (order == np.array(task.right)[:, None]).argmax(axis=1)
    return Result(table, ranks, cpu_ms)


def calibration(facts: object, ours: dict[str, Result], tasks: dict[str, Task]) -> list[list[object]]:
    """Of the first products, what likeness said and what was true; with each right product there, and without it."""
    rows: list[list[object]] = []
    for name, task in tasks.items():
        likeness = Likeness.of(facts, boxed="boxed" in name)  # type: ignore[arg-type]
        said, true = [], []
        for scores, right in zip(ours[name].scores, task.right, strict=True):
            for there in (True, False):
                some = scores.copy()
                some[right] = scores[right] if there else -1
                second, first = np.sort(some)[-2:]
                said.append(likeness.same(float(first), float(first - second)))
                true.append(there and int(some.argmax()) == right)
        exact = np.array(said) >= EXACT_AT
        off = abs(float(np.mean(said)) - float(np.mean(true)))
        rows.append([f"{name}: said exact, and was", f"{100 * np.mean(np.array(true)[exact]):.1f}", "–", "–", "–"])
        rows.append([f"{name}: was, and said exact", f"{100 * np.mean(exact[np.array(true)]):.1f}", "–", "–", "–"])
        rows.append([f"{name}: mean likeness off by", f"{100 * off:.1f}", "–", "–", "–"])
    return rows


# ---- simpler ways


def inside(photo: Rgb, box: BoxFractions | None) -> Rgb:
    if box is None:
        return photo
    height, width = photo.shape[:2]
    return cut(photo, (round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height)))


def middle(picture: Rgb, share: float) -> Box:
    height, width = picture.shape[:2]
    side = max(1, round(min(width, height) * share))
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def perceptual_hash(picture: Rgb) -> NDArray[np.bool_]:
    """64 bits: the lowest frequencies of a 32×32 grey picture, above their median (Zauner 2010)."""
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:8, :8]
    return np.asarray(low > np.median(low)).ravel()


def histogram(picture: Rgb) -> Floats:
    """Shares of 16 × 8 × 4 bins of hue, saturation and value; compared by intersection (Swain and Ballard 1991)."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [16, 8, 4], [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(counts / counts.sum(), np.float32)


# ---- the pictures


def read(path: Path) -> Rgb:
    return read_photo(path.read_bytes(), name=str(path))


def read_clothes() -> Task:
    files = sorted((DATA / "clothes" / "catalog").glob("*.jpg"))
    place = {path.name: number for number, path in enumerate(files)}
    with (DATA / "clothes" / "queries.csv").open() as file:
        rows = list(csv.DictReader(file))
    photos = [read(DATA / "clothes" / "queries" / row["photo"]) for row in rows]
    boxes: list[BoxFractions | None] = [
        to_fractions((int(row["x1"]), int(row["y1"]), int(row["x2"]), int(row["y2"])), (photo.shape[1], photo.shape[0]))
        for row, photo in zip(rows, photos, strict=True)
    ]
    return Task(photos, boxes, [place[row["answer"]] for row in rows], [read(path) for path in files])


def read_grocery() -> Task:
    folder = DATA / "grocery"
    with (folder / "catalog.csv").open() as file:
        products = list(csv.DictReader(file))
    with (folder / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    place = {row["product_id"]: number for number, row in enumerate(products)}
    photos = [read(folder / "photos" / row["photo"]) for row in rows]
    catalog = [read(folder / "iconic" / row["picture"]) for row in products]
    return Task(photos, [None] * len(photos), [place[row["product_id"]] for row in rows], catalog)
