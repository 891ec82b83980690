"""Whether two pictures are one picture: saved again, resized, cropped a little or padded, and of the same thing in the
same colours. Pure.

One is laid over the other, by corners that agree or else by the frames, and the fit is refined (ECC, Evangelidis and
Psarakis 2008). Only a plain rescale and shift counts. Then colours are compared patch by patch, and structure window by
window: one that differs, as another print or another label does, makes them two pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import degrees, hypot, log

import cv2
import numpy as np
from numpy.typing import NDArray

from vitrina.lens.geometry import Corners, Rgb, corners, similarity

SIDE_PX = 384
"""Of what is compared; the longer side, as large as a sync keeps pictures."""

PATCH_PX = 12
"""A 32nd of the picture, over which colours are compared."""

WORST_PATCH, MOST_PATCHES = 8.0, 5.0
"""CIE76 colour differences (1 is just visible): of the patch that differs most, and of 95 in 100 of them.

What was saved in a poor quality differs by 4 to 7 in its worst patch; another label or print by 9 and more in one,
another colour of a garment by 7 and more in all of them.
"""

WINDOW_PX = 9
LEAST_STRUCTURE = 0.6
"""Structural similarity (Wang 2004, contrast and structure) of the window of lightness that is least alike: 0.6 to 0.9
where a picture was saved again in a poor quality, less where the letters of a small label are others. Letters lower
than a fortieth of the picture's longer side are too small to tell.
"""

RIM_PX = 10
"""Beside the edge of what both show, that is not compared: blur brings in there what lies beyond."""

STABLE = 4.0
"""In that, lightness squared that is noise."""

FAR = 14.0
"""Where one patch in twenty differs by more before the fit is refined, refining is in vain."""

AGREEING = 8
"""Corners that must agree; with fewer of them the frames are laid over each other."""

MOST_TURN_DEG, MOST_STRETCH = 1.0, 0.02
SCALE = 0.6, 1.67
"""How much smaller or larger, after both were shrunk to the same side."""

LEAST_SHARED = 0.75
"""Of either picture, that the other must show; what lies around it must be plain paper."""

PLAIN = 4.0
"""Colour difference up to which a part is plain."""

COARSEST = 1.4
"""A picture of fewer than 275 pixels shows no small label: nobody can be sure of it."""

LEAST_SHOWN = 0.02
"""Share of a picture that must differ from its paper: an empty one says nothing."""

_BACK, _EDGE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
_SUM = np.ones((1, 3), np.float32)
_ENOUGH = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4

Floats = NDArray[np.float32]
Matrix = NDArray[np.float32]
"""(2, 3): where in the other picture a point (x, y, 1) of this one lies, in pixels."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, made ready. light: (H, W), lightness from 0 to 100. lab: (H, W, 3), CIELAB, more blurred.

    shown: share that is no paper. coarse: how much it was enlarged, 1 for most.
    """

    light: Floats
    lab: Floats
    corners: Corners
    shown: float
    coarse: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two pictures laid over each other. worst, most: CIE76, of the worst patch and of 95 in 100.

    is_whole: what either shows, the other shows too. structure: of the least alike window; -1 where colours differ.
    """

    worst: float
    most: float
    is_whole: bool
    structure: float = -1.0

    @property
    def is_of_one_colour(self) -> bool:
        return self.is_whole and self.worst <= WORST_PATCH and self.most <= MOST_PATCHES

    @property
    def is_none(self) -> bool:
        return self.is_of_one_colour and self.structure >= LEAST_STRUCTURE


