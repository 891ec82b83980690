"""Cashback in a real browser: a page made on a phone, a click to a real shop, a purchase that is missing, decisions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from vitrina.lens import booking, networks
from vitrina.lens.postback import Conversion

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "dark"}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text().partition("\n")[2]


class Shop(BaseHTTPRequestHandler):
    """What a shop behind a network sees of a shopper."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        if not self.path.startswith("/favicon"):
            self.seen.append((self.path, self.headers.get("Referer")))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Boot</title>")

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@pytest.fixture
def shop(lens_home: Any) -> Iterator[type[Shop]]:
    """A shop that really listens, as the network that links go through."""
    kind = type("OneShop", (Shop,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    database = lens_home.database()
    with database.session() as session:
        base = f"http://127.0.0.1:{server.server_port}/go"
        networks.set_program(session, "best", "generic", base=base, by="test")
    database.dispose()
    yield kind
    server.shutdown()
    server.server_close()
    thread.join()


def report(home: Any, click_id: str, state: str) -> None:
    database = home.database()
    with database.session() as session:
        told = Conversion("generic", "A-7", "", click_id, state, None, None, "")
        booking.take(session, told, who="network:generic", now=datetime.now(UTC))
    database.dispose()


def test_a_shopper_follows_a_purchase_from_the_click_to_the_money(
    lens_home: Any, shop: type[Shop], serve: Callable[..., str], browse: Any, watch: Any
) -> None:
    page = browse(serve(lens_home), **PHONE)
    page.goto("/cashback")
    page.get_by_role("button", name="Make my page").tap()
    page.wait_for_selector("text=Keep this link")
    mine = urlsplit(page.url).path
    assert mine in page.locator("#wallet-link").inner_text()

    page.goto("/go/best/1")
    [(path, referer)] = shop.seen
    click_id = parse_qs(urlsplit(path).query)["subid"][0]
    assert parse_qs(urlsplit(path).query)["url"] == ["https://best.example/boot?id=1"]
    assert referer is None

    page.goto(mine)
    page.get_by_text("My purchase is missing").tap()
    page.get_by_label("Order number").fill("DE-1")
    page.get_by_role("button", name="Look for it").tap()
    page.wait_for_selector("text=we ask the shop")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(CONTRAST) == []

    report(lens_home, click_id, "approved")
    page.goto(mine)
    assert "€2.49" in page.locator(".sums").inner_text()
    assert "approved" in page.locator(".claims").first.inner_text()
    assert (watch.violations, watch.errors) == ([], [])


def test_a_manager_decides_and_traces_one_claim(
    lens_home: Any, shop: type[Shop], serve: Callable[..., str], browse: Any, watch: Any
) -> None:
    lens_home.person("anna@example.org", ("admin", None), name="Anna")
    address = serve(lens_home)
    shopper, page = browse(address), browse(address)
    shopper.goto("/go/best/1")
    report(lens_home, parse_qs(urlsplit(shop.seen[0][0]).query)["subid"][0], "pending")
    page.goto("/catalog/cashback")
    page.fill("[name=email]", "anna@example.org")
    page.fill("[name=password]", "correct horse battery")
    page.press("[name=password]", "Enter")
    page.get_by_label("Choose order A-7").check()
    page.get_by_label("Why, or the payment").fill("seen in the mail")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_selector("text=1 changed.")
    page.get_by_role("link", name="A-7").click()
    page.wait_for_selector("h1:has-text('One claim')")

    assert "seen in the mail" in page.inner_text("main")
    for path in ("/catalog/cashback", "/catalog/cashback/terms", "/catalog/report"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert page.evaluate(CONTRAST) == []
    assert (watch.violations, watch.errors, watch.hosts) == ([], [], {"127.0.0.1"})
