"""Pictures of offers, from a server that really answers, well and badly."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitrina.errors import InputError
from vitrina.lens import store
from vitrina.lens.pictures import RECHECK_S, RETRY_AFTER_S, Manners, due, fetch_pictures, read_thumbnail

NOW = 1_800_000_000.0
PATIENT = Manners(silence_s=120.0, deadline_s=300.0)
"""For a machine that stalls."""


def jpeg(seed: int = 1, size_wh: tuple[int, int] = (600, 400)) -> bytes:
    rows, columns = np.mgrid[: size_wh[1], : size_wh[0]]
    pixels = np.stack([(rows * seed) % 256, columns % 256, (rows + columns) % 256], axis=2).astype(np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, "JPEG")
    return content.getvalue()


class Shop:
    """A picture server. answers: path → body, status code, or an address to redirect to."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | int | str] = {}
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        shop, counting = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with counting:
                    shop.asked[self.path] += 1
                    shop.at_once += 1
                    shop.most_at_once = max(shop.most_at_once, shop.at_once)
                time.sleep(0.02)
                with counting:  # before the answer: whoever has it may be here again before we go on
                    shop.at_once -= 1
                self.answer(shop.answers.get(self.path, 404))

            def answer(self, what: bytes | int | str) -> None:
                tag = f'"{len(what)}"' if isinstance(what, bytes) else ""
                if tag and self.headers.get("If-None-Match") == tag:
                    what = 304
                self.send_response(what if isinstance(what, int) else 302 if isinstance(what, str) else 200)
                if tag:
                    self.send_header("ETag", tag)
                if isinstance(what, str):
                    self.send_header("Location", what)
                body = what if isinstance(what, bytes) else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:10])
                if self.path.startswith("/drip"):
                    self.drip(body[10:])
                else:
                    self.wfile.write(body[10:])

            def drip(self, body: bytes) -> None:
                with suppress(OSError):  # who asked has gone
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.02)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


def offers(folder: Path, *urls: str, feed_id: str = "feed", gone_at: float | None = None) -> None:
    """One live offer for each address."""
    catalog = store.open_catalog(folder / "catalog.db")
    with store.writing(catalog):
        for url in urls:
            catalog.execute("INSERT OR IGNORE INTO pictures(url) VALUES(?)", (url,))
            (picture_key,) = catalog.execute("SELECT picture_key FROM pictures WHERE url = ?", (url,)).fetchone()
            (number,) = catalog.execute("SELECT count(*) FROM offers").fetchone()
            key = catalog.execute(
                "INSERT INTO offers(shop, offer_id, digest, name, brand, vendor_code, gtin, group_id, category,"
                " price_minor, currency, available, url, params, description, line, feed_id, changed_at, gone_at)"
                " VALUES('shop', ?, x'00', 'Shoe', '', '', '', '', '', 100, 'EUR', 1, '', '[]', '', 1, ?, 0, ?)",
                (str(number), feed_id, gone_at),
            ).lastrowid
            catalog.execute("INSERT INTO offer_pictures VALUES(?, 0, ?)", (key, picture_key))
    catalog.close()


def fetch(
    folder: Path, *, now: float = NOW, private: tuple[str, ...] = ("feed",), manners: Manners = PATIENT
) -> dict[str, int]:
    catalog = store.open_catalog(folder / "catalog.db")
    wanted = due(catalog, now, private=private)
    catalog.close()
    return fetch_pictures(folder, wanted, manners=manners, now=lambda: now)


def said(folder: Path) -> dict[str, tuple[str, str]]:
    catalog = store.open_catalog(folder / "catalog.db")
    found = {
        row["url"].rpartition("/")[2]: (row["state"], row["reason"])
        for row in catalog.execute("SELECT * FROM pictures")
    }
    catalog.close()
    return found


def shas(folder: Path) -> list[str]:
    catalog = store.open_catalog(folder / "catalog.db")
    found = [row[0] for row in catalog.execute("SELECT sha256 FROM pictures ORDER BY picture_key")]
    catalog.close()
    return found


