"""Opens a video source and gives frames with the stream's own time, and says how healthy the source is.

`source` knows what a source's text means; `file`, `loop`, `webcam`, `stream` and `recorded` are the sources; `health`
is what each writes while it runs, `clock` and `thin` are pure, `decode` owns PyAV.
"""

from vitrina.floor.camera.boxes import BoxesCamera
from vitrina.floor.camera.file import FileCamera
from vitrina.floor.camera.health import PROBLEMS, Health, Pause, Problem, State
from vitrina.floor.camera.loop import LoopCamera
from vitrina.floor.camera.recorded import RecordedCamera
from vitrina.floor.camera.source import LONGEST_PX, AnyCamera, Camera, open_camera
from vitrina.floor.camera.stream import StreamCamera
from vitrina.floor.camera.thin import thin
from vitrina.floor.camera.webcam import WebcamCamera

__all__ = [
    "LONGEST_PX",
    "PROBLEMS",
    "AnyCamera",
    "BoxesCamera",
    "Camera",
    "FileCamera",
    "Health",
    "LoopCamera",
    "Pause",
    "Problem",
    "RecordedCamera",
    "State",
    "StreamCamera",
    "WebcamCamera",
    "open_camera",
    "thin",
]
