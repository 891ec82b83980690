"""The demo's clip: a real recording of a street, played in a loop through the real pipeline."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from rich.console import Console

from vitrina.floor.camera import FileCamera
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import parse
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

STREET = "street"
CAPTION = "A street, not a shop: a public sample recording, played in a loop through the real pipeline."
PACKAGE = "opencv-doc"
SAMPLE = "vtest.avi"
TRUE_FPS = 7
"""The file says 10 frames a second; the recording (PETS 2009) was made with 7."""
IN_PACKAGE = f"usr/share/doc/opencv-doc/examples/data/{SAMPLE}"


def find(settings: Settings, video: Path | None, *, console: Console) -> Path | None:
    """The clip to play: the one that was named, the cached sample, or the sample out of Debian's package.

    None, with a word on how to get one, where there is no Debian. Raises CameraError for a file that is no video.
    """
    if video is not None:
        FileCamera(video, camera_id=STREET)
        return video.resolve()
    cached = settings.home.parent / "cache" / SAMPLE
    if cached.is_file() or _fetch(cached, console):
        return cached
    console.print(
        "No sample clip: it comes from Debian's package opencv-doc, and apt-get or dpkg-deb is not here (or could not "
        "reach its archive). The simulated chain is there all the same; to see the pipeline, name a clip of yours: "
        "make demo VIDEO=clip.mp4"
    )
    return None


def add_street(settings: Settings, clip: Path) -> None:
    """Make the clip a shop of its own, with the calibration and zones that ship."""
    text = resources.files("vitrina.floor").joinpath("demo/street.toml").read_text(encoding="utf-8")
    source = f"loop:{clip}?fps={TRUE_FPS}" if clip.name == SAMPLE else f"loop:{clip}"
    file = parse(text.replace(f'"{SAMPLE}"', json.dumps(source)), name="street.toml")
    database = Database(settings.database)
    try:
        with database.session() as session:
            shops.apply(session, file, "demo", box=SecretBox(settings.home))
    finally:
        database.dispose()


def _fetch(target: Path, console: Console) -> bool:
    """Unpack the sample from its package, without root. False when this machine cannot."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, console.status("fetching the sample clip (95 MB)"):
        # A fresh machine has no list of packages, and only root may write the usual one.
        lists = Path(folder) / "lists" / "partial"
        lists.mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={lists.parent}", "-o", f"Dir::Cache={folder}"]
        if not (_ran(["apt-get", "download", PACKAGE], folder) or _ran_all(own, folder)):
            return False
        package = next(Path(folder).glob(f"{PACKAGE}*.deb"), None)
        if package is None or not _ran(["dpkg-deb", "--extract", package.name, "unpacked"], folder):
            return False
        shutil.move(Path(folder) / "unpacked" / IN_PACKAGE, target)
    return True


def _ran_all(options: list[str], folder: str) -> bool:
    return _ran(["apt-get", *options, "update"], folder) and _ran(["apt-get", *options, "download", PACKAGE], folder)


def _ran(command: list[str], folder: str) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0  # noqa: S603