def see(picture_rgb: Rgb) -> Seen:
    """So that a picture is made ready once for all that it is compared with."""
    height, width = picture_rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = max(PATCH_PX, round(width * scale)), max(PATCH_PX, round(height * scale))
    small = cv2.resize(picture_rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    edge = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    shown = (np.linalg.norm(lab - np.median(edge, axis=0), axis=2) > 2 * PLAIN).mean()
    points = corners(np.asarray(small, np.uint8))
    return Seen(_blurred(lab[..., 0], 1.0), _blurred(lab, 1.8), points, float(shown), max(1.0, scale))


def _blurred(picture: Floats, sigma_px: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.float32)


def is_duplicate(one: Seen, other: Seen) -> bool:
    """Whether both are one picture; False where nobody can be sure."""
    found = difference(one, other)
    return found is not None and found.is_none


def difference(one: Seen, other: Seen) -> Difference | None:
    """The least over the ways to lay them over each other; None where nothing can be told: too small, empty, or
    no plain rescale and shift.
    """
    if min(one.shown, other.shown) < LEAST_SHOWN or max(one.coarse, other.coarse) > COARSEST:
        return None
    best: Difference | None = None
    for matrix in _ways(one, other):
        found = _compare(one, other, matrix)
        if not found.is_none and found.most <= FAR:
            refined = _refined(one, other, matrix)
            found = found if refined is None else _compare(one, other, refined)
        if best is None or (not found.is_none, found.worst) < (not best.is_none, best.worst):
            best = found
        if best.is_none:
            break
    return best


def _ways(one: Seen, other: Seen) -> list[Matrix]:
    """By corners that agree, and by the frames."""
    (height, width), (high, wide) = one.light.shape, other.light.shape
    scale = ((wide / width) * (high / height)) ** 0.5
    centred = [[scale, 0, (wide - scale * width) / 2], [0, scale, (high - scale * height) / 2]]
    matrix, agreeing = similarity(one.corners, other.corners, tolerance_px=3.0)
    by_corners = [matrix.astype(np.float32)] if matrix is not None and agreeing >= AGREEING else []
    return [way for way in (*by_corners, np.array(centred, np.float32)) if _is_straight(way)]


def _is_straight(matrix: Matrix) -> bool:
    """Neither turned nor stretched nor scaled too much."""
    (a, b), (c, d) = matrix[:, :2].tolist()
    x_scale, y_scale = hypot(a, c), hypot(b, d)
    if not (SCALE[0] < x_scale < SCALE[1] and SCALE[0] < y_scale < SCALE[1]):
        return False
    leaning = max(abs(c), abs(b)) / min(x_scale, y_scale)
    return degrees(leaning) <= MOST_TURN_DEG and abs(log(x_scale / y_scale)) <= MOST_STRETCH


def _refined(one: Seen, other: Seen, matrix: Matrix) -> Matrix | None:
    try:
        _, found = cv2.findTransformECC(
            one.light, other.light, matrix.copy(), cv2.MOTION_AFFINE, _ENOUGH, np.empty(0, np.uint8), 5
        )
    except cv2.error:  # it does not converge
        return None
    refined = np.asarray(found, np.float32)
    return refined if _is_straight(refined) else None


def _compare(one: Seen, other: Seen, matrix: Matrix) -> Difference:
    """Where the fit is off by a pixel, that is no difference: the best of nine shifts counts for each patch."""
    height, width = one.light.shape
    mask = _mask(other, matrix, (width, height))
    inside = cv2.erode(mask.astype(np.uint8), np.ones((2 * RIM_PX + 1,) * 2, np.uint8), borderValue=0) > 0
    if not inside.any():
        return Difference(np.inf, np.inf, is_whole=False)
    coarse = max(one.coarse, other.coarse)
    ours, laid = _alike_blurred(one.lab, _laid(other.lab, matrix, (width, height)), coarse)
    if (most := float(np.percentile(_apart(ours, laid, mask)[inside], 90))) > 2 * FAR:
        return Difference(most, most, is_whole=False)
    least = np.min([_apart(ours, shifted, mask) for shifted in _shifts(laid)], axis=0)[inside]
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float32)
    is_whole = _is_all(one.lab, mask) and _is_all(other.lab, _mask(one, back, other.light.shape[::-1]))
    found = Difference(float(least.max()), float(np.percentile(least, 95)), is_whole)
    if not found.is_of_one_colour:
        return found
    ours, laid = _alike_blurred(one.light, _laid(other.light, matrix, (width, height)), coarse)
    structure = np.max([_structure(ours, shifted) for shifted in _shifts(laid)], axis=0)[inside]
    return replace(found, structure=float(structure.min()))


def _alike_blurred(ours: Floats, theirs: Floats, coarse: float) -> tuple[Floats, Floats]:
    """What is small has no details: those of the other go too."""
    if coarse <= 1:
        return ours, theirs
    return _blurred(ours, 0.8 * coarse), _blurred(theirs, 0.8 * coarse)


def _apart(ours: Floats, theirs: Floats, mask: NDArray[np.bool_]) -> Floats:
    """(H, W): how far colours are apart in the patch around each pixel."""
    off = cv2.subtract(ours, theirs)
    apart = cv2.sqrt(cv2.transform(cv2.multiply(off, off), _SUM))
    return np.asarray(cv2.blur(np.where(mask, apart, np.float32(0)), (PATCH_PX, PATCH_PX)), np.float32)


def _structure(ours: Floats, theirs: Floats) -> Floats:
    """(H, W): how alike the window around each pixel is, whatever its lightness; 1 where nothing is in it."""
    our_mean, their_mean = _mean(ours), _mean(theirs)
    together = _mean(ours * theirs) - our_mean * their_mean
    alone = _mean(ours * ours) - our_mean**2 + _mean(theirs * theirs) - their_mean**2
    return np.asarray((2 * together + STABLE) / (alone + STABLE), np.float32)


def _mean(picture: Floats) -> Floats:
    return np.asarray(cv2.blur(picture, (WINDOW_PX, WINDOW_PX)), np.float32)


def _shifts(picture: Floats) -> Iterator[Floats]:
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            yield np.roll(picture, (down, right), (0, 1))


def _laid(picture: Floats, matrix: Matrix, size_wh: tuple[int, int]) -> Floats:
    return np.asarray(cv2.warpAffine(picture, matrix, size_wh, flags=_BACK, borderMode=_EDGE), np.float32)


def _mask(other: Seen, matrix: Matrix, size_wh: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W): where the other picture lies."""
    whole = np.full(other.light.shape, 255, np.uint8)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(whole, matrix, size_wh, flags=flags)) > 0


def _is_all(lab: Floats, shared: NDArray[np.bool_]) -> bool:
    """Whether most of a picture is in the shared part, or what lies beside that is plain."""
    if shared.mean() >= LEAST_SHARED:
        return True
    rest = lab[cv2.dilate(shared.astype(np.uint8), np.ones((2 * RIM_PX + 1,) * 2, np.uint8)) == 0]
    return not len(rest) or float(np.percentile(np.linalg.norm(rest - np.median(rest, axis=0), axis=1), 98)) <= PLAIN
