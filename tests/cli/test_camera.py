from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from vitrina.cli.floor import app
from vitrina.errors import CameraError, InputError, NotFoundError
from vitrina.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(load_settings({}), home=tmp_path / "home")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "door.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(30):
            picture = np.kron(np.random.default_rng(number).integers(0, 255, (15, 20, 3)), np.ones((32, 32, 1)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path


def run(settings: Settings, *words: object):
    return CliRunner().invoke(app, ["camera", "check", *map(str, words)], obj=settings)


def test_a_source_is_described_and_nothing_is_saved(settings: Settings, clip: Path) -> None:
    done = run(settings, clip, "--json")

    told = json.loads(done.output)
    assert (told["size_wh"], told["fps_claimed"], told["frames"]) == ([640, 480], 10.0, 30)
    assert told["doubts"] == []
    assert not settings.home.exists()
    assert "Nothing wrong with it" in run(settings, clip).output


def test_the_picture_is_saved_when_somebody_says_where(settings: Settings, clip: Path, tmp_path: Path) -> None:
    run(settings, clip, "--picture", tmp_path / "view.jpg")

    assert (tmp_path / "view.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_camera_of_a_shop_is_opened_with_its_kept_password(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shop = tmp_path / "shop.toml"
    shop.write_text(
        f"""
        [shop]
        slug = "riga-1"
        timezone = "Europe/Riga"
        currency = "EUR"
        [plan]
        width_m = 12
        height_m = 8
        [[recorder]]
        slug = "back-office"
        make = "dahua"
        address = "rtsp://viewer:s3cret@127.0.0.1:{port}"
        [[camera]]
        slug = "door"
        recorder = "back-office"
        channel = 3
        size = [704, 576]
        """
    )

    done = run(settings, "door", "--shop", shop)

    assert isinstance(done.exception, CameraError)
    assert f"127.0.0.1:{port}/cam/realmonitor?channel=3&subtype=1: nothing listens" in str(done.exception)
    assert "s3cret" not in str(done.exception) + done.output
    assert isinstance(run(settings, "dor", "--shop", "riga-1").exception, NotFoundError)


def test_what_cannot_be_a_source_is_refused(settings: Settings) -> None:
    done = run(settings, "rtmp://viewer:s3cret@10.0.0.9/1")

    assert isinstance(done.exception, InputError)
    assert "s3cret" not in str(done.exception)
