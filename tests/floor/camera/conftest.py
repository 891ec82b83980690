"""Cameras to break: real servers with a rendered scene, and a wire that lies about time."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

SERVERS = Path(__file__).parents[2] / "servers"
SYSTEM_PYTHON = "/usr/bin/python3"


class Server:
    """A camera in a process of its own: it can be killed, started again, and made to hang."""

    def __init__(self, program: str, script: str, began: float, *clips: Path) -> None:
        self.port = free_port()
        self._command = [program, str(SERVERS / script), str(self.port), str(began), *map(str, clips)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ}
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the camera did not start"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def hang(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Wire:
    """Stands between an RTSP camera and who watches it, and changes the time stamps of RTP packets (RFC 3550, 5.1).

    shift_s: added to them. swapped: each picture has its neighbour's. cut(): everybody is disconnected.
    """

    CLOCK = 90_000

    def __init__(self, port: int) -> None:
        self.shift_s = 0.0
        self.swapped = False
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                watcher, _ = self._listener.accept()
            except OSError:
                return
            try:
                camera = socket.create_connection(("127.0.0.1", self._upstream), timeout=10)
            except OSError:
                watcher.close()
                continue
            camera.settimeout(None)
            self._open |= {watcher, camera}
            threading.Thread(target=self._pump, args=(watcher, camera, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(camera, watcher, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, lies: bool) -> None:
        with suppress(OSError, ValueError):
            reader = source.makefile("rb")
            liar = _Stamps(self)
            while data := (liar.next(reader) if lies else reader.read1(65536)):
                target.sendall(data)
        self._open -= {source, target}
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class _Stamps:
    """Reads an RTSP connection piece by piece: interleaved packets ($, channel, length; RFC 2326, 10.12) and text."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._picture, self._stamp, self._step = 0, 0, 0

    def next(self, reader) -> bytes:
        first = reader.read(1)
        if first != b"$":
            return first + reader.readline() if first else b""
        channel, length = struct.unpack(">BH", reader.read(3))
        packet = bytearray(reader.read(length))
        if channel == 0 and len(packet) >= 12:
            packet[4:8] = struct.pack(">I", self._told(struct.unpack(">I", packet[4:8])[0]))
        return b"$" + struct.pack(">BH", channel, length) + bytes(packet)

    def _told(self, stamp: int) -> int:
        if stamp != self._stamp:
            self._step, self._stamp = (stamp - self._stamp) % 2**32, stamp
            self._picture += 1
        told = stamp + round(self._wire.shift_s * Wire.CLOCK)
        if self._wire.swapped and self._step < Wire.CLOCK:
            told += self._step if self._picture % 2 else -self._step
        return told % 2**32


class PictureServer(ThreadingHTTPServer):
    """MJPEG over HTTP in this process: at /live, at /silent (nothing ever comes), at /once (it ends), at /words."""

    daemon_threads = True

    def __init__(self, *, size_wh: tuple[int, int] = (640, 360), fps: float = 20.0) -> None:
        super().__init__(("127.0.0.1", 0), _Pictures)
        rng = np.random.default_rng(1)
        small = rng.integers(0, 255, (9, 16, 3), dtype=np.uint8)
        picture = cv2.resize(small, size_wh, interpolation=cv2.INTER_NEAREST)
        self.jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        self.fps, self.opened, self.password = fps, 0, ""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Who hangs up is no error."""

    def at(self, path: str, *, credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.server_address[1]}/{path}"


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if server.password and base64.b64decode(given).decode() != f"viewer:{server.password}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        if self.path == "/words":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"Welcome to your camera!\n" * 100)
            return
        if self.path not in ("/live", "/silent", "/once"):
            self.send_error(404)
            return
        server.opened += 1
        self._stream(server, {"/live": 10**6, "/silent": 0, "/once": 10}[self.path])

    def _stream(self, server: PictureServer, pictures: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(server.jpeg)}\r\n\r\n"
        for _ in range(pictures):
            self.wfile.write(head.encode() + server.jpeg + b"\r\n")
            time.sleep(1.0 / server.fps)
        if not pictures:
            time.sleep(20.0)

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def pictures() -> Iterator[PictureServer]:
    server = PictureServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered scene as h264, hevc and mjpeg."""
    folder = tmp_path_factory.mktemp("scene")
    subprocess.run(
        [sys.executable, str(SERVERS / "scene.py"), str(folder), "h264", "hevc", "mjpeg"],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return folder


@pytest.fixture(scope="session")
def truth(clips: Path) -> dict:
    """fps, seconds, and (moment, direction, lane) of every crossing of the clip."""
    return json.loads((clips / "truth.json").read_text())


@pytest.fixture(scope="session")
def has_rtsp_server() -> None:
    """Skips where GStreamer's server is not installed."""
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    found = Path(SYSTEM_PYTHON).exists() and subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True)
    if not found or found.returncode:
        pytest.skip("no RTSP server of GStreamer here: tools/system_packages.sh installs it")


@pytest.fixture
def began() -> float:
    """When the first frame of a clip was shown first."""
    return float(int(time.time()) - 120)


@pytest.fixture
def rtsp_server(has_rtsp_server: None, clips: Path, began: float) -> Iterator[Server]:
    server = Server(SYSTEM_PYTHON, "rtsp.py", began, clips / "h264.json", clips / "hevc.json")
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        yield server


@pytest.fixture
def mjpeg_server(clips: Path, began: float) -> Iterator[Server]:
    server = Server(sys.executable, "mjpeg.py", began, clips / "mjpeg.json")
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        yield server


@pytest.fixture
def wire(rtsp_server: Server) -> Iterator[Wire]:
    wire = Wire(rtsp_server.port)
    yield wire
    wire.close()
