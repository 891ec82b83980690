"""Pictures of a catalog and photos of a shopper into vectors: crops, then the embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrina.lens.crop import OFF_CENTRE, Box, Rgb, box_crops, candidate_boxes, catalog_crops, cut, off_centre, together
from vitrina.lens.found import BoxFractions
from vitrina.models.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Look:
    """A photo's crops and their vectors. boxes_xyxy: pixels of the photo. vectors: (crops, dim), each of length 1.

    penalties: (crops,), what each crop's cosines lose for where it stands; zeros where somebody drew a box.
    boxed: whether somebody did, for cosines mean more then (see likeness).
    """

    boxes_xyxy: tuple[Box, ...]
    vectors: NDArray[np.float32]
    penalties: NDArray[np.float32]
    boxed: bool

    def score(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """(crops, candidates) → (candidates,): what to rank by, and what likeness was fitted for."""
        return together(cosines, self.penalties)

    def meant(self, cosines: NDArray[np.float32]) -> NDArray[np.intp]:
        """(crops, candidates) → (candidates,): the crop that shows each candidate best."""
        crops: NDArray[np.intp] = (cosines - self.penalties[:, None]).argmax(axis=0)
        return crops


def look(embedder: Embedder, photo_rgb: Rgb, box: BoxFractions | None = None) -> Look:
    """The crops to search with: around the box that was drawn, or the ones that may show what is meant.

    Search with each vector, bring a product's best cosines together with `Look.score`; the crop that found the first
    product is what was meant.
    """
    size_wh = (photo_rgb.shape[1], photo_rgb.shape[0])
    boxes = candidate_boxes(size_wh) if box is None else box_crops(size_wh, box)
    penalties = OFF_CENTRE * off_centre(size_wh, boxes) if box is None else np.zeros(len(boxes), np.float32)
    vectors = embedder.embed([cut(photo_rgb, one) for one in boxes])
    return Look(tuple(boxes), vectors, penalties, box is not None)


def catalog_vectors(embedder: Embedder, pictures_rgb: Sequence[Rgb]) -> list[NDArray[np.float32]]:
    """For each picture (crops, dim), in the order of `catalog_crops`."""
    crops = [catalog_crops(picture) for picture in pictures_rgb]
    vectors = embedder.embed([crop for some in crops for crop in some])
    ends = np.cumsum([len(some) for some in crops]).tolist()
    return [vectors[end - len(some) : end] for some, end in zip(crops, ends, strict=True)]
