"""Our tracker beside those of `trackers`: the same boxes, the same evaluator, the same run.

"online": what was known when each frame came. "file": what `vitrina floor track` writes, smoothed, short gaps filled.
Peers stand at their defaults, and tuned: the best HOTA on this very recording among a grid of their settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation import COLUMNS, FRAMES, PETS, TIMES, Scores, evaluate, pets_public_boxes, pets_truth
from benchmarks.table import BarRow, Report
from vitrina.floor.tracking.mot import MotBoxes, mot_boxes
from vitrina.floor.tracking.track import Tracker
from vitrina.floor.tracking.trajectory import track_boxes

INPUT_HW = (320, 416)
PEERS = {"ByteTrack": "ByteTrackTracker", "C-BIoU": "CBIoUTracker", "SORT": "SORTTracker"}
TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("ByteTrack", "our boxes"): {
        "floor": 0.55,
        "high_conf_det_threshold": 0.5,
        "track_activation_threshold": 0.5,
        "minimum_consecutive_frames": 2,
        "lost_track_buffer": 60,
        "minimum_iou_threshold": 0.1,
        "frame_rate": 7.0,
    },
    ("C-BIoU", "our boxes"): {
        "floor": 0.55,
        "high_conf_det_threshold": 0.5,
        "track_activation_threshold": 0.5,
        "minimum_consecutive_frames": 3,
        "lost_track_buffer": 60,
        "frame_rate": 7.0,
    },
    ("ByteTrack", "public boxes"): {
        "high_conf_det_threshold": 0.5,
        "track_activation_threshold": 0.5,
        "lost_track_buffer": 30,
        "minimum_iou_threshold": 0.2,
    },
}
"""(Peer, boxes) → its best settings, from 48 to 96 tried: score floor, thresholds, buffers, frame rate."""
PEOPLE, SPEED_FRAMES, ROUNDS = 50, 300, 3
PEERS_MISSING = "peers left out: pip install trackers opencv-python-headless"

Run = Callable[[NDArray[np.float32], NDArray[np.float32], float], object]


def run() -> Report:
    title = "Tracking PETS09-S2L1, 795 frames"
    columns = ["boxes, tracker", *COLUMNS]
    if not PETS.exists():
        return Report(f"{title}: skipped, the shared recordings are not here", columns, [])
    truth = pets_truth()
    found = {"our boxes": our_boxes(), "public boxes": pets_public_boxes()}
    scores = {
        f"{boxes}, {tracker}": evaluate(truth, tracks, FRAMES)
        for boxes, given in found.items()
        for tracker, tracks in tracked(given, boxes)
    }
    rows: list[list[object]] = [[name, *score.as_row()] for name, score in scores.items()]
    speeds = frames_per_second()
    rows += [
        [f"speed with {PEOPLE} people, {name}", f"{fps:.0f} fps", f"{fps / speeds['ours']:.2f}×", "", "", ""]
        for name, fps in speeds.items()
    ]
    if not have_peers():
        rows.append([PEERS_MISSING, "", "", "", "", ""])
    return Report(title, columns, rows, bars(scores, speeds["ours"]))


def bars(scores: dict[str, Scores], fps: float) -> list[BarRow]:
    wanted = [
        ("our boxes, ours online", "hota", 60.0),
        ("our boxes, ours online", "idf1", 83.0),
        ("our boxes, ours online", "mota", 79.0),
        ("our boxes, ours file", "hota", 66.0),
        ("our boxes, ours file", "idf1", 90.0),
        ("public boxes, ours online", "hota", 46.0),
        ("public boxes, ours online", "idf1", 62.0),
    ]
    checked = [(f"{name} {what.upper()}", getattr(scores[name], what), bound) for name, what, bound in wanted]
    checked.append((f"frames a second with {PEOPLE} people on one core", fps, 700.0))
    return [(label, value, f"≥ {bound:g}", value >= bound) for label, value, bound in checked]


def our_boxes() -> MotBoxes:
    """What the shipped detector finds in the recording."""
    from benchmarks.detector import detect

    table, _ = detect(INPUT_HW)
    return mot_boxes([(int(frame), -1, x1, y1, x2, y2, score) for frame, x1, y1, x2, y2, score in table.tolist()])


def tracked(boxes: MotBoxes, name: str) -> Iterator[tuple[str, MotBoxes]]:
    log = track_boxes(boxes, TIMES)
    yield "ours online", log.online()
    yield "ours file", log.trajectories()
    if not have_peers():
        return
    for peer in ("ByteTrack", "C-BIoU"):
        yield peer, run_peer(peer, boxes)
        if (peer, name) in TUNED:
            yield f"{peer} tuned", run_peer(peer, boxes, **TUNED[peer, name])


def have_peers() -> bool:
    return find_spec("trackers") is not None and find_spec("supervision") is not None


def make_peer(peer: str, **settings: Any) -> Any:
    import trackers

    return getattr(trackers, PEERS[peer])(**settings)


def run_peer(peer: str, boxes: MotBoxes, *, floor: float = 0.0, **settings: Any) -> MotBoxes:
    """floor: boxes with a lower score are left out before the peer sees them."""
    import supervision

    tracker = make_peer(peer, **settings)
    rows = []
    for frame, found in enumerate(boxes.by_frame(FRAMES), start=1):
        found = found.take(found.scores >= floor)
        answer = tracker.update(supervision.Detections(xyxy=found.boxes_xyxy, confidence=found.scores))
        named = [] if answer.tracker_id is None else zip(answer.tracker_id, answer.xyxy, strict=True)
        rows += [(frame, int(track_id), *box.tolist(), 1.0) for track_id, box in named if track_id >= 0]
    return mot_boxes(rows)


def frames_per_second() -> dict[str, float]:
    """CPU time of this thread, the best of interleaved rounds, so that a busy machine counts little."""
    scene = crowd(PEOPLE, SPEED_FRAMES)
    contenders: dict[str, Callable[[], Run]] = {"ours": lambda: Tracker().update}
    if have_peers():
        contenders |= {peer: partial(_peer_update, peer) for peer in PEERS}
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(ROUNDS):
        for name, make in contenders.items():
            update = make()
            start = time.thread_time()
            for number, (boxes_xyxy, scores) in enumerate(scene):
                update(boxes_xyxy, scores, number / 10)
            best[name] = max(best[name], SPEED_FRAMES / (time.thread_time() - start))
    return best


def _peer_update(peer: str) -> Run:
    import supervision

    tracker = make_peer(peer)
    return lambda boxes, scores, _: tracker.update(supervision.Detections(xyxy=boxes, confidence=scores))


def crowd(people: int, frames: int, *, seed: int = 0) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """People of 100 px who wander over a full-HD picture at 10 frames a second; one box in twenty is missing."""
    rng = np.random.default_rng(seed)
    size, half = np.array([1900.0, 1000.0]), np.array([20.0, 50.0])
    places, steps = rng.uniform(0, size, (people, 2)), rng.normal(0, 4, (people, 2))
    scene = []
    for _ in range(frames):
        places = places + steps
        steps = np.where((places < 0) | (places > size), -steps, steps)
        seen = places[rng.random(people) > 0.05] + rng.normal(0, 2, 2)
        boxes = np.concatenate([seen - half, seen + half], axis=1).astype(np.float32)
        scene.append((boxes, rng.uniform(0.7, 0.95, len(boxes)).astype(np.float32)))
    return scene
