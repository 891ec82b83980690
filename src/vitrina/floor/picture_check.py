"""Is a camera's picture any good: dark, covered, blurred, moved, frozen? Pure, and cheap enough for every few seconds.

Everything is judged on a grey picture 320 wide. People walk through it and light changes, so nothing is compared pixel
by pixel: *moved* compares where the edges are, each measured against its surroundings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Problem = Literal["dark", "covered", "moved", "blurred", "frozen"]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)

WIDTH_PX = 320
BLOCK_PX = 20

DARK, LIGHT = 35.0, 45.0
"""95 % of the pixels are darker than this: nobody could be seen; above the second, somebody can."""
FLAT_STD = 4.0
COVERED, OPEN = 0.85, 0.7
"""Share of the blocks that show nothing."""
BLURRED, SHARP = 0.75, 0.68
"""Crete's measure, 0 sharp to 1 blurred."""
SOFTER = 0.15
"""A camera that was always soft is blurred when it is so much softer than it was."""
SHIFT_PX, SURE = 2.5, 0.25
"""The whole picture moved by so many pixels, and the peak that says so is so high (of 1)."""
OTHER_VIEW, SAME_VIEW = 0.3, 0.5
"""Correlation of the edges with those of the reference."""

RAISE_S: Mapping[Problem, float] = {"dark": 20.0, "covered": 20.0, "blurred": 20.0, "moved": 60.0, "frozen": 60.0}
CLEAR_S = 10.0
LEARN = 12
"""Without a reference, the median of so many good pictures becomes it."""

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]


def small_grey(rgb: NDArray[np.uint8]) -> Grey:
    """(H, W, 3) → (h, 320) uint8, of the same shape."""
    height, width = rgb.shape[:2]
    size_wh = (WIDTH_PX, max(BLOCK_PX, round(height * WIDTH_PX / width)))
    grey = cv2.cvtColor(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8)


@dataclass(frozen=True, slots=True)
class Traits:
    """bright: 95th percentile, 0 to 255. flat: share of blocks without detail. blur: Crete's measure. edges: (h, w)."""

    bright: float
    flat: float
    blur: float
    edges: Floats


def traits(grey: Grey) -> Traits:
    return Traits(float(np.percentile(grey, 95)), _flat(grey), _blur(grey), _edges(grey))


class PictureCheck:
    """Takes a picture every few seconds and says what is wrong; a problem must last before it is one, and before it is
    none any more.

    reference: `small_grey` of the picture as it should be: of the empty shop, where there is one. Without it, the
    first good pictures become it.
    """

    def __init__(self, *, reference: Grey | None = None) -> None:
        self.reference = reference
        self._ought = traits(reference) if reference is not None else None
        self._first: list[Grey] = []
        self._last: Grey | None = None
        self._alarms = {problem: _Alarm(RAISE_S[problem]) for problem in PROBLEMS}

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for problem, alarm in self._alarms.items() if alarm.is_up)

    def look(self, grey: Grey, t: float) -> tuple[Problem, ...]:
        """grey: from `small_grey`. t: seconds, growing. What is wrong with the picture, as of now."""
        now = traits(grey)
        verdicts = self._judge(now, grey)
        for problem, verdict in verdicts.items():
            self._alarms[problem].update(verdict, t)
        self._last = grey
        if self._ought is None and not any(verdicts.values()):
            self._learn(grey)
        return self.problems

    def _judge(self, now: Traits, grey: Grey) -> dict[Problem, bool | None]:
        """True: wrong. False: right. None: cannot be said, which changes nothing."""
        dark = _verdict(wrong=now.bright < DARK, right=now.bright > LIGHT)
        covered = None if dark else _verdict(wrong=now.flat > COVERED, right=now.flat < OPEN)
        hidden = dark is not False or covered is not False
        blurred = None if hidden else self._is_blurred(now)
        return {
            "dark": dark,
            "covered": covered,
            "blurred": blurred,
            "moved": None if hidden or blurred is not False else self._has_moved(now),
            # A dark picture may well be black, again and again.
            "frozen": None if hidden else self._last is not None and np.array_equal(grey, self._last),
        }

    def _is_blurred(self, now: Traits) -> bool | None:
        usual = self._ought.blur + SOFTER if self._ought else 0.0
        return _verdict(wrong=now.blur > max(BLURRED, usual), right=now.blur < max(SHARP, usual - 0.05))

    def _has_moved(self, now: Traits) -> bool | None:
        if self._ought is None or self._ought.edges.shape != now.edges.shape:
            return None
        alike = _correlation(self._ought.edges, now.edges)
        shift_px, sure = _shift(self._ought.edges, now.edges)
        shifted = shift_px > SHIFT_PX and sure > SURE
        return _verdict(wrong=shifted or alike < OTHER_VIEW, right=alike > SAME_VIEW and not shifted)

    def _learn(self, grey: Grey) -> None:
        if self._first and self._first[0].shape != grey.shape:
            self._first.clear()
        self._first.append(grey)
        if len(self._first) == LEARN:
            self.reference = np.median(np.stack(self._first), axis=0).astype(np.uint8)
            self._ought = traits(self.reference)
            self._first.clear()


class _Alarm:
    """Goes up when something was wrong for `raise_s`, and down when it was right for `CLEAR_S`."""

    def __init__(self, raise_s: float) -> None:
        self.is_up = False
        self._raise_s = raise_s
        self._since: float | None = None

    def update(self, is_wrong: bool | None, t: float) -> None:
        if is_wrong is None or is_wrong == self.is_up:
            self._since = self._since if is_wrong is None else None
            return
        self._since = t if self._since is None else self._since
        if t - self._since >= (CLEAR_S if self.is_up else self._raise_s):
            self.is_up, self._since = not self.is_up, None


def _verdict(*, wrong: bool, right: bool) -> bool | None:
    return True if wrong else False if right else None


def _flat(grey: Grey) -> float:
    height, width = (side // BLOCK_PX for side in grey.shape)
    blocks = grey[: height * BLOCK_PX, : width * BLOCK_PX].reshape(height, BLOCK_PX, width, BLOCK_PX)
    return float((blocks.std(axis=(1, 3)) < FLAT_STD).mean())


def _blur(grey: Grey) -> float:
    """How little a further blur changes: Crete et al., "The blur effect", 2007, equations 1 to 6.

    Smoothed first, because a sensor's noise is sharp whatever the lens does.
    """
    picture = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0), np.float32)
    return max(_blur_along(picture, axis) for axis in (0, 1))


def _blur_along(picture: Floats, axis: int) -> float:
    again = np.asarray(cv2.blur(picture, (9, 1) if axis else (1, 9)))
    steps, steps_again = (np.abs(np.diff(one, axis=axis)) for one in (picture, again))
    total = float(steps.sum())
    return 1.0 if total == 0.0 else 1.0 - float(np.maximum(0.0, steps - steps_again).sum()) / total


def _edges(grey: Grey) -> Floats:
    """Where the edges are, each measured against its surroundings: light from one side changes little."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    strength = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.minimum(strength / (cv2.blur(strength, (31, 31)) + 8.0), 3.0).astype(np.float32)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-9))


def _shift(reference: Floats, now: Floats) -> tuple[float, float]:
    """By how many pixels the whole picture moved, and how sure that is, 0 to 1: phase correlation."""
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    (dx, dy), response = cv2.phaseCorrelate((reference - reference.mean()) * window, (now - now.mean()) * window)
    return float(np.hypot(dx, dy)), float(response)
