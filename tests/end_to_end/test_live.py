"""The live view in a real browser: dots that move, a camera that is lost, the real picture, no asking unseen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from vitrina.floor.setup.shops import load_shop
from vitrina.floor.worker.address import What
from vitrina.floor.worker.server import Server

pytestmark = pytest.mark.slow

SHOP = "demo-berlin"
PASSWORD = "correct horse battery"


class Post:
    """A worker made of paper: one person walks to the right, half a metre at each question."""

    def __init__(self, camera: str) -> None:
        self.camera, self.steps, self.encoded, self.lost = camera, 0, 0, False
        self.asked_at: list[float] = []
        self._lock = threading.Lock()

    def reply(self, what: What) -> tuple[dict[str, Any], bytes | None]:
        with self._lock:
            self.steps += 1
            self.asked_at.append(time.monotonic())
        said = {"shop": SHOP, "camera": self.camera, "since": time.time(), "problems": []}
        if self.lost:
            said |= {"state": "lost", "last_error": "door: the cable is out", "t": None, "size_wh": None}
            return said | {"boxes_xyxy": [], "points_m": []}, None
        x = 0.5 + 0.5 * (self.steps % 8)
        said |= {"state": "running", "last_error": "", "t": time.time(), "size_wh": [1280, 720]}
        said |= {"boxes_xyxy": [[100 * x, 300, 100 * x + 80, 600]], "points_m": [[x, 4.0]]}
        if what != "newest":
            return said, None
        self.encoded += 1
        return said, cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def post(chain_home: Any) -> Iterator[Post]:
    database = chain_home.database()
    with database.reading() as session:
        camera = load_shop(session, SHOP).layout.cameras[0].slug
    database.dispose()
    post, server = Post(camera), Server(chain_home.path)
    server.open((SHOP, camera), post.reply)
    yield post
    server.close()


@pytest.fixture
def page(chain_home: Any, serve: Any, browse: Any, post: Post) -> Any:
    chain_home.person("eva@example.org", ("engineer", None), name="Eva")
    page = browse(serve(chain_home))
    page.goto(f"/shops/{SHOP}/cameras/{post.camera}/live")
    page.fill("[name=email]", "eva@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector(".people circle")
    return page


def test_dots_move_and_no_picture_is_made_for_them(page: Any, post: Post) -> None:
    dot = page.locator(".people circle")
    places = set()
    until = time.monotonic() + 120
    while len(places) < 4 and time.monotonic() < until:
        places.add(dot.first.get_attribute("cx"))
        page.wait_for_timeout(60)

    assert len(places) >= 4
    assert page.locator("[data-count]").inner_text() == "1 person"
    assert post.encoded == 0


def test_a_lost_camera_is_said_with_its_reason_and_shows_no_dot(page: Any, post: Post) -> None:
    post.lost = True

    page.wait_for_selector("[data-notice]:not([hidden])")

    assert "door: the cable is out" in page.locator("[data-notice]").inner_text()
    page.wait_for_selector(".people circle", state="detached")
    post.lost = False
    page.wait_for_selector(".people circle")
    assert page.locator("[data-notice]").is_hidden()


def test_a_page_that_nobody_sees_asks_nothing(page: Any, post: Post) -> None:
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => true });"
        "document.dispatchEvent(new Event('visibilitychange'));"
    )
    page.wait_for_selector(".people circle", state="detached")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)

    assert asked == []
    assert page.locator(".people circle").count() == 0


def test_the_real_picture_after_set_up_and_a_reason_until_it_is_stopped(page: Any, post: Post) -> None:
    page.get_by_role("link", name="Real picture").click()
    page.get_by_role("button", name="Begin set-up").click()
    page.get_by_label("What do you need the picture for?").fill("checking the line at the door")
    page.get_by_role("button", name="Show the picture").click()

    page.wait_for_selector("canvas[width='640']")
    assert page.evaluate("document.querySelector('canvas').getContext('2d').getImageData(300, 20, 1, 1).data[0]") == 90
    page.get_by_role("button", name="Stop now").click()

    page.get_by_role("button", name="Show the picture").wait_for()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(700)
    assert [url for url in asked if "newest" in url] == []


def test_on_a_phone_nothing_is_wider_than_the_window(chain_home: Any, serve: Any, browse: Any, post: Post) -> None:
    chain_home.person("eva@example.org", ("engineer", None), name="Eva")
    page = browse(serve(chain_home), viewport={"width": 390, "height": 800})
    page.goto(f"/shops/{SHOP}/cameras/{post.camera}/live")
    page.fill("[name=email]", "eva@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector(".people circle")

    for way in ("plan", "picture", "boxes"):
        page.goto(f"/shops/{SHOP}/cameras/{post.camera}/live?on={way}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
