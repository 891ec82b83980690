"""The page, the API and the files of one shop over a period, over HTTP."""

from __future__ import annotations

import io
import re
from datetime import date, timedelta
from typing import Any

import httpx
import pyarrow.csv
import pyarrow.parquet
import pytest

from vitrina.errors import InputError
from vitrina.floor.measures.compared import Compared
from vitrina.floor.measures.figures import Change, Figure
from vitrina.web.pages.period_view import beside
from vitrina.web.periods import parse_against, parse_span, presets
from vitrina.web.words import Words

TODAY = date(2026, 3, 10)
WEEK = "from=2026-03-03&to=2026-03-09"
TABLES = (
    "figures",
    "series",
    "zones",
    "queues",
    "funnel",
    "transitions",
    "flows",
    "paths",
    "occupancy",
    "gaps",
)
PAGE = "/shops/demo-berlin/period"
API = "/api/v1/shops/demo-london/period"


@pytest.fixture
def anna(shared_chain: Any, visit: Any) -> Any:
    visitor = visit(shared_chain[1])
    visitor.sign_in("anna@example.org")
    return visitor


@pytest.fixture(scope="module")
def program(shared_chain: Any) -> Any:
    """A program with a key of an analyst who sees London."""
    home, address = shared_chain
    person = home.person("ola@example.org", ("analyst", "demo-london"), name="Ola")
    key = home.key(person, "shop.view", "figures.view", "figures.export")
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:
        yield client


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_page_shows_every_part_with_counts_intervals_and_differences(anna: Any) -> None:
    raw = anna.get(f"{PAGE}?from=2026-03-05&to=2026-03-07&against=2026-03-03..2026-03-04").text
    page = text_of(raw)

    for title in (
        "Footfall a day",
        "Conversion",
        "Zones",
        "From the entrance to the till",
        "Where people went",
        "Queues",
    ):
        assert title in page
    assert "Simulated data" in page
    assert re.search(r"n = [\d,]+", page)
    assert re.search(r"[+−][\d.]+ pp", page)
    assert '<svg class="sankey"' in raw
    assert 'class="level-8"' in raw


def test_the_page_and_the_api_show_the_same_numbers(anna: Any) -> None:
    found = anna.get(f"/api/v1{PAGE}?{WEEK}").json()
    page = text_of(anna.get(f"{PAGE}?{WEEK}").text)

    assert f"Footfall {found['figures']['footfall']['now']['value']:,.0f} " in page
    assert f"Came in {found['funnels'][''][0]['count']:,}" in page
    for zone in found["zones"]:
        if zone["kind"] != "outside":
            assert zone["name"] in page


def test_one_day_is_the_days_page(program: Any) -> None:
    day = program.get("/api/v1/shops/demo-london/day?day=2026-03-09").json()
    found = program.get(f"{API}?from=2026-03-09&to=2026-03-09").json()

    for name in ("footfall", "capture_rate", "dwell_median", "queue_wait_p90", "conversion", "shopper_yield"):
        for column in ("value", "low", "high", "n"):
            assert found["figures"][name]["now"][column] == pytest.approx(day["figures"][name][column]), name
    assert found["period"]["watched_share"] == pytest.approx(day["watched_share"])


def test_links_keep_their_state(anna: Any) -> None:
    page = anna.get(f"{PAGE}?{WEEK}&against=year&zone=promo").text

    assert '<option value="year" selected>' in page
    assert '<option value="promo" selected>' in page
    assert 'href="?from=2026-02-10&amp;to=2026-03-09&amp;against=year&amp;zone=promo"' in page
    assert "tables/zones.csv?from=2026-03-03&amp;to=2026-03-09&amp;against=year&amp;zone=promo" in page
    assert '<a class="button end no-print" href="/shops/demo-berlin">' in page
    assert 'href="/shops/demo-berlin/period"' in anna.get("/shops/demo-berlin").text


