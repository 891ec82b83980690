"""A real RTSP server: GStreamer's, run with the system's Python (see tools/system_packages.sh).

    /usr/bin/python3 rtsp.py PORT BEGAN CLIP.json [CLIP.json …]

Each clip is served at its stem (rtsp://127.0.0.1:PORT/h264), as a live camera would: what is seen depends on the clock,
not on when somebody connects. BEGAN: when the clip's first frame was shown first, in seconds since the epoch; the clip
is repeated for ever. A clip is an elementary stream with an index beside it, which `tests/servers/scene.py` writes.
"""

import json
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PAY = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au ! h264parse config-interval=-1 ! rtph264pay pt=96",
    "hevc": "video/x-h265,stream-format=byte-stream,alignment=au ! h265parse config-interval=-1 ! rtph265pay pt=96",
}


class Feed(threading.Thread):
    """Pushes a clip's pictures when they are due, from the next key frame on, until nobody takes them."""

    def __init__(self, source, clip, stream, began):
        super().__init__(daemon=True)
        self.source, self.clip, self.stream, self.began = source, clip, stream, began

    def run(self):
        frames, fps, late = self.clip["frames"], self.clip["fps"], False
        number = int((time.time() - self.began) * fps) + 1
        while not frames[number % len(frames)][2]:
            number += 1
        while True:
            time.sleep(max(0.0, self.began + number / fps - time.time()))
            while time.time() - self.began - number / fps > 0.5 or (late and not frames[number % len(frames)][2]):
                number, late = number + 1, True  # what was missed is missed: on with the next key frame
            late = False
            offset, length, _ = frames[number % len(frames)]
            buffer = Gst.Buffer.new_wrapped(self.stream[offset : offset + length])
            if self.source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return
            number += 1


class Factory(GstRtspServer.RTSPMediaFactory):
    def __init__(self, index, began):
        super().__init__()
        self.clip = json.loads(index.read_text())
        self.stream = index.with_suffix(".bin").read_bytes()
        self.began = began
        codec = self.clip["codec"]
        self.set_launch(f"( appsrc name=source is-live=true do-timestamp=true format=time ! {PAY[codec]} name=pay0 )")

    def do_configure(self, media):
        source = media.get_element().get_by_name_recurse_up("source")
        Feed(source, self.clip, self.stream, self.began).start()


def main():
    port, began, indexes = sys.argv[1], float(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    pool = GstRtspServer.RTSPThreadPool()
    pool.set_max_threads(len(indexes))  # a stream opens with its next key frame; the others need not wait for it
    server.set_thread_pool(pool)
    for index in indexes:
        server.get_mount_points().add_factory(f"/{index.stem}", Factory(index, began))
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


main()
