from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from vitrina.lens import clicks, shops
from vitrina.lens.clicks import LensClick
from vitrina.lens.lakestore import LENS_TABLES
from vitrina.storage.lake import Lake

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "Accept": "text/html"}
SEARCH = "0190a5c0-0000-7000-8000-000000000001"


def ask(address: str, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, address + path, headers=BROWSER | headers, follow_redirects=False, timeout=60)


def clicked(home: Any) -> list[LensClick]:
    database = home.database()
    with database.reading() as session:
        found = list(session.query(LensClick).order_by(LensClick.t))
    database.dispose()
    return found


def test_a_click_is_logged_and_sent_to_the_shop_by_its_network(lens_home: Any, serve: Callable[..., str]) -> None:
    answer = ask(serve(lens_home), f"/go/best/1?s={SEARCH}&n=3")

    [click] = clicked(lens_home)
    to = f"https://ad.admitad.com/g/abc/?ulp=https%3A%2F%2Fbest.example%2Fboot%3Fid%3D1&subid={click.click_id}"
    assert (answer.status_code, answer.headers["Location"]) == (302, to)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert (click.shop, click.offer_id, click.search_id, click.wallet) == ("best", "1", SEARCH, None)
    assert click.place == 3
    assert (click.price_minor, click.cashback_minor, click.currency, click.host) == (4990, 249, "EUR", "ad.admitad.com")


def test_clicks_reach_the_lake_without_saying_who_it_was(
    lens_home: Any, serve: Callable[..., str], tmp_path: Path
) -> None:
    ask(serve(lens_home), f"/go/best/1?s={SEARCH}")
    lake = Lake(lens_home.settings.lake, tables=LENS_TABLES)
    spooled = list((lens_home.path / "spool" / "lens_clicks").rglob("*"))

    assert spooled or lake.version("lens_clicks") >= 0


PROGRAMS: list[tuple[str, dict[str, str], int]] = [
    ("HEAD", {}, 302),
    ("GET", {"Purpose": "prefetch"}, 503),
    ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
    ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, 302),
    ("GET", {"User-Agent": "facebookexternalhit/1.1"}, 302),
    ("GET", {"User-Agent": ""}, 302),
]


def test_programs_and_browsers_that_look_ahead_are_not_counted(lens_home: Any, serve: Callable[..., str]) -> None:
    address = serve(lens_home)
    for method, headers, status in PROGRAMS:
        answer = ask(address, "/go/best/1", method, **headers)
        assert answer.status_code == status, headers
        assert answer.headers.get("Location", "https://best.example/boot?id=1") == "https://best.example/boot?id=1"
    assert clicked(lens_home) == []


NO_OFFERS = [
    "/go/best/none",
    "/go/none/1",
    "/go/best/",
    "/go/best/gone",
    "/go/best///evil.example",
    "/go/best/https://evil.example/",
    "/go/best/" + quote("https://evil.example/", safe=""),
    "/go/best/%2F%2Fevil.example",
    "/go/best/%5C%5Cevil.example",
    "/go/%2F%2Fevil.example/1",
    "/go/best/1%0d%0aLocation:%20https://evil.example",
    "/go/best/none?url=https://evil.example&next=https://evil.example&s=https://evil.example",
]


def test_what_is_no_offer_leads_nowhere(
    lens_home: Any, serve: Callable[..., str], offer_put: Callable[..., None]
) -> None:
    offer_put(lens_home, "gone", "https://best.example/gone", gone_at=1.0)
    address = serve(lens_home)

    for path in NO_OFFERS:
        answer = ask(address, path)
        location = answer.headers.get("Location", "")
        assert (answer.status_code, location) == (404, "") or location.startswith("/sign-in?next="), path
    assert clicked(lens_home) == []


NO_SHOPS = [
    "javascript:alert(1)",
    "//evil.example/",
    "/\\evil.example",
    "https://best.example\\@evil.example",
    "https://best.example@evil.example/",
    "https://best.example/\r\nLocation: https://evil.example/",
    "https://best.example/\nSet-Cookie: a=b",
    "data:text/html,x",
    "ftp://best.example/",
    "",
]


def test_an_address_of_a_feed_that_is_no_shops_page_leads_nowhere(
    lens_home: Any, serve: Callable[..., str], offer_put: Callable[..., None]
) -> None:
    for number, url in enumerate(NO_SHOPS):
        offer_put(lens_home, f"bad-{number}", url)
    address = serve(lens_home)

    for number, url in enumerate(NO_SHOPS):
        answer = ask(address, f"/go/best/bad-{number}")
        assert (answer.status_code, answer.headers.get("Location")) == (400, None), url
        assert "a=b" not in answer.headers.get("Set-Cookie", "")
    assert clicked(lens_home) == []


def test_parameters_cannot_change_where_a_click_goes(lens_home: Any, serve: Callable[..., str]) -> None:
    answer = ask(serve(lens_home), "/go/best/1?s=%0d%0aX:1&ulp=https://evil.example&subid=mine&url=//evil.example")

    [click] = clicked(lens_home)
    assert answer.headers["Location"].endswith(f"%3D1&subid={click.click_id}")
    assert click.search_id == ""


def test_an_offer_id_may_have_any_letters(
    lens_home: Any, serve: Callable[..., str], offer_put: Callable[..., None]
) -> None:
    for offer_id in ("a/b", "ü & ?#%", "..", " 1"):
        offer_put(lens_home, offer_id, "https://best.example/x")
    address = serve(lens_home)

    assert ask(address, "/go/best/" + quote("a/b", safe="")).status_code == 302
    assert ask(address, "/go/best/" + quote("ü & ?#%", safe="")).status_code == 302
    assert ask(address, "/go/best/" + quote(" 1", safe="")).status_code == 302
    assert [click.offer_id for click in clicked(lens_home)] == ["a/b", "ü & ?#%", " 1"]


def test_a_shop_that_is_switched_off_sends_nobody_on(lens_home: Any, serve: Callable[..., str]) -> None:
    database = lens_home.database()
    with database.session() as session:
        shops.save_shop(session, "best", by="test", active=False)
    database.dispose()

    assert ask(serve(lens_home), "/go/best/1").status_code == 404


def test_a_shop_whose_network_cannot_work_is_still_reached(
    lens_home: Any, serve: Callable[..., str], offer_put: Callable[..., None]
) -> None:
    full = "https://ad.admitad.com/g/x/?" + "&".join(f"subid{n}=1" for n in ("", 1, 2, 3, 4))
    offer_put(lens_home, "2", full)

    answer = ask(serve(lens_home), "/go/best/2")

    assert answer.headers["Location"] == full
    assert clicked(lens_home)[0].network == "direct"


def test_one_address_cannot_click_without_end(lens_home: Any, serve: Callable[..., str]) -> None:
    address = serve(lens_home)
    with httpx.Client(base_url=address, headers=BROWSER, timeout=60) as client:
        answers = list(
            takewhile(lambda status: status == 302, (client.get("/go/best/1").status_code for _ in range(600)))
        )

    assert len(answers) == 60


def test_a_click_is_found_by_its_id_only(lens_home: Any, serve: Callable[..., str]) -> None:
    ask(serve(lens_home), "/go/best/1")
    [click] = clicked(lens_home)
    database = lens_home.database()
    with database.reading() as session:
        assert clicks.find_click(session, click.click_id) is not None
        assert clicks.find_click(session, "%") is None
    database.dispose()
