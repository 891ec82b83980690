"""A shopper with a phone: a photo, a box around what is meant, words, and the link to the shop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from vitrina.lens.demo.assortment import SHOPS, stocked
from vitrina.lens.demo.design import Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.fill import fill
from vitrina.lens.demo.studio import Placed, snapshot, to_jpeg
from vitrina.lens.networks import set_program

pytestmark = pytest.mark.slow

PRODUCTS = 60
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
LISTEN = """
window.heard = [];
const status = document.getElementById("lens-status");
new MutationObserver(() => window.heard.push(status.textContent)).observe(status, { childList: true });
"""
CONTRAST = (Path(__file__).parent / "contrast.js").read_text().partition("\n")[2]


class Shop(BaseHTTPRequestHandler):
    """What the network that the links go through sees."""

    seen: list[str]

    def do_GET(self) -> None:
        if not self.path.startswith("/favicon"):
            self.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>The shop</title>")

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home whose catalog can be searched."""
    from tests.conftest import make_home

    home = make_home(tmp_path_factory.mktemp("shoppers") / "home")
    database = home.database()
    fill(home.settings, database, products=PRODUCTS)
    database.dispose()
    return home


@pytest.fixture(scope="module")
def shop(filled: Any) -> Iterator[type[Shop]]:
    kind = type("OneShop", (Shop,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    database = filled.database()
    with database.session() as session:
        for one in SHOPS:
            set_program(session, one.slug, "generic", base=f"http://127.0.0.1:{server.server_port}/go", by="test")
    database.dispose()
    yield kind
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def design() -> Design:
    """Something that two shops sell."""
    sold = stocked(make_designs(PRODUCTS))
    both = [one for one in sold["ostrand"] if one in sold["kappel"] and one.cloth != "plain" and one.kind != "cap"]
    return both[0]


@pytest.fixture
def photo(design: Design, tmp_path: Path) -> Path:
    """2.5 megapixels, taken with the phone on its side: only the EXIF turn makes it upright."""
    upright = snapshot([Placed(draw(design, size=900), 0.55, 0.4, 0.7, 5.0)], seed=2, size_wh=(1350, 1800))
    on_its_side = to_jpeg(np.ascontiguousarray(np.rot90(upright)), 90)
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path = tmp_path / "photo.jpg"
    path.write_bytes(on_its_side[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + on_its_side[2:])
    return path


def found(page: Any) -> list[str]:
    """Names on the cards, once the search has ended."""
    page.wait_for_selector("#lens-results[aria-busy=false] .lens-found")
    return [text.strip() for text in page.locator(".lens-card h3").all_inner_texts()]


def searching(page: Any) -> Any:
    """A block that begins a search: what was found before is not taken for its answer."""
    return page.expect_response(lambda answer: urlsplit(answer.url).path == "/lens/find")


def corner(page: Any, handle: str) -> tuple[float, float]:
    box = page.locator(f"[data-handle={handle}]").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_shopper_photographs_draws_a_box_refines_and_goes_to_the_shop(
    filled: Any, shop: type[Shop], serve: Callable[..., str], browse: Any, photo: Path, design: Design
) -> None:
    page = browse(serve(filled), **PHONE)
    sent: list[int] = []
    page.on("request", lambda asked: asked.method == "POST" and sent.append(len(asked.post_data_buffer or b"")))
    page.goto("/lens")

    page.locator("#lens-camera").set_input_files(photo)
    names = found(page)
    assert design.name in names[0]
    assert sent[-1] < 203_000
    size = page.locator("#lens-canvas").evaluate("it => [it.width, it.height]")
    assert size == [768, 1024]

    x, y = corner(page, "se")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30, y - 25, steps=4)
    with searching(page):
        page.mouse.up()
    assert design.name in found(page)[0]
    assert page.locator("#lens-box.guess").count() == 0

    page.get_by_label("In words").fill(design.brand)
    with searching(page):
        page.keyboard.press("Enter")
    assert all(design.brand in text for text in found(page))

    with page.context.expect_page() as opening:
        page.locator(".lens-offers a").first.tap()
    opening.value.wait_for_load_state()
    asked = parse_qs(urlsplit(shop.seen[-1]).query)
    assert urlsplit(asked["url"][0]).hostname in {f"{one.slug}.example" for one in SHOPS}
    assert len(asked["subid"][0]) > 8
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_box_moves_and_grows_by_keyboard_and_says_where_it_is(
    filled: Any, serve: Callable[..., str], browse: Any, photo: Path
) -> None:
    page = browse(serve(filled), **PHONE)
    page.goto("/lens")
    page.locator("#lens-file").set_input_files(photo)
    found(page)

    page.evaluate(LISTEN)
    page.locator("#lens-box").focus()
    before = page.locator("#lens-box").bounding_box()
    with searching(page):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+ArrowLeft")
    after = page.locator("#lens-box").bounding_box()
    found(page)
    assert any("percent across" in text for text in page.evaluate("window.heard"))

    assert after["y"] > before["y"]
    assert after["width"] < before["width"]
    page.locator("[data-handle=nw]").focus()
    with searching(page):
        page.keyboard.press("ArrowRight")
    assert page.locator("#lens-box").bounding_box()["x"] > after["x"]
    page.locator("#lens-status", has_text="Found").wait_for(state="attached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_of_finds_stand_out_and_nothing_is_pushed_sideways(
    filled: Any, serve: Callable[..., str], browse: Any, photo: Path, scheme: str
) -> None:
    page = browse(serve(filled), **PHONE, color_scheme=scheme)
    page.goto("/lens")
    assert page.evaluate(CONTRAST) == []
    page.locator("#lens-file").set_input_files(photo)
    found(page)
    page.get_by_text("Price, size, shop").tap()

    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_in_the_demo_a_photo_is_one_tap_away_and_enter_in_the_words_does_not_take_it(
    filled: Any, serve: Callable[..., str], browse: Any
) -> None:
    page = browse(serve(filled, demo=True), **PHONE)
    page.goto("/demo")
    page.goto("/lens")
    here = page.locator(".nav [aria-current]").bounding_box()
    assert here["x"] + here["width"] < 390, "on a phone the menu shows where one is"
    page.get_by_label("In words").fill("backpack")
    page.keyboard.press("Enter")
    assert all("backpack" in name for name in found(page))
    assert page.get_by_role("heading", name="Found by words").is_visible()

    page.get_by_label("In words").fill("")
    with searching(page):
        page.get_by_role("button", name="Try photo 1").tap()
    assert "jacket" in found(page)[0]
    assert page.locator("#lens-canvas").is_visible()


def test_without_scripts_the_form_is_sent_and_the_page_comes_back_with_finds(
    filled: Any, serve: Callable[..., str], browse: Any, photo: Path, design: Design
) -> None:
    page = browse(serve(filled), **PHONE, java_script_enabled=False)
    page.goto("/lens")
    page.locator("#lens-file").set_input_files(photo)
    page.get_by_role("button", name="Find").click()

    assert design.name in page.locator(".lens-card h3").first.inner_text()


SHARE = """([bytes]) => {
  const form = Object.assign(document.createElement("form"), {
    method: "post", action: "/lens/share", enctype: "multipart/form-data",
  });
  const input = Object.assign(document.createElement("input"), { type: "file", name: "photo" });
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
  input.files = files.files;
  form.append(input);
  document.body.append(form);
  form.submit();
}"""
"""What a phone does with a photo that another app shares with the installed page."""


def test_a_shared_photo_comes_with_what_it_finds_and_a_box_can_be_drawn_on_it(
    filled: Any, serve: Callable[..., str], browse: Any, photo: Path, design: Design
) -> None:
    page = browse(serve(filled), **PHONE)
    page.goto("/lens")
    with page.expect_navigation():
        page.evaluate(SHARE, [list(photo.read_bytes())])

    assert design.name in found(page)[0]
    page.locator("#lens-box").wait_for()
    assert page.locator("#lens-canvas").evaluate("it => [it.width, it.height]") == [768, 1024]
    with searching(page):
        page.locator("[data-handle=se]").press("ArrowLeft")
    assert design.name in found(page)[0]
    page.reload()  # the browser asks, and sends it again; opened anew, the photo is gone
    page.goto("/lens/share")
    assert urlsplit(page.url).path == "/lens"


def test_a_photo_of_nothing_that_is_sold_says_what_may_help(
    filled: Any, serve: Callable[..., str], browse: Any, tmp_path: Path
) -> None:
    page = browse(serve(filled), **PHONE)
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    page.goto("/lens")
    page.get_by_text("Price, size, shop").tap()
    page.get_by_label("in stock only").check()
    page.locator("#lens-file").set_input_files(tmp_path / "noise.png")

    found(page)
    page.get_by_role("heading", name="Nothing alike was found").wait_for()
    with searching(page):
        page.get_by_role("button", name="Leave them out").tap()
    found(page)
    assert not page.get_by_label("in stock only").is_checked()


def test_a_file_that_is_no_picture_is_refused_in_words(
    filled: Any, serve: Callable[..., str], browse: Any, tmp_path: Path
) -> None:
    (tmp_path / "letter.jpg").write_text("Dear Sir or Madam")
    page = browse(serve(filled), **PHONE)
    page.goto("/lens")
    page.locator("#lens-file").set_input_files(tmp_path / "letter.jpg")

    alert = page.locator("#lens-results [role=alert]")
    alert.wait_for()
    assert "picture" in alert.inner_text()


def test_inside_another_service_there_is_no_menu(filled: Any, serve: Callable[..., str], browse: Any) -> None:
    page = browse(serve(filled), **PHONE)
    page.goto("/lens?embed=1")

    assert page.locator("header, footer").count() == 0
    assert page.get_by_text("Take a photo").is_visible()
