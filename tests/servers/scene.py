"""A rendered shop door: coloured people walk to and fro, and every picture tells its own number.

    python scene.py FOLDER [h264] [hevc] [mjpeg]

writes FOLDER/h264.bin (an elementary stream) and FOLDER/h264.json (its index) for `rtsp.py` and `mjpeg.py`, and
FOLDER/truth.json. The header claims 25 frames a second; 21 are delivered.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, LINE_X = 320, 240, 160
FPS, CLAIMED = 21, 25
SECONDS = 60
PERSON_WH = (26, 64)
SPEED = 70.0  # pixels a second
LANES = (40, 130)
BLOCK, BITS = 8, 12


def walkers():
    """(moment at which the line is crossed, direction, lane): spaced so that nobody hides anybody."""
    rng = np.random.default_rng(7)
    found = []
    for lane in range(len(LANES)):
        moment = 3.5 + 1.3 * lane
        while moment < SECONDS - 3.5:
            found.append((round(moment, 3), "in" if rng.random() < 0.6 else "out", lane))
            moment += 6.5
    return sorted(found)


def render(number):
    """(HEIGHT, WIDTH, 3) uint8 RGB of the frame `number` of the clip."""
    t = number / FPS
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    picture[::16] = 118
    for moment, direction, lane in walkers():
        x = LINE_X + (t - moment) * SPEED * (1 if direction == "in" else -1)
        left, right = round(x - PERSON_WH[0] / 2), round(x + PERSON_WH[0] / 2)
        if right > 0 and left < WIDTH:
            top = LANES[lane]
            picture[top : top + PERSON_WH[1], max(0, left) : right] = (200, 40, 40) if lane else (40, 60, 200)
    for bit in range(BITS):
        picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
    return picture


def encode(codec):
    """Yields (bytes, is key frame) for each picture of the clip, decodable from every key frame on."""
    pictures = (render(number) for number in range(FPS * SECONDS))
    if codec == "mjpeg":
        for picture in pictures:
            yield cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes(), True
        return
    context = av.CodecContext.create({"h264": "libx264", "hevc": "libx265"}[codec], "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, CLAIMED), Fraction(CLAIMED, 1)
    context.gop_size = FPS
    context.options = {"preset": "ultrafast", "tune": "zerolatency"} | (
        {"x265-params": f"keyint={FPS}:min-keyint={FPS}:repeat-headers=1:log-level=none:pools=none:frame-threads=1"}
        if codec == "hevc"
        else {"x264-params": f"keyint={FPS}:min-keyint={FPS}:scenecut=0"}
    )
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, context.time_base
        yield from ((bytes(packet), packet.is_keyframe) for packet in context.encode(frame))
    yield from ((bytes(packet), packet.is_keyframe) for packet in context.encode(None))


def write(folder, codec):
    offset, index = 0, []
    with (folder / f"{codec}.bin").open("wb") as stream:
        for data, is_key in encode(codec):
            stream.write(data)
            index.append((offset, len(data), is_key))
            offset += len(data)
    (folder / f"{codec}.json").write_text(json.dumps({"codec": codec, "fps": FPS, "frames": index}))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for wanted in sys.argv[2:]:
        write(target, wanted)
    (target / "truth.json").write_text(json.dumps({"fps": FPS, "seconds": SECONDS, "crossings": walkers()}))
