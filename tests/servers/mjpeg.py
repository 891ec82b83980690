"""A camera that serves MJPEG over HTTP, as many cheap ones do: `python mjpeg.py PORT BEGAN CLIP.json [fps]`.

What is seen depends on the clock, as with `rtsp.py`. It answers at /mjpeg, and at /secret only to user:p@ss/wörd.
"""

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, BEGAN, INDEX = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
CLIP = json.loads(INDEX.read_text())
EVERY = max(1, round(CLIP["fps"] / float(sys.argv[4]))) if len(sys.argv) > 4 else 1
STREAM = INDEX.with_suffix(".bin").read_bytes()
ALLOWED = "Basic " + base64.b64encode("user:p@ss/wörd".encode()).decode()


class Camera(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/secret") and self.headers.get("Authorization") != ALLOWED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif self.path not in ("/mjpeg", "/secret"):
            self.send_error(404)
        else:
            self.stream()

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = (int((time.time() - BEGAN) * CLIP["fps"]) + 1) // EVERY * EVERY
        while True:
            time.sleep(max(0.0, BEGAN + number / CLIP["fps"] - time.time()))
            while time.time() - BEGAN - number / CLIP["fps"] > 0.5:
                number += EVERY  # what was missed is missed
            offset, length, _ = CLIP["frames"][number % len(CLIP["frames"])]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + STREAM[offset : offset + length] + b"\r\n")
            except OSError:
                return
            number += EVERY

    def log_message(self, *_):
        pass


ThreadingHTTPServer.daemon_threads = True
server = ThreadingHTTPServer(("127.0.0.1", PORT), Camera)
sys.stdout.write("ready\n")
sys.stdout.flush()
server.serve_forever()
