"""The cameras' page: what a worker says over its socket, what the lake says without one, and only of one's shops."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.fixture
def anna(shared_chain: Any, visit: Any) -> Any:
    visitor = visit(shared_chain[1])
    visitor.sign_in("anna@example.org")
    return visitor


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_every_camera_has_its_state_and_its_strip(anna: Any) -> None:
    page = anna.get("/cameras").text

    assert page.count('<svg class="strip"') == 9
    for text in ("Door", "Tills", "Berlin", "simulated", "The last 24 hours"):
        assert text in text_of(page)
    assert "strip-full" in page


def test_gaps_are_listed_with_their_reason_in_the_shops_time(anna: Any) -> None:
    page = text_of(anna.get("/cameras?range=week").text)

    assert "When nobody was watching" in page
    assert "stream lost" in page
    assert "The last 7 days" in page


def test_short_gaps_are_told_by_the_second_and_only_the_newest_are_in_sight(
    chain_home: Any, serve: Any, visit: Any
) -> None:
    chain_home.person("ann@example.org", ("admin", None))
    minutes = [NOW - timedelta(minutes=3 * number + 10) for number in range(40)]
    rows = [
        {
            "event_id": f"gap-{number}",
            "t": start,
            "business_day": start.date(),
            "shop_id": "demo-berlin",
            "layout_id": "first",
            "simulated": True,
            "camera_id": "door",
            "until_t": start + timedelta(seconds=3),
            "gap_s": 3.0,
            "reason": "no frames",
        }
        for number, start in enumerate(minutes)
    ]
    chain_home.lake().append("gaps", rows, writer_id="test", batch_no=1)
    ann = visit(serve(chain_home))
    ann.sign_in("ann@example.org")

    shown, _, folded = ann.get("/cameras").text.partition('<details class="behind"')

    assert shown.count("no frames") == 15
    assert folded.count("no frames") >= 25
    assert re.search(r"\d\d:\d\d:00</td><td>[^<]+\d\d:\d\d:03</td>", shown)


def test_a_camera_that_was_watched_just_now_is_not_nothing_ago(anna: Any) -> None:
    assert "0 ago" not in text_of(anna.get("/cameras").text)


def test_one_shop_alone_and_by_name(anna: Any) -> None:
    assert "Tokyo" not in text_of(anna.get("/shops/demo-berlin/cameras", follow_redirects=True).text)
    assert anna.get("/cameras?q=till").text.count('<svg class="strip"') == 3
    assert "No camera or shop is called" in text_of(anna.get("/cameras?q=nowhere").text)
    assert anna.get("/cameras?shop=nowhere").status_code == 404


def test_the_api_says_the_same(anna: Any) -> None:
    found = anna.get("/api/v1/cameras?shop=demo-berlin").json()

    assert [one["camera"] for one in found] == ["door", "floor", "till"]
    assert {one["state"] for one in found} == {"simulated"}
    assert found[0]["watched"] == pytest.approx(1.0, abs=0.05)
    assert anna.get("/api/v1/cameras/gaps.csv?range=week").text.startswith('"shop"')
    assert anna.get("/api/v1/cameras/table.parquet").content.startswith(b"PAR1")


def test_nobody_sees_cameras_of_other_shops(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("dan@example.org", ("director", "demo-berlin"))
    dan = visit(serve(chain_home))
    dan.sign_in("dan@example.org")

    assert "okyo" not in dan.get("/cameras").text
    assert {one["shop"] for one in dan.get("/api/v1/cameras").json()} == {"demo-berlin"}
    assert dan.get("/cameras?shop=demo-tokyo").status_code == 404


def test_without_a_camera_the_page_says_how_to_get_one(empty_home: Any, serve: Any, visit: Any) -> None:
    empty_home.person("eve@example.org", ("admin", None))
    eve = visit(serve(empty_home))
    eve.sign_in("eve@example.org")

    assert "There is no camera yet" in text_of(eve.get("/cameras").text)
