"""What the pages show: the figures of a shop's day, what they are made of, and what to do when there are none."""

from __future__ import annotations

import re
import threading
from datetime import UTC, date, datetime
from typing import Any

import cv2
import numpy as np
import pytest

from vitrina.floor.setup import shopfile, shops
from vitrina.floor.simulate.chain import GAP_EVERY_DAYS
from vitrina.product import new_id
from vitrina.storage.secrets import SecretBox
from vitrina.web.pages.day_view import longest_gaps

CHAIN_DAY = "2026-03-10"
GAP_DAY = date.fromordinal(date(2026, 3, 10).toordinal() // GAP_EVERY_DAYS * GAP_EVERY_DAYS)
"""The chain's second shop loses a camera every so many days."""


@pytest.fixture
def anna(shared_chain: Any, visit: Any) -> Any:
    visitor = visit(shared_chain[1])
    visitor.sign_in("anna@example.org")
    return visitor


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def add_shop(home: Any, toml: str) -> None:
    database = home.database()
    with database.session() as session:
        shops.apply(session, shopfile.parse(toml), "test", box=SecretBox(home.path))
    database.dispose()


BARE = """
[shop]
slug = "riga"
name = "Riga"
timezone = "Europe/Riga"
currency = "EUR"

[plan]
width_m = 8
height_m = 6
"""
CAMERA = """
[[camera]]
slug = "door"
name = "Above the door"
source = "door.mp4"
size = [1280, 720]
points = [[215, 660, 3, 5], [1065, 660, 7, 5], [395, 296, 3, 1], [885, 296, 7, 1]]

[[zone]]
slug = "shoes"
name = "Shoes & <bags>"
kind = "section"
polygon = [[3, 2], [7, 2], [7, 4], [3, 4]]
"""


def test_the_list_shows_each_shop_with_its_figures(anna: Any) -> None:
    page = text_of(anna.get("/").text)

    assert "3 shops" in page
    for name in ("Berlin", "London", "Tokyo"):
        assert name in page
    assert page.count("simulated") >= 3
    assert page.count("of the opening hours watched") == 3


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/shops/demo-berlin?day=2026-02-10",
        "/shops/demo-berlin/period?from=2026-02-10&to=2026-02-16",
        "/chain",
        "/chain/compare?shops=demo-berlin,demo-tokyo",
        "/cameras",
        "/measures",
        "/measures/footfall",
    ],
)
def test_the_head_of_a_page_comes_before_its_figures_are_computed(
    anna: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    head_is_there = threading.Event()

    def when_the_head_is_there(late: Any) -> Any:
        return lambda: late() if head_is_there.wait(30) else pytest.fail("nothing came before the figures")

    monkeypatch.setattr("vitrina.web.render.cache", when_the_head_is_there)
    with anna.http.stream("GET", path) as answer:
        pieces = answer.iter_text()
        first = next(pieces)
        head_is_there.set()
        rest = "".join(pieces)

    assert "<title>" in first
    assert "<main" in first
    assert "<h1>" not in first
    assert "<h1>" in rest
    assert rest.rstrip().endswith("</html>")


def test_a_day_shows_every_figure_with_its_count_interval_and_change(anna: Any) -> None:
    page = text_of(anna.get("/shops/demo-berlin").text)

    for title in ("Footfall", "Inside now", "Most inside at once", "Capture rate", "Conversion", "Average ticket"):
        assert title in page
    assert "not audited" in page
    assert "vs. 1 earlier Tue" in page
    assert re.search(r"n = [\d,]+", page)
    assert re.search(r"€\d+\.\d\d – €\d+\.\d\d", page)


def test_simulated_days_say_so_on_the_page(anna: Any) -> None:
    assert "Simulated data" in text_of(anna.get("/shops/demo-tokyo?day=2026-03-09").text)


def test_today_runs_up_to_now_and_is_live_while_the_shop_is_open(anna: Any) -> None:
    berlin, tokyo = (anna.get(f"/shops/demo-{city}").text for city in ("berlin", "tokyo"))

    assert 'data-live="/shops/demo-berlin/live"' in berlin
    assert "data-live" not in tokyo  # half past midnight there
    live = anna.get("/shops/demo-berlin/live").json()["texts"]
    assert f'data-text="footfall">{live["footfall"]}<' in berlin


def test_the_page_and_the_api_show_the_same_numbers(anna: Any) -> None:
    day = anna.get(f"/api/v1/shops/demo-london/day?day={CHAIN_DAY}").json()

    page = text_of(anna.get(f"/shops/demo-london?day={CHAIN_DAY}").text)

    assert f"Footfall {day['figures']['footfall']['value']:,.0f} " in page
    for zone in day["zones"]:
        if zone["kind"] != "outside":
            assert f"{zone['name']} " in page
            assert f" {zone['visitors']['value']:,.0f} " in page


def test_a_gap_is_marked_as_a_gap(anna: Any) -> None:
    page = anna.get(f"/shops/demo-london?day={GAP_DAY}").text

    assert "When nobody was watching" in page
    assert '<rect class="gap"' in page
    assert "stream lost" in page


def test_of_many_gaps_the_longest_are_shown_at_once() -> None:
    gaps = [{"camera": f"c{number}", "gap_s": 630.0 if number % 2 else 30.0} for number in range(40)]

    assert [gap["camera"] for gap in longest_gaps(gaps)] == [f"c{number}" for number in range(1, 30, 2)]
    assert longest_gaps(gaps[:3]) == gaps[:3]
    assert longest_gaps([]) == []


def test_days_before_and_after_can_be_reached_but_not_tomorrow(anna: Any) -> None:
    today, before = anna.get("/shops/demo-berlin").text, anna.get("/shops/demo-berlin?day=2026-03-09").text

    assert 'rel="prev" href="?day=2026-03-09"' in today
    assert 'rel="next"' not in today
    assert f'rel="next" href="?day={CHAIN_DAY}"' in before
    for day in ("2026-03-11", "0001-01-01", "9999-12-31"):
        assert anna.get(f"/shops/demo-berlin?day={day}").status_code == 400


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-99-99", "<script>"])
def test_what_is_no_day_is_refused_with_an_example(anna: Any, day: str) -> None:
    answer = anna.get("/shops/demo-berlin", params={"day": day})

    assert answer.status_code == 400
    assert "expected a date such as 2026-11-03" in answer.text
    assert "<script>" not in answer.text.replace('<script type="module"', "")


def test_a_day_long_ago_says_that_nothing_was_recorded_and_where_something_is(anna: Any) -> None:
    page = anna.get("/shops/demo-berlin?day=2020-01-01").text

    assert "Nothing was recorded on this day" in page
    assert f'href="?day={CHAIN_DAY}"' in page


def test_a_day_on_which_the_shop_is_closed_is_said_to_be(anna: Any) -> None:
    page = anna.get("/shops/demo-berlin?day=2026-03-08").text

    assert "The shop is closed on this day" in page
    assert "Nothing was recorded" not in page
    assert f'href="?day={CHAIN_DAY}"' in page


def test_an_empty_house_says_how_to_begin(empty_home: Any, serve: Any, visit: Any) -> None:
    empty_home.person("anna@example.org", ("admin", None))
    empty_home.person("nina@example.org")
    address = serve(empty_home)
    anna, nina = visit(address), visit(address)
    anna.sign_in("anna@example.org")
    nina.sign_in("nina@example.org")

    assert "vitrina floor shop apply shop.toml" in anna.get("/").text
    assert "no role in any shop" in nina.get("/").text
    assert anna.get("/measures/footfall").status_code == 200


@pytest.mark.parametrize(
    ("toml", "hint"),
    [(BARE, "This shop has no camera yet"), (BARE + CAMERA, "vitrina floor watch --shop riga")],
)
def test_a_shop_without_figures_says_what_to_do_next(
    empty_home: Any, serve: Any, visit: Any, toml: str, hint: str
) -> None:
    add_shop(empty_home, toml)
    empty_home.person("anna@example.org", ("admin", None))
    anna = visit(serve(empty_home))
    anna.sign_in("anna@example.org")

    assert "Nothing has been recorded yet" in anna.get("/").text
    assert hint in anna.get("/shops/riga").text


def heat_rows(shop: str) -> list[dict[str, Any]]:
    common = {
        "business_day": date(2026, 3, 10),
        "shop_id": shop,
        "layout_id": "l",
        "simulated": False,
        "camera_id": "door",
    }
    t = datetime(2026, 3, 10, 10, tzinfo=UTC)
    return [
        common | {"event_id": new_id(), "t": t, "ix": ix, "iy": 12, "cell_cm": 25, "seconds": 30.0}
        for ix in range(16, 24)
    ]


def presence_rows(shop: str) -> list[dict[str, Any]]:
    row = {k: v for k, v in heat_rows(shop)[0].items() if k not in ("ix", "iy", "cell_cm", "seconds")}
    return [row | {"people_mean": 1.0, "people_max": 2, "watched_s": 60.0}]


def test_the_heat_is_drawn_on_the_plan_and_on_the_picture_of_the_empty_floor(
    empty_home: Any, serve: Any, visit: Any
) -> None:
    add_shop(empty_home, BARE + CAMERA)
    lake = empty_home.lake()
    lake.append("heat", heat_rows("riga"), writer_id="test", batch_no=1)
    lake.append("presence", presence_rows("riga"), writer_id="test", batch_no=1)
    pictures = empty_home.path / "pictures" / "riga"
    pictures.mkdir(parents=True)
    cv2.imwrite(str(pictures / "door.jpg"), np.full((720, 1280, 3), 90, np.uint8))
    empty_home.person("anna@example.org", ("admin", None))
    anna = visit(serve(empty_home))
    anna.sign_in("anna@example.org")

    page = anna.get("/shops/riga").text
    on_plan = anna.get("/shops/riga/heat.png?day=2026-03-10")
    on_picture = anna.get("/shops/riga/heat/door.png?day=2026-03-10")

    assert "Shoes &amp; &lt;bags&gt;" in page
    assert '<image href="/shops/riga/pictures/door.jpg" width="1280" height="720"' in page
    assert {on_plan.headers["Content-Type"], on_picture.headers["Content-Type"]} == {"image/png"}
    drawn = cv2.imdecode(np.frombuffer(on_picture.content, np.uint8), cv2.IMREAD_UNCHANGED)
    ys, xs = np.nonzero(drawn[..., 3])
    assert drawn.shape == (360, 640, 4)
    assert 220 < xs.mean() < 420  # the middle of the floor, as the camera sees it
    assert 148 < ys.mean() < 330
    assert anna.get("/shops/riga/pictures/door.jpg").headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("camera", ["roof", "..%2f..%2fvitrina.db", "%2e%2e", "door%00"])
def test_only_pictures_of_the_shops_own_cameras_are_served(anna: Any, camera: str) -> None:
    assert anna.get(f"/shops/demo-berlin/pictures/{camera}.jpg").status_code == 404


def test_a_measures_card_tells_definition_query_checks_and_newest_row(anna: Any) -> None:
    page = anna.get("/measures/stopping_power?shop=demo-berlin").text

    assert "Share of the zone" in page
    assert "FROM" in page
    assert "<code>visits</code>" in page
    assert "rows stored twice" in page
    assert "10 Mar 2026" in page
    assert anna.get("/measures/beauty").status_code == 404


def test_every_measure_has_a_card_that_opens(anna: Any) -> None:
    names = re.findall(r'href="/measures/(\w+)"', anna.get("/measures").text)

    assert len(names) >= 15
    assert {anna.get(f"/measures/{name}").status_code for name in names} == {200}


def test_the_whole_page_speaks_russian(anna: Any) -> None:
    anna.post("/preferences", "/account", language="ru")

    page = text_of(anna.get("/shops/demo-berlin").text)

    assert "Смоделированные данные" in page
    for english in ("Footfall", "Zones", "Queues", "not audited", "As a table", "usual swing", "Sign out"):
        assert english not in page


def test_no_page_has_inline_script_or_style_or_loads_from_elsewhere(anna: Any) -> None:
    for path in (
        "/",
        "/shops/demo-berlin",
        "/people",
        "/account",
        "/audit",
        "/measures",
        "/measures/footfall",
        "/nothing",
    ):
        page = anna.get(path).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]* src=\"/static/)", page), path
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), path


