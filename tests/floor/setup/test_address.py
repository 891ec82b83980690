from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.setup.address import check_address, hide, openable, reveal, without_credentials


@pytest.mark.parametrize(
    ("address", "shown", "secrets"),
    [
        ("rtsp://root:pa55@10.0.0.7:554/live?ch=1", "rtsp://root:***@10.0.0.7:554/live?ch=1", ("pa55",)),
        ("rtsp://root:p@ss:w/rd@host/live", "rtsp://root:***@host/live", ("p@ss:w/rd",)),
        ("rtsp://:pa55@host/", "rtsp://:***@host/", ("pa55",)),
        ("http://host/v?user=a&password=se%20c&ch=1", "http://host/v?user=a&password=***&ch=1", ("se%20c",)),
        ("http://u:a@host/v?TOKEN=b", "http://u:***@host/v?TOKEN=***", ("a", "b")),
        (
            "rtsp://host/user=admin_password=tl_Jw_channel=1_stream=0.sdp?real_stream",
            "rtsp://host/user=admin_password=***_channel=1_stream=0.sdp?real_stream",
            ("tl_Jw",),
        ),
        (
            "rtsp://host/user=a&password=b&channel=1&stream=0.sdp?",
            "rtsp://host/user=a&password=***&channel=1&stream=0.sdp?",
            ("b",),
        ),
        ("http://host/v.cgi?loginuse=a&loginpas=b&rate=0", "http://host/v.cgi?loginuse=a&loginpas=***&rate=0", ("b",)),
        ("rtsp://host/cam?channel=1&authbasic=YTpi", "rtsp://host/cam?channel=1&authbasic=***", ("YTpi",)),
        ("http://host/v?api_key=a&keyframe=2", "http://host/v?api_key=***&keyframe=2", ("a",)),
        ("rtsp://host:554/user@place", "rtsp://host:554/user@place", ()),
        ("rtsp://root@host/live", "rtsp://root@host/live", ()),
        ("door.mp4", "door.mp4", ()),
        ("webcam:0", "webcam:0", ()),
    ],
)
def test_passwords_are_hidden_and_found_again(address: str, shown: str, secrets: tuple[str, ...]) -> None:
    assert hide(address) == (shown, secrets)
    assert reveal(shown, secrets) == address


def test_an_address_that_is_hidden_already_stays_as_it_is() -> None:
    assert hide("rtsp://root:***@host/") == ("rtsp://root:***@host/", ("***",))


def test_a_missing_password_is_named_without_giving_others_away() -> None:
    with pytest.raises(InputError, match="expected 1 passwords"):
        reveal("rtsp://root:***@host/", ())


@given(st.text(st.characters(codec="utf-8", exclude_characters="?", exclude_categories=["Z", "C"]), min_size=1))
def test_any_password_can_be_hidden_but_one_with_a_question_mark(password: str) -> None:
    if password.split("/")[0].isdecimal() and "/" in password:
        return  # looks like a port
    address = f"rtsp://root:{password}@camera.local/live"

    shown, secrets = hide(address)

    assert shown == "rtsp://root:***@camera.local/live"
    assert reveal(shown, secrets) == address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://root:p@ss:w/rd@host:554/live", "rtsp://…@host:554/live"),
        ("rtsp://root:p%40ss@host/live", "rtsp://…@host/live"),
        ("rtsp://root@host/live", "rtsp://…@host/live"),
        ("rtsp://host/user@place", "rtsp://host/user@place"),
        ("http://host/v?password=secret&ch=1", "http://host/v?password=***&ch=1"),
    ],
)
def test_a_log_shows_neither_user_nor_password(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://root:s3c?ret@host/live",
        "rtsp://root:s3c/r et@host/live",
        "rtmp://root:s3c?ret@host/live",
        "rtsp://r:s3c?@ret",
    ],
)
def test_an_address_that_is_refused_is_told_without_its_password(address: str) -> None:
    with pytest.raises(InputError) as caught:
        check_address(address)

    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("rtsp://root:p@ss:w/rd@host/live", "rtsp://root:p%40ss%3Aw%2Frd@host/live"),
        ("rtsp://root:p%40ss@host/live", "rtsp://root:p%40ss@host/live"),
        ("rtsp://host/live", "rtsp://host/live"),
        ("http://host/v?password=a b", "http://host/v?password=a b"),
    ],
)
def test_any_password_can_be_pasted_as_it_is(address: str, opened: str) -> None:
    assert openable(address) == opened
