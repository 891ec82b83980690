"""Twelve RTSP streams of 1080p at 5 frames a second, watched by a whole `vitrina up` with everything on.

The pictures are PETS09-S2L1 enlarged, H.264 at 2 Mb/s, over a real RTSP server (GStreamer's). In the *typical* hour
people walk through a third of the time; in the *crowded* one all the time, in every stream. Without the recording,
bars move through a drawn hall. A frame was due when the camera delivered it at the analysis rate, and was dropped when
the analysis did not come to it before the newer ones that may wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.evaluation import DATA
from benchmarks.table import BarRow, Report
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import parse
from vitrina.floor.worker.client import all_health
from vitrina.settings import load_settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

STREAMS, FPS, SIZE_WH = 12, 5, (1920, 1080)
CORES = 2
CLIP_S, BUSY_S = 60, {"typical": 20, "crowded": 60}
KEY_EVERY_S = 1
SETTLE_S, STEADY_S = 60.0, 90.0
SERVER = Path(__file__).parents[1] / "tests" / "servers" / "rtsp.py"

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """What one run brought. cpu_s: by process, over `seconds`. look_s: of them, looking, tracking and counting."""

    seconds: float
    due: int
    missed: int
    dropped: int
    people: float
    share: float
    look_s: float
    cpu_s: dict[str, float]


def run() -> Report:
    found = {}
    for hour in BUSY_S:
        with tempfile.TemporaryDirectory(prefix="vitrina-streams-") as folder:
            found[hour] = measure(Path(folder), hour)
    rows = [row for hour, one in found.items() for row in _rows(hour, one)]
    bars = [bar for hour, one in found.items() for bar in _bars(hour, one)]
    title = f"{STREAMS} RTSP streams of 1080p at {FPS} fps over {STEADY_S:.0f} s, everything on, {CORES} cores"
    return Report(title, ["hour", "what", "value"], rows, bars)


def measure(folder: Path, hour: str) -> Found:
    clips = _clips(folder, hour)
    port = _free_port()
    home = folder / "home"
    with _serving(port, clips):
        _set_up(home, port)
        with _up(home, folder / "log.txt") as tree:
            time.sleep(SETTLE_S)
            return _watch(home, tree)


def _watch(home: Path, tree: psutil.Process) -> Found:
    before, cpu_before, began = _health(home), _cpu(tree), time.monotonic()
    time.sleep(STEADY_S)
    after, cpu_after, seconds = _health(home), _cpu(tree), time.monotonic() - began
    gained = Counter[str]()
    for name in before.keys() & after.keys():
        for count in ("analysed", "missed", "dropped"):
            gained[count] += after[name][count] - before[name][count]
    mean = {key: float(np.mean([one[key] for one in after.values()])) for key in ("people", "looked_share", "cost_ms")}
    return Found(
        seconds,
        gained["analysed"] + gained["missed"],
        gained["missed"],
        gained["dropped"],
        mean["people"],
        mean["looked_share"],
        mean["cost_ms"] / 1000 * gained["analysed"],
        {name: cpu_after[name] - cpu_before.get(name, 0.0) for name in cpu_after},
    )


def _rows(hour: str, found: Found) -> list[list[object]]:
    workers = found.cpu_s.get("cameras", 0.0)
    analysed = max(1, found.due - found.missed)
    decode_s = workers - found.look_s
    rows: list[list[object]] = [
        [hour, "people in a picture", round(found.people, 1)],
        [hour, "share of the picture looked at", round(found.share, 3)],
        [hour, "frames due", found.due],
        [hour, "frames due that were not looked at", found.missed],
        [hour, "frames that came late or were not taken", found.dropped],
        [hour, "worker CPU ms a camera frame", round(1000 * workers / analysed, 2)],
        [hour, "  of it looking, tracking, counting", round(1000 * found.look_s / analysed, 2)],
        [hour, "  of it decoding, journal, health, sockets", round(1000 * decode_s / analysed, 2)],
    ]
    rows += [[hour, f"cores used by {name}", round(cpu / found.seconds, 3)] for name, cpu in found.cpu_s.items()]
    return rows


def _bars(hour: str, found: Found) -> list[BarRow]:
    """The first needs a machine that does nothing else; the second holds on a busy one too."""
    wanted = STREAMS * FPS * found.seconds
    cores = sum(found.cpu_s.values()) / found.seconds * wanted / max(1, found.due - found.missed)
    lost = found.missed + found.dropped
    return [
        (f"{hour}: frames dropped", lost, "= 0", lost == 0),
        (f"{hour}: share of the frames that came", found.due / wanted, "≥ 0.98", found.due >= 0.98 * wanted),
        (f"{hour}: cores for all frames", cores, f"≤ {CORES}", cores <= CORES),
    ]


# The streams -------------------------------------------------------------------------------------------------------


def _clips(folder: Path, hour: str) -> list[Path]:
    """One elementary stream, and an index a camera that begins elsewhere in it, as `rtsp.py` wants them."""
    index, offset, stream = [], 0, folder / "clip.bin"
    with stream.open("wb") as file:
        for data, is_key in _encoded(_pictures(hour)):
            file.write(data)
            index.append((offset, len(data), is_key))
            offset += len(data)
    found = []
    for number in range(STREAMS):
        first = number * len(index) // STREAMS // (FPS * KEY_EVERY_S) * FPS * KEY_EVERY_S
        clip = folder / f"c{number}.json"
        clip.write_text(json.dumps({"codec": "h264", "fps": FPS, "frames": index[first:] + index[:first]}))
        clip.with_suffix(".bin").symlink_to(stream)
        found.append(clip)
    return found


def _pictures(hour: str) -> Iterator[Picture]:
    """CLIP_S seconds at FPS; after the busy ones, the empty view with a sensor's noise."""
    source, rng, picture = _busy(), np.random.default_rng(3), np.zeros((*SIZE_WH[::-1], 3), np.uint8)
    seen: list[Picture] = []
    for picture in islice(source, BUSY_S[hour] * FPS):
        seen.append(picture[::2, ::2])
        yield picture
    empty = np.median(np.stack(seen[:: max(1, len(seen) // 25)]), axis=0)
    empty = np.asarray(cv2.resize(empty, SIZE_WH), np.float32)
    for _ in range((CLIP_S - BUSY_S[hour]) * FPS):
        noise = rng.normal(0, 2.0, (SIZE_WH[1] // 4, SIZE_WH[0] // 4, 3)).repeat(4, axis=0).repeat(4, axis=1)
        yield np.clip(empty + noise, 0, 255).astype(np.uint8)


def _busy() -> Iterator[Picture]:
    recording = DATA / "pets09-s2l1.avi"
    if not recording.exists():
        yield from _drawn()
        return
    with av.open(str(recording)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if round(number * FPS / 7) != round((number + 1) * FPS / 7):  # recorded at 7 frames a second
                rgb = frame.to_ndarray(format="rgb24")[72:504]  # 16:9 of 768×576
                yield np.asarray(cv2.resize(rgb, SIZE_WH, interpolation=cv2.INTER_CUBIC), np.uint8)


def _drawn() -> Iterator[Picture]:
    hall = cv2.resize(np.random.default_rng(1).integers(90, 160, (27, 48, 3), np.uint8), SIZE_WH)
    for number in range(CLIP_S * FPS):
        picture = hall.copy()
        for person in range(6):
            left = int((number * (8 + 3 * person) + 300 * person) % (SIZE_WH[0] - 120))
            cv2.rectangle(picture, (left, 200 + 90 * person), (left + 110, 500 + 90 * person), (40, 40, 60), -1)
        yield np.asarray(picture, np.uint8)


def _encoded(pictures: Iterator[Picture]) -> Iterator[tuple[bytes, bool]]:
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = *SIZE_WH, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS, 1)
    context.bit_rate = 2_000_000
    keys = FPS * KEY_EVERY_S
    context.options = {"preset": "veryfast", "tune": "zerolatency"}
    context.options |= {"x264-params": f"keyint={keys}:min-keyint={keys}:scenecut=0"}
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, context.time_base
        yield from ((bytes(packet), packet.is_keyframe) for packet in context.encode(frame))
    yield from ((bytes(packet), packet.is_keyframe) for packet in context.encode(None))


@contextlib.contextmanager
def _serving(port: int, clips: list[Path]) -> Iterator[None]:
    command = ["/usr/bin/python3", str(SERVER), str(port), str(time.time()), *map(str, clips)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError("no RTSP server: tools/system_packages.sh installs what it needs")
    try:
        yield
    finally:
        server.kill()
        server.wait()


# The product -------------------------------------------------------------------------------------------------------


def _set_up(home: Path, port: int) -> None:
    text = """
[shop]
slug = "bench"
name = "Bench"
timezone = "UTC"
currency = "EUR"

[plan]
width_m = 16
height_m = 9
"""
    corners = "[[0, 0, 0, 0], [1920, 0, 16, 0], [1920, 1080, 16, 9], [0, 1080, 0, 9]]"
    for number in range(STREAMS):
        text += f"""
[[camera]]
slug = "c{number}"
name = "Camera {number}"
source = "rtsp://127.0.0.1:{port}/c{number}"
size = [1920, 1080]
points = {corners}
"""
    text += """
[[zone]]
slug = "middle"
name = "Middle"
kind = "section"
polygon = [[4, 2], [12, 2], [12, 8], [4, 8]]

[[line]]
slug = "entrance"
name = "Entrance"
kind = "entrance"
a = [8, 2]
b = [8, 8]
"""
    settings = load_settings({"VITRINA_HOME": str(home)})
    settings.home.mkdir(parents=True, mode=0o700)
    database = Database(settings.database)
    database.migrate()
    with database.session() as session:
        shops.apply(session, parse(text, name="bench.toml"), "bench", box=SecretBox(settings.home))
    database.dispose()


@contextlib.contextmanager
def _up(home: Path, log: Path) -> Iterator[psutil.Process]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VITRINA_")}
    environ |= {"VITRINA_HOME": str(home), "VITRINA_ANALYSIS_FPS": str(FPS), "VITRINA_CAMERA_WORKERS": str(CORES)}
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--port", str(_free_port())]
    if shutil.which("taskset") and (os.cpu_count() or 1) > CORES:
        command = ["taskset", "-c", ",".join(map(str, range(CORES))), *command]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _health(home: Path) -> dict[str, dict[str, Any]]:
    return {one["camera"]: one for one in all_health(home)}


def _cpu(tree: psutil.Process) -> dict[str, float]:
    """CPU seconds so far, by what the process is for."""
    used: dict[str, float] = {}
    for process in [tree, *tree.children(recursive=True)]:
        words = process.cmdline()
        name = words[words.index("--only") + 1] if "--only" in words else "up"
        times = process.cpu_times()
        used[name] = used.get(name, 0.0) + times.user + times.system
    return used


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