def test_a_picture_on_six_offers_is_fetched_once_and_kept_small(tmp_path: Path, shop: Shop) -> None:
    shop.answers["/a.jpg"] = jpeg()
    offers(tmp_path, *[f"{shop.address}/a.jpg"] * 6)

    assert fetch(tmp_path) == {"ok": 1}
    assert fetch(tmp_path) == {}

    assert shop.asked == {"/a.jpg": 1}
    assert read_thumbnail(tmp_path, shas(tmp_path)[0]).shape == (256, 384, 3)


def test_the_same_picture_at_two_addresses_is_one(tmp_path: Path, shop: Shop) -> None:
    shop.answers |= {"/a.jpg": jpeg(), "/b.jpg": jpeg()}
    offers(tmp_path, f"{shop.address}/a.jpg", f"{shop.address}/b.jpg")

    assert fetch(tmp_path) == {"ok": 2}
    assert len(set(shas(tmp_path))) == 1


def test_what_is_no_picture_is_refused_with_its_reason_and_the_rest_goes_on(tmp_path: Path, shop: Shop) -> None:
    bomb = BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    shop.answers |= {
        "/good.jpg": jpeg(),
        "/page.jpg": b"<!doctype html><html><body>Sorry</body></html>",
        "/bomb.png": bomb.getvalue(),
        "/cut.jpg": jpeg()[:700],
        "/packed.jpg": gzip.compress(jpeg()),
        "/zip.jpg": gzip.compress(b"\0" * 40_000_000),
        "/moved.jpg": "/good.jpg",
    }
    offers(tmp_path, *[f"{shop.address}{path}" for path in shop.answers], f"{shop.address}/gone.jpg")

    assert fetch(tmp_path) == {"ok": 3, "retry": 4, "failed": 1}

    told = said(tmp_path)
    assert [name for name, (state, _) in told.items() if state == "ok"] == ["good.jpg", "packed.jpg", "moved.jpg"]
    assert "HTML" in told["page.jpg"][1]
    assert "pixel" in told["bomb.png"][1]
    assert "damaged" in told["cut.jpg"][1]
    assert "more than 10 MB" in told["zip.jpg"][1]
    assert "HTTP 404" in told["gone.jpg"][1]


def test_a_private_address_is_not_asked_and_neither_is_one_that_is_redirected_to(tmp_path: Path, shop: Shop) -> None:
    offers(tmp_path, f"{shop.address}/a.jpg", "http://169.254.169.254/latest/meta-data")

    assert fetch(tmp_path, private=()) == {"failed": 2}

    assert shop.asked == {}
    assert all("not on the public internet" in reason for _, reason in said(tmp_path).values())


def test_what_failed_is_tried_again_later_and_not_for_ever(tmp_path: Path, shop: Shop) -> None:
    offers(tmp_path, f"{shop.address}/a.jpg")
    now = NOW
    assert fetch(tmp_path, now=now) == {"retry": 1}
    assert fetch(tmp_path, now=now + 1) == {}
    for wait_s in RETRY_AFTER_S[:-1]:
        now += wait_s + 1
        assert fetch(tmp_path, now=now) == {"retry": 1}

    now += RETRY_AFTER_S[-1] + 1
    assert fetch(tmp_path, now=now) == {"failed": 1}
    assert fetch(tmp_path, now=now + 10 * RETRY_AFTER_S[-1]) == {}
    assert shop.asked["/a.jpg"] == len(RETRY_AFTER_S) + 1


def test_a_host_is_asked_by_two_at_once_at_most(tmp_path: Path, shop: Shop) -> None:
    shop.answers |= {f"/{n}.jpg": jpeg(n + 1, (80, 60)) for n in range(8)}
    offers(tmp_path, *[f"{shop.address}{path}" for path in shop.answers])

    assert fetch(tmp_path) == {"ok": 8}
    assert shop.most_at_once <= 2


def test_pictures_of_offers_that_are_gone_are_not_fetched(tmp_path: Path, shop: Shop) -> None:
    offers(tmp_path, f"{shop.address}/a.jpg", gone_at=NOW)

    assert fetch(tmp_path) == {}


