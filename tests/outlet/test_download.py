from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vitrina.errors import DeniedError, InputError, LimitError
from vitrina.outlet.download import Downloaded, Version, download
from vitrina.work.worker import TryAgain

CONTENT = bytes(range(256)) * 40
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Shop:
    """A server whose answers a test writes; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self.address = ""


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append({"path": self.path, **{key.lower(): value for key, value in self.headers.items()}})
            shop.answers[min(len(shop.asked), len(shop.answers)) - 1](self)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    shop.address = f"http://127.0.0.1:{server.server_port}"
    yield shop
    server.shutdown()
    server.server_close()


def answer(status: int = 200, body: bytes = b"", *, cut_at: int | None = None, **headers: str) -> Answer:
    """cut_at: the line is cut after so many bytes of the body."""

    def write(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:cut_at])
        handler.close_connection = True

    return write


def fetch(shop: Shop, tmp_path: Path, path: str = "/feed", **options: Any) -> Downloaded:
    given = {"allow_private": True, "largest": 10**6, "retry_wait_s": 0.01} | options
    return download(shop.address + path, tmp_path / "feed", **given)


def test_a_file_is_fetched_with_what_it_is_called(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(body=CONTENT, ETag='"a"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")]

    got = fetch(shop, tmp_path)

    assert got == Downloaded(Version('"a"', "Mon, 01 Jan 2024 00:00:00 GMT"), len(CONTENT))
    assert (tmp_path / "feed").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["feed"]


def test_a_file_that_did_not_change_does_not_come(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(304)]

    assert fetch(shop, tmp_path, known=Version('"a"', "Monday")).is_unchanged
    assert not (tmp_path / "feed").exists()
    assert (shop.asked[0]["if-none-match"], shop.asked[0]["if-modified-since"]) == ('"a"', "Monday")


def test_a_line_that_is_cut_goes_on_where_it_was(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [
        answer(body=CONTENT, cut_at=4000, ETag='"a"'),
        answer(206, CONTENT[4000:], ETag='"a"', Content_Range=f"bytes 4000-{len(CONTENT) - 1}/{len(CONTENT)}"),
    ]

    fetch(shop, tmp_path)

    assert (tmp_path / "feed").read_bytes() == CONTENT
    assert (shop.asked[1]["range"], shop.asked[1]["if-range"]) == ("bytes=4000-", '"a"')


def test_a_line_that_is_cut_again_and_again_gets_there(shop: Shop, tmp_path: Path) -> None:
    steps = range(0, len(CONTENT), 1000)
    shop.answers = [answer(206 if at else 200, CONTENT[at:], cut_at=1000, ETag='"a"') for at in steps]

    fetch(shop, tmp_path)

    assert (tmp_path / "feed").read_bytes() == CONTENT
    assert len(shop.asked) == len(steps)


def test_a_name_that_nobody_knows_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match=r"^nowhere\.invalid: the host's name is not known$"):
        download("https://nowhere.invalid/?key=k", tmp_path / "feed", largest=10)


@pytest.mark.parametrize("tag", ['W/"a"', ""])
def test_without_a_strong_name_a_file_comes_from_its_beginning(shop: Shop, tmp_path: Path, tag: str) -> None:
    headers = {"ETag": tag} if tag else {}
    shop.answers = [answer(body=CONTENT, cut_at=4000, **headers), answer(body=CONTENT, **headers)]

    fetch(shop, tmp_path)

    assert "range" not in shop.asked[1]
    assert (tmp_path / "feed").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_comes_anew(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(body=CONTENT, cut_at=4000, ETag='"a"'), answer(body=b"new" * 1000, ETag='"b"')]

    assert fetch(shop, tmp_path).version.etag == '"b"'
    assert (tmp_path / "feed").read_bytes() == b"new" * 1000


def test_a_server_that_is_away_for_a_moment_is_asked_again(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(503), answer(500), answer(body=CONTENT)]

    assert fetch(shop, tmp_path).size == len(CONTENT)


def test_a_server_that_stays_away_is_tried_later(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(503)]

    with pytest.raises(TryAgain, match=r"127\.0\.0\.1: the server answered HTTP 503; tried 4 times"):
        fetch(shop, tmp_path)


@pytest.mark.parametrize(("status", "message"), [(404, "nothing there"), (401, "password"), (410, "HTTP 410")])
def test_an_answer_that_will_not_change_is_said(shop: Shop, tmp_path: Path, status: int, message: str) -> None:
    shop.answers = [answer(status)]

    with pytest.raises(InputError, match=message):
        fetch(shop, tmp_path)
    assert len(shop.asked) == 1


def test_a_file_that_is_too_large_is_not_fetched_to_its_end(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(body=CONTENT)]

    with pytest.raises(LimitError, match="larger"):
        fetch(shop, tmp_path, largest=5000)


def test_a_password_goes_to_its_own_host_only_and_into_no_message(shop: Shop, tmp_path: Path) -> None:
    other = shop.address.replace("127.0.0.1", "localhost")
    shop.answers = [answer(302, Location="/moved"), answer(302, Location=f"{other}/there?key=k3y"), answer(404)]
    shop.address = shop.address.replace("://", "://me:s3cret@")

    with pytest.raises(InputError) as refused:
        fetch(shop, tmp_path)

    assert ["authorization" in one for one in shop.asked] == [True, True, False]
    assert not {"s3cret", "k3y", "me:"} & set(str(refused.value).split())


def test_redirects_end(shop: Shop, tmp_path: Path) -> None:
    shop.answers = [answer(302, Location="/again")]

    with pytest.raises(InputError, match="more than 5 redirects"):
        fetch(shop, tmp_path)


def test_an_address_in_a_private_network_is_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(DeniedError, match="not on the public internet"):
        fetch(shop, tmp_path, allow_private=False)
    assert shop.asked == []


@pytest.mark.parametrize("place", ["file:///etc/passwd", "gopher://x/", "http://[::1"])
def test_a_redirect_goes_nowhere_that_an_address_may_not(shop: Shop, tmp_path: Path, place: str) -> None:
    shop.answers = [answer(302, Location=place)]

    with pytest.raises(InputError, match="expected https"):
        fetch(shop, tmp_path)


def test_progress_is_told(shop: Shop, tmp_path: Path) -> None:
    shop.answers, told = [answer(body=CONTENT)], []

    fetch(shop, tmp_path, on_progress=lambda got, all_: told.append((got, all_)))

    assert told[-1] == (len(CONTENT), len(CONTENT))
