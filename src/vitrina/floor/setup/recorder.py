"""A video recorder as people write it: one address, and its channels as cameras. Pure.

[[recorder]]
slug = "back-office"
make = "hikvision"
address = "rtsp://viewer:password@10.0.0.20"

[[camera]]
slug = "door"
recorder = "back-office"
channel = 3
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vitrina.floor.layout import CameraLayout, VideoRecorder
from vitrina.floor.setup.address import check_address, hide
from vitrina.floor.setup.field import Table, did_you_mean

CHANNEL = "{channel}"
MOST_CHANNELS = 256

STREAMS = ("sub", "main")
"""sub: the small picture, which is enough to count people and costs a tenth; main: the large one."""

MAKES: dict[str, dict[str, str]] = {
    "hikvision": {"main": "/Streaming/Channels/{channel}01", "sub": "/Streaming/Channels/{channel}02"},
    "dahua": {
        "main": "/cam/realmonitor?channel={channel}&subtype=0",
        "sub": "/cam/realmonitor?channel={channel}&subtype=1",
    },
    "uniview": {"main": "/unicast/c{channel}/s0/live", "sub": "/unicast/c{channel}/s1/live"},
    "reolink": {"main": "/h264Preview_{channel:02}_main", "sub": "/h264Preview_{channel:02}_sub"},
}
"""Where common makes (and the many brands that sell their devices) have the stream of a channel, counted from 1."""

_KEYS = ("slug", "make", "address", "stream")


def read_recorder(table: Table) -> VideoRecorder:
    """The recorder with its address as it stands, passwords included."""
    table.check_keys(_KEYS)
    make = table.choice("make", MAKES) if "make" in table.values else None
    recorder = VideoRecorder(
        slug=table.slug("slug"),
        address=table.parsed("address", check_address),
        make=make,
        stream=table.choice("stream", STREAMS, default="sub"),
    )
    if make is None and CHANNEL not in recorder.address:
        raise table.error(
            f"expected {CHANNEL} where the channel's number stands, or a make ({', '.join(MAKES)}) that says it",
            "address",
        )
    if make is None and "stream" in table.values:
        raise table.error("belongs to a make; here the address says it", "stream")
    return recorder


def read_channel(table: Table, recorders: Mapping[str, VideoRecorder | None]) -> tuple[str, tuple[str, int]]:
    """A camera's source by its recorder and channel. recorders: by slug, None for one that has a mistake of its own."""
    if "source" in table.values:
        raise table.error("belongs to a camera without a recorder; leave out one of them", "source")
    slug = table.text("recorder")
    if slug not in recorders:
        known = f"; {did_you_mean(slug, recorders)}" if recorders else ": add it as [[recorder]]"
        raise table.error(f"there is no recorder {slug!r}{known}", "recorder")
    channel, recorder = _channel(table), recorders[slug]
    return (address_of(recorder, channel) if recorder else slug), (slug, channel)


def address_of(recorder: VideoRecorder, channel: int) -> str:
    """The address of one channel.

    >>> address_of(VideoRecorder("r", "rtsp://10.0.0.20", "hikvision"), 3)
    'rtsp://10.0.0.20/Streaming/Channels/302'
    """
    if recorder.make is None:
        return recorder.address.replace(CHANNEL, str(channel))
    return recorder.address.rstrip("/") + MAKES[recorder.make][recorder.stream].format(channel=channel)


def without_password(recorder: VideoRecorder) -> VideoRecorder:
    return replace(recorder, address=hide(recorder.address)[0])


def check_used(table: Table, recorder: VideoRecorder, cameras: list[CameraLayout]) -> None:
    """A recorder's password is kept with its cameras. Raises InputError for one that has none."""
    if not any(camera.channel and camera.channel[0] == recorder.slug for camera in cameras):
        raise table.error(f'no camera uses it; give one recorder = "{recorder.slug}" and a channel', "slug")


def recorder_row(recorder: VideoRecorder) -> dict[str, Any]:
    """The recorder as a table of the shop file."""
    if recorder.make is None:
        return {"slug": recorder.slug, "address": recorder.address}
    return {"slug": recorder.slug, "make": recorder.make, "address": recorder.address, "stream": recorder.stream}


def _channel(table: Table) -> int:
    value = table.number("channel", low=1, high=MOST_CHANNELS)
    if not value.is_integer():
        raise table.error(f"expected a whole number, got {value:g}", "channel")
    return int(value)