def test_security_headers_stand_on_everything(anna: Any) -> None:
    for path in ("/", "/api/v1/me", "/static/style.css", "/nothing", "/health", "/shops/demo-berlin/heat.png"):
        headers = anna.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in headers


def test_pages_are_not_kept_by_browsers_but_static_files_are(anna: Any) -> None:
    style = re.search(r'href="(/static/style\.css\?v=\w+)"', anna.get("/").text)
    assert style is not None

    assert anna.get("/").headers["Cache-Control"] == "no-store"
    assert "immutable" in anna.get(style[1]).headers["Cache-Control"]
    assert anna.get("/static/style.css").headers["Cache-Control"] == "no-cache"


def test_what_nobody_expected_tells_a_number_and_nothing_else(
    empty_home: Any, serve: Any, visit: Any, caplog: Any
) -> None:
    empty_home.person("anna@example.org", ("admin", None))
    anna = visit(serve(empty_home, now=lambda: "no time"))
    anna.sign_in("anna@example.org")
    add_shop(empty_home, BARE)

    answer = anna.get("/shops/riga")

    assert answer.status_code == 500
    incident = re.search(r"in the log under ([0-9a-f-]{36})", answer.text)
    assert incident is not None
    assert "Traceback" not in answer.text
    assert incident[1] in caplog.text
    assert "Content-Security-Policy" in answer.headers


def test_too_much_at_once_is_refused(anna: Any) -> None:
    answer = anna.http.post("/account/password", data={"new": "x" * 100_000, "form_token": "x"})

    assert answer.status_code == 413
