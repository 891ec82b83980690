from __future__ import annotations

from pathlib import Path

import pytest

from vitrina.errors import InputError
from vitrina.floor.layout import VideoRecorder
from vitrina.floor.setup import shops
from vitrina.floor.setup.recorder import address_of
from vitrina.floor.setup.shopfile import parse
from vitrina.floor.setup.shoptext import export
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

HEAD = """\
[shop]
slug = "riga-1"
timezone = "Europe/Riga"
currency = "EUR"
[plan]
width_m = 12
height_m = 8
[[recorder]]
slug = "back-office"
make = "hikvision"
address = "rtsp://viewer:pa55@10.0.0.20"
"""
DOOR = """\
[[camera]]
slug = "door"
recorder = "back-office"
channel = 3
size = [704, 576]
"""
TILLS = DOOR.replace("door", "tills").replace("= 3", "= 12")
HIDDEN = HEAD.replace("pa55", "***")


@pytest.mark.parametrize(
    ("make", "stream", "channel", "path"),
    [
        ("hikvision", "sub", 3, "/Streaming/Channels/302"),
        ("hikvision", "main", 12, "/Streaming/Channels/1201"),
        ("dahua", "sub", 3, "/cam/realmonitor?channel=3&subtype=1"),
        ("uniview", "main", 1, "/unicast/c1/s0/live"),
        ("reolink", "sub", 4, "/h264Preview_04_sub"),
    ],
)
def test_a_known_make_knows_its_paths(make: str, stream: str, channel: int, path: str) -> None:
    assert (
        address_of(VideoRecorder("r", "rtsp://10.0.0.20:554/", make, stream), channel) == f"rtsp://10.0.0.20:554{path}"
    )


def test_any_other_make_is_written_with_its_channel_in_the_address() -> None:
    text = HEAD.replace('make = "hikvision"\n', "").replace("10.0.0.20", "10.0.0.20/ch{channel}/low")

    (camera,) = parse(text + DOOR).shop.layout.cameras

    assert camera.source == "rtsp://viewer:***@10.0.0.20/ch3/low"
    assert camera.is_live


def test_what_is_exported_is_read_as_the_same_shop_without_the_password() -> None:
    file = parse(HEAD + DOOR + TILLS)

    text = export(file.shop)

    assert 'recorder = "back-office"\nchannel = 3' in text
    assert "pa55" not in text + repr(file)
    assert file.secrets == {"door": ("pa55",), "tills": ("pa55",)}
    assert parse(text).shop == file.shop


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'recorder = "back-office"',
            'recorder = "back-offce"',
            "shop.toml:14: camera[1].recorder: there is no recorder",
        ),
        ("channel = 3", "channel = 0", "shop.toml:15: camera[1].channel: expected a number from 1 to 256"),
        ("channel = 3", "channel = 2.5", "expected a whole number, got 2.5"),
        ("channel = 3", "", "camera[1].channel: missing"),
        ("channel = 3", 'channel = 3\nsource = "door.mp4"', "camera[1].source: belongs to a camera without a recorder"),
        ('recorder = "back-office"', 'source = "door.mp4"', "camera[1].channel: belongs to a recorder"),
        ('make = "hikvision"', 'make = "hikvison"', "shop.toml:10: recorder[1].make: expected one of hikvision"),
        ('make = "hikvision"', "", "recorder[1].address: expected {channel} where the channel's number stands"),
        ("rtsp://viewer", "rtmp://viewer", "recorder[1].address: expected an address that begins with rtsp://"),
        ("@10.0.0.20", "@10.0.0.20 ", "recorder[1].address: expected no space"),
        ('recorder = "back-office"\nchannel = 3', 'source = "door.mp4"', "recorder[1].slug: no camera uses it"),
    ],
)
def test_a_mistake_is_named_by_line_and_field(old: str, new: str, said: str) -> None:
    assert old in HEAD + DOOR

    with pytest.raises(InputError) as caught:
        parse((HEAD + DOOR).replace(old, new))

    assert said in str(caught.value)
    assert "pa55" not in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rtmp://u:pa55@10.0.0.9/1", "expected an address that begins with rtsp://"),
        ("rtsp://u:pa55@/1", "expected rtsp://user:password@host:port/path"),
        ("rtsp://u:pa55@10.0.0.9:99999/1", "expected rtsp://user:password@host:port/path"),
        ("webcam:front", "expected webcam:NUMBER"),
    ],
)
def test_a_source_that_cannot_be_is_named_by_line_and_field(source: str, said: str) -> None:
    text = HEAD + DOOR + f'[[camera]]\nslug = "yard"\nsource = "{source}"\nsize = [640, 480]\n'

    with pytest.raises(InputError, match=r"shop\.toml:19: camera\[2\]\.source: ") as caught:
        parse(text)

    assert said in str(caught.value)
    assert "pa55" not in str(caught.value)


def test_a_password_is_typed_once_and_sealed_for_every_camera_there_will_be(database: Database, tmp_path: Path) -> None:
    box = SecretBox(tmp_path)
    with database.session() as session:
        shops.apply(session, parse(HEAD + DOOR), "ann", box=box)
    with database.session() as session:
        more = shops.apply(session, parse(HIDDEN + DOOR + TILLS), "ann", box=box)
        again = shops.apply(session, parse(shops.export(session, "riga-1")), "ann", box=box)

        assert more.changes == ("camera tills: new",)
        assert again.changes == ()
        assert shops.camera_source(session, tmp_path, "riga-1", "tills") == (
            "rtsp://viewer:pa55@10.0.0.20/Streaming/Channels/1202"
        )
        assert ("riga-1", "tills") in shops.live_cameras(session)


def test_a_changed_recorder_is_said_once_and_makes_no_new_layout(database: Database, tmp_path: Path) -> None:
    box = SecretBox(tmp_path)
    with database.session() as session:
        shops.apply(session, parse(HEAD + DOOR + TILLS), "ann", box=box)
        before = shops.live_cameras(session)

        moved = shops.apply(session, parse((HIDDEN + DOOR + TILLS).replace("10.0.0.20", "10.0.0.21")), "ann", box=box)
        changed = shops.apply(
            session,
            parse((HEAD + DOOR + TILLS).replace("10.0.0.20", "10.0.0.21").replace("pa55", "n3w")),
            "ann",
            box=box,
        )
        switched = shops.apply(
            session,
            parse((HIDDEN + DOOR + TILLS).replace("10.0.0.20", "10.0.0.21").replace("channel = 12", "channel = 4")),
            "ann",
            box=box,
        )

        assert moved.changes == ("recorder back-office: address changed",)
        assert changed.changes == ("recorder back-office: password changed",)
        assert switched.changes == (
            "camera tills: channel 12 of recorder back-office → channel 4 of recorder back-office",
        )
        assert [one.new_layout for one in (moved, changed, switched)] == [False, False, False]
        assert shops.camera_source(session, tmp_path, "riga-1", "door").startswith("rtsp://viewer:n3w@10.0.0.21/")
        assert shops.live_cameras(session) != before


def test_a_camera_that_moves_to_a_recorder_takes_the_recorders_password(database: Database, tmp_path: Path) -> None:
    box = SecretBox(tmp_path)
    own = '[[camera]]\nslug = "tills"\nsource = "rtsp://root:old@10.0.0.9/live"\nsize = [704, 576]\n'
    with database.session() as session:
        shops.apply(session, parse(HEAD + DOOR + own), "ann", box=box)

        shops.apply(session, parse(HIDDEN + DOOR + TILLS), "ann", box=box)

        assert ":pa55@" in shops.camera_source(session, tmp_path, "riga-1", "tills")