def test_another_section_is_another_funnel(anna: Any) -> None:
    anyone, promo = (
        re.findall(
            r'<tr><th scope="row">([^<]+)</th><td class="num">([\d,]+)</td><td class="wide">', anna.get(path).text
        )
        for path in (f"{PAGE}?{WEEK}", f"{PAGE}?{WEEK}&zone=promo")
    )

    assert anyone[0] == promo[0]
    assert (anyone[1][0], promo[1][0]) == ("Any section", "Promo display")
    assert int(promo[1][1].replace(",", "")) < int(anyone[1][1].replace(",", ""))


def test_a_day_with_a_gap_is_named_and_hatched(anna: Any) -> None:
    found = anna.get("/api/v1/shops/demo-london/period?from=2026-03-03&to=2026-03-10").json()
    page = anna.get("/shops/demo-london/period?from=2026-03-03&to=2026-03-10").text

    assert "2026-03-10" in found["period"]["left_out"]  # today is not over
    assert found["series"][-1]["state"] == "running"
    assert "When nobody was watching" in page
    assert "stream lost" not in page  # reasons are told by the day's page


def test_a_period_without_anything_says_where_something_is(anna: Any) -> None:
    page = anna.get(f"{PAGE}?from=2020-01-01&to=2020-01-31").text

    assert "Nothing was recorded in this period" in page
    assert 'href="?from=2026-03-10&amp;to=2026-03-10"' in page


def test_nothing_before_is_not_compared_with(anna: Any) -> None:
    page = anna.get(f"{PAGE}?{WEEK}&against=year").text
    assert "Nothing is recorded of" in page
    assert "before: 0" not in page


def test_days_on_which_the_shop_is_closed_are_said_to_be(anna: Any) -> None:
    page = anna.get(f"{PAGE}?from=2026-03-08&to=2026-03-08").text

    assert "The shop was closed" in page
    assert "Nothing was recorded" not in page


def test_how_little_stands_behind_the_changes_is_said(anna: Any) -> None:
    little = text_of(anna.get(f"{PAGE}?{WEEK}&against=2026-02-25..2026-03-03").text)
    enough = text_of(anna.get(f"{PAGE}?from=2026-03-05&to=2026-03-07&against=2026-03-03..2026-03-04").text)

    assert re.search(r"Watched in full of 25 Feb – 3 Mar 2026: 1 of \d days", little)
    assert "Watched in full of" not in enough


def test_the_value_before_stands_in_the_cell_for_whoever_has_no_mouse(anna: Any) -> None:
    page = anna.get(f"{PAGE}?from=2026-03-05&to=2026-03-07&against=2026-03-03..2026-03-04").text
    zones = page[page.index('id="zones"') : page.index('id="funnel"')]

    assert re.search(r'<b>[+−][^<]+</b>.*?</span></span><span class="interval">before: [^<]+</span></td>', zones)
    assert "title=" not in zones


def test_one_day_is_no_series(anna: Any) -> None:
    assert "Footfall by day" not in anna.get(f"{PAGE}?from=2026-03-09&to=2026-03-09").text


def test_a_measures_page_is_that_of_the_shop_one_comes_from(anna: Any) -> None:
    for path in (PAGE, "/shops/demo-berlin"):
        links = set(re.findall(r'href="(/measures/[^"]*)"', anna.get(path).text))
        assert links
        assert all(link.endswith("?shop=demo-berlin") for link in links)


def test_what_cannot_be_below_nothing_falls_by_all_of_it_at_most() -> None:
    fallen = Figure("queue_wait_median", 6.5, "s", 900, change=Change(-17.0, -26.0, -8.0, ()))
    found = beside(Words("en"), Compared(fallen, Figure("queue_wait_median", 23.5, "s", 60)), "EUR")

    assert (found.change, found.change_interval, found.clear) == ("−72.3%", "−100.0% to −34.0%", True)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-03-09&to=2026-03-01", "swap the two"),
        ("from=2026-03-09&to=2026-03-11", "has not begun"),
        ("from=yesterday", "from: expected a date such as"),
        ("to=0001-01-01", "to: expected a day of the years 2000 to 2200, got 0001-01-01"),
        ("from=9999-12-31", "from: expected a day of the years 2000 to 2200, got 9999-12-31"),
        ("against=0001-01-01..9999-12-31", "against: expected a day of the years 2000 to 2200, got 0001-01-01"),
        ("against=everything", "expected before, year, custom, none"),
        ("against=2026-03-09..2026-03-01", "swap the two"),
        ("from=2010-01-01&to=2026-03-01", "up to three years"),
    ],
)
def test_what_is_no_period_is_refused_with_what_to_do(anna: Any, query: str, words: str) -> None:
    answer = anna.get(f"{PAGE}?{query}")
    assert answer.status_code == 400
    assert words in answer.text
    assert anna.get(f"/api/v1{PAGE}?{query}").status_code == 400


