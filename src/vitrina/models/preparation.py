"""How a network wants its pictures. Apart from `picture`, so that a manifest can be read without OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fit = Literal["top-left", "centre", "stretch", "crop"]
Order = Literal["rgb", "bgr"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a network wants its pictures: (value − mean) / std of each channel, in `order`.

    fit: keep the aspect and put the picture top left or in the centre, or stretch it, or fill the input and lose what
    stands over on both sides. fill: value of the border.
    """

    order: Order
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Fit
    fill: int
