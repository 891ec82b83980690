"""Draws what the pipeline saw into the pictures, and writes them as a video that browsers play.

Pictures are RGB, coordinates pixels of the picture that is drawn on. People are boxes with a number, a dot where they
stand, and a trail; nothing else of them is added to what the recording shows.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.floor.geometry.ground import anchors
from vitrina.floor.layout import PLAN, CameraLayout, Layout, Line, Zone
from vitrina.floor.pipeline import Pipeline, Placed

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

ZONE_COLOURS: dict[str, Colour] = {
    "section": (120, 180, 255),
    "promo": (255, 159, 28),
    "queue": (255, 120, 170),
    "staff": (190, 190, 190),
    "outside": (130, 220, 160),
}
LINE_COLOUR: Colour = (255, 214, 10)
PAPER: Colour = (250, 250, 248)
TRAIL_S = 3.0
PER_EDGE = 24
"""A straight edge on the plan is a curve in a picture with a bent lens, so it is drawn in so many pieces."""


class Overlay:
    """Draws on one camera's pictures: zones and lines once, people and counts for each frame."""

    def __init__(self, layout: Layout, camera: CameraLayout, *, caption: str = "") -> None:
        self._ground = camera.ground
        self._size_wh = camera.size_wh
        self._zones = [(zone, self._outline(zone, camera.slug)) for zone in layout.zones]
        self._lines = [
            line for line in layout.lines if line.space == camera.slug or (line.space == PLAN and self._ground)
        ]
        self._scale = max(0.8, camera.size_wh[1] / 720)
        self._caption = caption
        self._trails: dict[int, deque[tuple[float, float, float]]] = {}

    def draw(self, frame_rgb: Picture, placed: Placed, pipeline: Pipeline) -> Picture:
        """A new picture in the size that the layout was drawn in."""
        picture = frame_rgb.copy()
        if (picture.shape[1], picture.shape[0]) != self._size_wh:
            picture = np.asarray(cv2.resize(picture, self._size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        inside, totals = pipeline.inside(), pipeline.totals()
        for zone, outline in self._zones:
            if outline is not None:
                self._draw_zone(picture, zone, outline, inside.get(zone.slug, 0))
        for line in self._lines:
            self._draw_line(picture, line, totals.get(line.slug, {}))
        self._remember(placed.track_ids, placed.boxes_xyxy, placed.t)
        for track_id, box in zip(placed.track_ids.tolist(), placed.boxes_xyxy, strict=True):
            self._draw_person(picture, track_id, box)
        if self._caption:
            self._text(picture, self._caption, (8, picture.shape[0] - 8), PAPER)
        return picture

    def _outline(self, zone: Zone, camera: str) -> NDArray[np.int32] | None:
        if zone.space == camera:
            return _whole(zone.polygon)
        if zone.space != PLAN or self._ground is None:
            return None
        outline = self._ground.to_picture(_dense([*zone.polygon, zone.polygon[0]]))
        seen = outline[np.isfinite(outline).all(axis=1) & (np.abs(outline) < 1e5).all(axis=1)]
        return _whole(seen) if len(seen) >= 3 else None

    def _draw_zone(self, picture: Picture, zone: Zone, outline: NDArray[np.int32], people: int) -> None:
        colour = ZONE_COLOURS[zone.kind]
        tinted = picture.copy()
        cv2.fillPoly(tinted, [outline], colour)
        cv2.addWeighted(tinted, 0.16, picture, 0.84, 0, dst=picture)
        cv2.polylines(picture, [outline], isClosed=True, color=colour, thickness=self._thick(1), lineType=cv2.LINE_AA)
        height, width = picture.shape[:2]
        middle = np.clip(outline, 0, (width - 1, height - 1)).mean(axis=0)
        self._text(picture, f"{zone.name}: {people}", (int(middle[0]) - 30, int(middle[1])), colour)

    def _draw_line(self, picture: Picture, line: Line, counts: Mapping[str, int]) -> None:
        ends = np.array([line.a, line.b], np.float64)
        if line.space == PLAN and self._ground is not None:
            ends = self._ground.to_picture(ends)
        if not np.isfinite(ends).all():
            return
        a, b = _whole(ends)
        cv2.line(picture, _xy(a), _xy(b), LINE_COLOUR, self._thick(2), cv2.LINE_AA)
        middle, along = (ends[0] + ends[1]) / 2, ends[1] - ends[0]
        # y points down, so the right-hand side of a → b, where "in" leads, is along (−y, x).
        inwards = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
        tip = _whole((middle + inwards * 26 * self._scale)[None])[0]
        cv2.arrowedLine(
            picture, _xy(_whole(middle[None])[0]), _xy(tip), LINE_COLOUR, self._thick(2), cv2.LINE_AA, 0, 0.4
        )
        label = f"{line.name}: {counts.get('in', 0)} in, {counts.get('out', 0)} out"
        self._text(picture, label, (int(a[0]) + 6, int(a[1]) - 8), LINE_COLOUR)

    def _remember(self, track_ids: NDArray[np.int64], boxes_xyxy: NDArray[np.float32], t: float) -> None:
        for track_id, (x, y) in zip(track_ids.tolist(), anchors(boxes_xyxy), strict=True):
            self._trails.setdefault(track_id, deque()).append((t, x, y))
        for track_id in list(self._trails):
            trail = self._trails[track_id]
            while trail and trail[0][0] < t - TRAIL_S:
                trail.popleft()
            if not trail:
                del self._trails[track_id]

    def _draw_person(self, picture: Picture, track_id: int, box: NDArray[np.float32]) -> None:
        colour = colour_of(track_id)
        x1, y1, x2, y2 = (round(float(value)) for value in box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, self._thick(2), cv2.LINE_AA)
        trail = _whole([(x, y) for _, x, y in self._trails[track_id]])
        cv2.polylines(picture, [trail], isClosed=False, color=colour, thickness=self._thick(1), lineType=cv2.LINE_AA)
        cv2.circle(picture, ((x1 + x2) // 2, y2), self._thick(3), colour, -1, cv2.LINE_AA)
        self._text(picture, str(track_id), (x1 + 2, y1 - 5), colour)

    def _text(self, picture: Picture, text: str, origin: tuple[int, int], colour: Colour) -> None:
        """Light letters on a dark plate, moved inside where they would leave the picture. origin: lower left."""
        size = 0.5 * self._scale
        height, width = picture.shape[:2]
        (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        x = min(max(3, origin[0]), max(3, width - wide - 4))
        y = min(max(high + 4, origin[1]), height - below - 3)
        plate = picture[y - high - 3 : y + below + 2, x - 3 : x + wide + 3]
        plate[:] = plate // 4
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

    def _thick(self, pixels: int) -> int:
        return max(1, round(pixels * self._scale))


def colour_of(track_id: int) -> Colour:
    """A bright colour that differs much between neighbouring ids (hue by the golden ratio)."""
    hue = int(track_id * 0.61803398875 * 180) % 180
    rgb = cv2.cvtColor(np.array([[[hue, 170, 255]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


class VideoFile:
    """Writes frames with their own times as VP9 in MP4 or WebM: free to use, and played by every browser."""

    def __init__(self, path: Path, size_wh: tuple[int, int], *, fps: float) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libvpx-vp9", rate=Fraction(fps or 10).limit_denominator(1000))
        # VP9 with 4:2:0 colour wants even sides.
        self._stream.width, self._stream.height = size_wh[0] // 2 * 2, size_wh[1] // 2 * 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, 1000)
        self._stream.options = {"deadline": "realtime", "cpu-used": "7", "crf": "32", "b:v": "0", "row-mt": "1"}
        self._first_t: float | None = None
        self._last_pts = -1

    def write(self, picture_rgb: Picture, t: float) -> None:
        """picture_rgb: (H, W, 3) uint8; t: seconds, growing."""
        self._first_t = t if self._first_t is None else self._first_t
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture_rgb[: self._stream.height, : self._stream.width]), format="rgb24"
        )
        self._last_pts = max(self._last_pts + 1, round((t - self._first_t) * 1000))
        frame.pts, frame.time_base = self._last_pts, Fraction(1, 1000)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _dense(corners: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    points = np.asarray(corners, np.float64)
    share = np.linspace(0, 1, PER_EDGE, endpoint=False)[:, None]
    pieces: Iterable[NDArray[np.float64]] = (a + share * (b - a) for a, b in itertools.pairwise(points))
    return np.concatenate(list(pieces))


def _whole(points: ArrayLike) -> NDArray[np.int32]:
    return np.round(np.asarray(points, np.float64)).astype(np.int32)


def _xy(point: NDArray[np.int32]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
