"""Pictures of a catalog and photos of a shopper into vectors: crops, then the embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrina.lens.crop import Box, Rgb, box_crops, candidate_boxes, catalog_crops, cut
from vitrina.lens.found import BoxFractions
from vitrina.models.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Look:
    """A photo's crops and their vectors. boxes_xyxy: pixels of the photo. vectors: (crops, dim), each of length 1."""

    boxes_xyxy: tuple[Box, ...]
    vectors: NDArray[np.float32]


def look(embedder: Embedder, photo_rgb: Rgb, box: BoxFractions | None = None) -> Look:
    """The crops to search with: around the box that was drawn, or the ones that may show what is meant.

    A find's likeness is the best one over all crops; without a box, the crop that found it is what was meant.
    """
    size_wh = (photo_rgb.shape[1], photo_rgb.shape[0])
    boxes = candidate_boxes(size_wh) if box is None else box_crops(size_wh, box)
    return Look(tuple(boxes), embedder.embed([cut(photo_rgb, one) for one in boxes]))


def catalog_vectors(embedder: Embedder, pictures_rgb: Sequence[Rgb]) -> list[NDArray[np.float32]]:
    """For each picture (crops, dim), in the order of `catalog_crops`."""
    crops = [catalog_crops(picture) for picture in pictures_rgb]
    vectors = embedder.embed([crop for some in crops for crop in some])
    return np.split(vectors, np.cumsum([len(some) for some in crops])[:-1])