def test_shops_that_one_may_not_see_are_not_there(program: Any) -> None:
    assert program.get("/api/v1/shops/demo-berlin/period").status_code == 404
    assert program.get("/api/v1/shops/nowhere/period").status_code == 404


@pytest.mark.parametrize("table", TABLES)
def test_every_table_comes_as_json_csv_and_parquet_with_the_same_rows(program: Any, table: str) -> None:
    base = f"{API}/tables/{table}"

    rows = program.get(f"{base}.json?{WEEK}").json()
    csv = program.get(f"{base}.csv?{WEEK}")
    parquet = pyarrow.parquet.read_table(io.BytesIO(program.get(f"{base}.parquet?{WEEK}").content))

    assert rows
    assert parquet.num_rows == len(rows) == pyarrow.csv.read_csv(io.BytesIO(csv.content)).num_rows
    assert parquet.column_names[:4] == ["shop", "period_first", "period_last", "simulated"]
    assert f"demo-london-2026-03-03-2026-03-09-{table}.csv" in csv.headers["Content-Disposition"]


def test_an_unknown_table_names_those_there_are(program: Any) -> None:
    answer = program.get(f"{API}/tables/people.csv")
    assert answer.status_code == 404
    assert "transitions" in answer.text


def test_the_api_describes_the_period(program: Any) -> None:
    paths = program.get("/api/v1/openapi.json").json()["paths"]
    names = {each["name"] for each in paths["/api/v1/shops/{slug}/period"]["get"]["parameters"]}
    assert {"from", "to", "against", "against_from", "against_to"} <= names


# What is asked for ---------------------------------------------------------------------------------------------------


def test_without_days_it_is_the_last_28_that_are_over() -> None:
    assert parse_span(None, None, TODAY) == (date(2026, 2, 10), date(2026, 3, 9))
    assert parse_span("2026-03-10", None, TODAY) == (TODAY, TODAY)
    assert parse_span(None, "2026-01-28", TODAY) == (date(2026, 1, 1), date(2026, 1, 28))


def test_the_other_period_is_before_a_year_earlier_ones_own_or_none() -> None:
    week = (date(2026, 3, 3), date(2026, 3, 9))
    assert parse_against("before", None, None, week)[1] == (date(2026, 2, 24), date(2026, 3, 2))
    assert parse_against("year", None, None, week)[1] == (date(2025, 3, 4), date(2025, 3, 10))
    assert parse_against("none", None, None, week) == ("none", None)
    own = ("custom", (date(2026, 1, 1), date(2026, 1, 2)))
    assert parse_against("custom", "2026-01-01", "2026-01-02", week) == own
    assert parse_against("2026-01-01..2026-01-02", None, None, week) == own
    with pytest.raises(InputError, match="expected before"):
        parse_against("monday", None, None, week)


def test_presets_end_yesterday_and_begin_where_their_name_says() -> None:
    found = dict(presets(date(2026, 4, 1)))
    assert found["yesterday"] == (date(2026, 3, 31), date(2026, 3, 31))
    assert found["this month"] == (date(2026, 3, 1), date(2026, 3, 31))
    assert found["last month"] == (date(2026, 2, 1), date(2026, 2, 28))
    assert found["this quarter"] == (date(2026, 1, 1), date(2026, 3, 31))
    assert all(last < date(2026, 4, 1) for _first, last in found.values())
    assert found["a year"][1] - found["a year"][0] == timedelta(days=363)