def test_a_slow_server_is_left_at_the_deadline_and_the_rest_goes_on(tmp_path: Path, shop: Shop) -> None:
    shop.answers |= {"/drip.jpg": jpeg(), "/good.jpg": jpeg(2)}
    offers(tmp_path, f"{shop.address}/drip.jpg", f"{shop.address}/good.jpg")

    assert fetch(tmp_path, manners=Manners(deadline_s=5.0)) == {"ok": 1, "retry": 1}

    assert "no answer within 5 s" in said(tmp_path)["drip.jpg"][1]


def test_after_a_month_a_server_is_asked_whether_a_picture_changed(tmp_path: Path, shop: Shop) -> None:
    shop.answers |= {"/a.jpg": jpeg(), "/b.jpg": jpeg(2), "/c.jpg": jpeg(3)}
    offers(tmp_path, *[f"{shop.address}{path}" for path in shop.answers])
    fetch(tmp_path)
    a, b, c = shas(tmp_path)
    shop.answers |= {"/b.jpg": jpeg(7, (300, 300)), "/c.jpg": 500}

    assert fetch(tmp_path, now=NOW + RECHECK_S - 1) == {}
    assert fetch(tmp_path, now=NOW + RECHECK_S) == {"ok": 3}

    again = shas(tmp_path)
    assert (again[0], again[2]) == (a, c)
    assert again[1] not in (a, b, c)
    assert said(tmp_path)["a.jpg"] == ("ok", "")
    assert "HTTP 500" in said(tmp_path)["c.jpg"][1]
    assert fetch(tmp_path, now=NOW + RECHECK_S + 1) == {}


def test_letters_of_other_scripts_and_fragments_stand_in_an_address(tmp_path: Path, shop: Shop) -> None:
    shop.answers["/%D1%84%D0%BE%D1%82%D0%BE.jpg?n=%C3%A4"] = jpeg()
    offers(tmp_path, f"{shop.address}/фото.jpg?n=ä#top")

    assert fetch(tmp_path) == {"ok": 1}


@pytest.mark.parametrize(
    "url", ["http://[cdn.example/a.jpg", "https://cdn\u2100.example/a.jpg", "https://a:b@c.example/"]
)
def test_what_is_no_address_is_told_once_and_the_rest_goes_on(tmp_path: Path, shop: Shop, url: str) -> None:
    shop.answers["/good.jpg"] = jpeg()
    offers(tmp_path, url, f"{shop.address}/good.jpg")

    assert fetch(tmp_path) == {"failed": 1, "ok": 1}
    assert "expected an address such as https://" in said(tmp_path)[url.rpartition("/")[2]][1]


def test_a_picture_that_cannot_be_kept_is_tried_later_and_not_at_once_again(tmp_path: Path, shop: Shop) -> None:
    shop.answers["/a.jpg"] = jpeg()
    offers(tmp_path, f"{shop.address}/a.jpg")
    (tmp_path / "pictures").write_text("no folder")  # as good as one that somebody else owns

    assert fetch(tmp_path) == {"retry": 1}
    assert fetch(tmp_path) == {}
    (tmp_path / "pictures").unlink()
    assert fetch(tmp_path, now=NOW + RETRY_AFTER_S[0]) == {"ok": 1}


def test_an_error_that_nobody_expected_is_an_outcome_too(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("vitrina.lens.pictures.read_photo", broken)
    shop.answers["/a.jpg"] = shop.answers["/b.jpg"] = jpeg()
    offers(tmp_path, f"{shop.address}/a.jpg", f"{shop.address}/b.jpg")

    assert fetch(tmp_path) == {"retry": 2}
    assert fetch(tmp_path) == {}


def test_files_that_an_import_was_allowed_are_read(tmp_path: Path) -> None:
    (tmp_path / "my picture.jpg").write_bytes(jpeg())
    offers(tmp_path, f"file://{tmp_path}/my%20picture.jpg", f"file://{tmp_path}/nowhere.jpg")

    assert fetch(tmp_path) == {"ok": 1, "retry": 1}
    with pytest.raises(InputError, match="not kept here"):
        read_thumbnail(tmp_path, "0" * 64)
