"""The shopper's page from outside: open to everybody, careful with what comes in, only pictures going out."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vitrina.lens.demo.home import JOB
from vitrina.lens.found import FoundOffer, FoundProduct
from vitrina.product import Money
from vitrina.web.pages.lens import lines
from vitrina.work.jobs import Job, State, enqueue


@pytest.fixture
def shopper(lens_home: Any, serve: Callable[..., str], visit: Callable[[str], Any]) -> Any:
    return visit(serve(lens_home))


def test_whoever_comes_sees_the_page_and_that_nothing_can_be_found_yet(shopper: Any) -> None:
    page = shopper.get("/lens")

    assert page.status_code == 200
    assert "Nothing can be found yet" in page.text
    assert "vitrina lens" not in page.text  # commands are for those who may use them


def test_in_another_service_the_page_has_no_menu(shopper: Any) -> None:
    assert "<header" in shopper.get("/lens").text
    assert "<header" not in shopper.get("/lens?embed=1").text


def send(shopper: Any, content: bytes = b"", **fields: str) -> httpx.Response:
    shown = shopper.get("/cashback").text.partition('name="form_token" value="')[2].partition('"')[0]
    files = {"photo": ("photo.jpg", content, "image/jpeg")}
    answer: httpx.Response = shopper.http.post("/lens/find", data={"form_token": shown, **fields}, files=files)
    return answer


def test_a_search_from_another_site_is_refused(shopper: Any) -> None:
    assert shopper.http.post("/lens/find", data={"text": "boot"}).status_code == 403


WRONG: tuple[tuple[bytes, dict[str, str], str], ...] = (
    (b"<!doctype html>", {}, "picture"),
    (b"", {}, "expected a photo, or words"),
    (b"", {"text": "boot", "box": "0.1,0.2"}, "expected fractions"),
    (b"", {"text": "boot", "box": "0.9,0.2,0.1,0.5"}, "left &lt; right"),
    (b"", {"text": "boot", "max_price": "cheap", "currency": "EUR"}, "cheap"),
    (b"", {"text": "boot", "max_price": "nan", "currency": "EUR"}, "xpected an amount such as 12.50"),
    (b"", {"text": "boot", "max_price": "1e20", "currency": "EUR"}, "xpected an amount such as 12.50"),
    (b"", {"text": "boot", "max_price": "20"}, "expected its currency"),
)


def test_what_is_no_search_is_refused_in_words(shopper: Any) -> None:
    for content, fields, words in WRONG:
        answer = shopper_part(shopper, content, fields)

        assert 400 <= answer.status_code < 500
        assert words in answer.text
        assert answer.headers["X-Part"] == "results"


def test_a_program_that_names_no_real_price_is_told_so(lens_home: Any, serve: Callable[..., str]) -> None:
    key = lens_home.key(lens_home.person("lin@example.org", ("engineer", None)), "lens.find")
    with httpx.Client(base_url=serve(lens_home), headers={"Authorization": f"Bearer {key}"}, timeout=60) as asking:
        for amount in ("nan", "inf", "1e20"):
            given = {"text": "boot", "max_price": amount, "currency": "EUR"}
            answer = asking.post("/api/v1/lens/find", data=given)

            assert answer.status_code == 400
            assert answer.json()["detail"] == f"expected an amount such as 12.50, got '{amount}'"


def shopper_part(shopper: Any, content: bytes, fields: dict[str, str]) -> httpx.Response:
    shopper.http.headers["X-Part"] = "results"
    return send(shopper, content, **fields)


def test_words_alone_find_and_the_link_is_ours(shelf: Any, shopper: Any) -> None:
    shelf.take("best", shelf.offer("9"))

    answer = shopper_part(shopper, b"", {"text": "boot"})

    assert answer.status_code == 200
    assert re.search(r'href="/go/best/9\?s=[0-9a-f-]{36}&amp;n=1"', answer.text)
    assert "€2.49" in answer.text  # 5 % of 49.90, rounded down
    assert "€47.41" in answer.text


def test_a_search_that_fits_nothing_says_what_may_help(shopper: Any) -> None:
    answer = shopper_part(shopper, b"", {"text": "boot", "max_price": "1", "currency": "EUR"})

    assert "Nothing alike was found" in answer.text
    assert "data-clears" in answer.text


def test_more_than_a_photo_is_turned_away(shopper: Any) -> None:
    assert send(shopper, b"x" * 10_200_000).status_code == 413


def test_searches_of_one_address_are_slowed_down(shopper: Any) -> None:
    statuses = [shopper_part(shopper, b"", {"text": "boot"}).status_code for _ in range(14)]

    assert statuses == [200] * 12 + [429] * 2


def test_only_pictures_of_live_offers_are_given_out(shopper: Any) -> None:
    names = ("0" * 64 + ".webp", "..%2Fcatalog.db", "x.webp", "0" * 64 + ".png")

    assert {shopper.get(f"/lens/pictures/{name}").status_code for name in names} <= {303, 404}
    assert shopper.get(f"/lens/pictures/{names[0]}").status_code == 404


def test_what_belongs_to_the_demo_is_not_there_without_it(shopper: Any) -> None:
    paths = ("/lens/samples/1-sneakers.jpg", "/demo/shops/best?subid=1", "/demo/shops/best")

    assert [shopper.get(path).status_code for path in paths] == [404] * 3


@pytest.mark.parametrize(("progress", "shown"), [(0.6, True), (1.0, False)])
def test_the_demo_is_being_filled_until_its_job_says_that_photos_find_something(
    lens_home: Any, serve: Callable[..., str], visit: Callable[[str], Any], progress: float, shown: bool
) -> None:
    database = lens_home.database()
    with database.session() as session:
        job = session.get(Job, enqueue(session, JOB, {}, key=JOB))
        assert job is not None
        job.state, job.progress = State.RUNNING, progress
    database.dispose()

    page = visit(serve(lens_home, demo=True)).get("/lens").text

    assert ("The demo's shops are being filled" in html.unescape(page)) is shown


def offer(shop: str, offer_id: str, price: int) -> FoundOffer:
    money = Money(price, "EUR")
    return FoundOffer(shop, shop, offer_id, "Boot", money, None, None, money, True)


def test_a_find_shows_the_best_offer_of_each_shop_and_the_others_after_them() -> None:
    offers = (offer("a", "S", 10), offer("a", "M", 10), offer("b", "1", 11), offer("a", "L", 12))

    first, rest = lines(FoundProduct("p", "Boot", "", (), "", 1.0, 1.0, offers))

    assert [one.offer_id for one in first] == ["S", "1"]
    assert [one.offer_id for one in rest] == ["M", "L"]


# As an app of a phone ------------------------------------------------------------------------------------------------


def test_a_phone_can_keep_the_page_among_its_apps(shopper: Any) -> None:
    told = shopper.get("/lens/manifest.webmanifest", headers={"Accept-Language": "ru"})

    assert told.headers["Content-Type"] == "application/manifest+json"
    manifest = told.json()
    assert (manifest["name"], manifest["display"], manifest["start_url"]) == ("Поиск по фото", "standalone", "/lens")
    for icon in manifest["icons"]:
        content = shopper.get(icon["src"]).content
        assert content.startswith(b"\x89PNG")
        assert f"{int.from_bytes(content[16:20], 'big')}x{int.from_bytes(content[20:24], 'big')}" == icon["sizes"]
    assert 'rel="manifest"' in shopper.get("/lens").text
    assert 'rel="manifest"' not in shopper.get("/lens?embed=1").text


def share(shopper: Any, content: bytes, **headers: str) -> httpx.Response:
    """As the manifest says that photos are shared."""
    target = shopper.get("/lens/manifest.webmanifest").json()["share_target"]
    [field] = target["params"]["files"]
    files = {field["name"]: ("photo.jpg", content, "image/jpeg")}
    answer: httpx.Response = shopper.http.post(target["action"], files=files, headers=headers)
    return answer


def test_what_another_app_shares_is_checked_like_any_photo_and_not_kept(shelf: Any, shopper: Any) -> None:
    shelf.take("best", shelf.offer("9"))

    assert share(shopper, b"Dear Sir or Madam", **{"Sec-Fetch-Site": "none"}).status_code == 400
    assert shopper.get("/lens/share").headers["Location"] == "/lens"


def test_another_site_cannot_begin_a_search_as_if_it_were_an_app(shopper: Any) -> None:
    assert share(shopper, b"x", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert share(shopper, b"x").status_code == 403
