"""The chain's pages and their API: what is shown, how it is sorted and found, and what nobody learns of others."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from vitrina.floor.setup.shopfile import parse
from vitrina.floor.setup.shops import apply
from vitrina.product import new_id
from vitrina.storage.secrets import SecretBox
from vitrina.web.app import create_app
from vitrina.web.chain import figures_of, read_period
from vitrina.web.shops import all_shops

PERIOD = "from=2026-03-03&to=2026-03-09"


@pytest.fixture
def anna(shared_chain: Any, visit: Any) -> Any:
    visitor = visit(shared_chain[1])
    visitor.sign_in("anna@example.org")
    return visitor


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/shops/([a-z-]+)/period\?', page)


def test_the_chain_shows_every_shop_with_value_interval_and_what_was_watched(anna: Any) -> None:
    page = text_of(anna.get(f"/chain?{PERIOD}").text)

    for text in ("Berlin", "London", "Tokyo", "Footfall a day", "Simulated data", "3 of these shops", "incl. staff"):
        assert text in page
    assert re.search(r"[\d,]+ – [\d,]+ n = [\d,]+", page)
    assert "By chance alone" in page
    assert "3 Mar 2026 – 9 Mar 2026 · against 24 Feb 2026 – 2 Mar 2026" in page


def test_a_shops_link_leads_to_the_same_period_of_that_shop(anna: Any) -> None:
    for path in ("/chain?", "/chain/compare?shops=demo-berlin,demo-london&"):
        page = anna.get(f"{path}{PERIOD}&against=year&measure=conversion").text
        assert 'href="/shops/demo-berlin/period?from=2026-03-03&amp;to=2026-03-09&amp;against=year"' in page


def test_the_chosen_order_stays_when_another_period_is_asked_for(anna: Any) -> None:
    assert '<input type="hidden" name="sort" value="name">' in anna.get(f"/chain?{PERIOD}&sort=name").text


def test_every_figure_beside_another_says_how_many_it_stands_on(anna: Any) -> None:
    chain = text_of(anna.get(f"/chain?{PERIOD}").text)
    compared = text_of(anna.get(f"/chain/compare?shops=demo-berlin,demo-london&{PERIOD}").text)

    assert re.search(r"Conversion \d+% \d+% – \d+% 3 shops taken together n = [\d,]+", chain)
    assert re.search(r"Conversion \d+% \d+% – \d+% n = [\d,]+", compared)


def test_a_change_is_no_button_in_russian(anna: Any) -> None:
    page = text_of(anna.get(f"/chain?{PERIOD}", headers={"Accept-Language": "ru"}).text)

    assert " Изменение " in page
    assert " Изменить " not in page


def test_a_narrow_columns_heading_is_short_and_says_the_whole_name(anna: Any) -> None:
    page = anna.get(f"/chain?{PERIOD}&measure=conversion").text

    assert re.search(r'title="Queue wait, 90th percentile">Queue wait, p90</a>', page)
    assert re.search(r'measure=abandonment[^>]*">Abandonment</a>', page)


def test_totals_are_by_currency_and_never_added(anna: Any) -> None:
    page = text_of(anna.get(f"/chain?{PERIOD}").text)

    for currency in ("EUR", "GBP", "JPY"):
        assert f"Average ticket · {currency}" in page


def test_sorting_and_searching_happen_on_the_server_and_stay_in_the_links(anna: Any) -> None:
    down, up = (names(anna.get(f"/chain?{PERIOD}&sort={sort}").text) for sort in ("-value", "value"))
    by_name = anna.get(f"/chain?{PERIOD}&sort=name&measure=conversion&q=On").text

    assert down == up[::-1]
    assert names(by_name) == ["demo-london"]
    assert "sort=-name&amp;q=On" in by_name
    assert 'aria-sort="ascending"' in by_name


def test_shops_are_compared_side_by_side_with_the_same_state(anna: Any) -> None:
    page = anna.get(f"/chain/compare?shops=demo-berlin&shops=demo-london&{PERIOD}&measure=conversion").text
    text = text_of(page)

    assert "differences are to Berlin" in text
    assert "Conversion, by hour" in text
    assert page.count('class="series s1"') >= 2
    assert re.search(r"pp \( [+−][\d.]+ pp to [+−][\d.]+ pp\)|pp \([+−][\d.]+ pp to [+−]?[\d.]+ pp\)", text)
    assert "from=2026-03-03" in page


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/chain?measure=feetfall", "measure: expected one of footfall"),
        ("/chain?sort=luck", "sort: expected one of name"),
        ("/chain?from=yesterday", "from: expected a date"),
        ("/chain?from=2026-03-09&to=2026-03-01", "is after"),
        ("/chain?from=2020-01-01", "longer than 400 days"),
        ("/chain?against=never", "against: expected a date"),
        ("/chain?to=0001-01-01", "expected a day of the years 2000 to 2200"),
        ("/chain/compare?shops=demo-berlin,demo-tokyo&from=9999-12-31", "expected a day of the years 2000 to 2200"),
        ("/api/v1/compare?shops=demo-berlin", "expected two to six shops"),
        ("/chain/compare?shops=demo-berlin,nowhere", "there is no shop &#39;nowhere&#39;"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_computed(anna: Any, path: str, said: str) -> None:
    answer = anna.get(path)

    assert answer.status_code in (400, 404)
    assert said in answer.text


def test_one_shop_alone_leads_back_to_the_choice_that_asks_for_a_second(anna: Any) -> None:
    answer = anna.get(f"/chain/compare?shops=demo-tokyo&{PERIOD}&measure=conversion&against=year")
    page = anna.get(answer.headers["location"]).text
    nothing = anna.get(anna.get("/chain/compare").headers["location"]).text
    elsewhere = anna.get(answer.headers["location"] + "&q=berlin").text

    assert answer.status_code == 303
    assert f"{PERIOD}&against=year&measure=conversion" in answer.headers["location"]
    assert "Choose a second shop to compare with Tokyo" in page
    assert 'value="demo-tokyo" checked' in page
    assert page.count(" checked ") == 1
    assert "Choose two to six shops below" in nothing
    assert '<input type="hidden" name="shops" value="demo-tokyo">' in elsewhere


def test_a_period_without_rows_says_where_there_are_some(anna: Any) -> None:
    page = text_of(anna.get("/chain?from=2026-01-01&to=2026-01-07").text)

    assert "Nothing was recorded in this period" in page
    assert "The newest day with figures: Tuesday" in page


def test_today_is_left_out_because_it_is_not_over(anna: Any) -> None:
    answer = anna.get("/api/v1/chain?to=2027-01-01&from=2026-03-08").json()

    assert answer["period"]["last"] == "2026-03-09"


def test_a_director_sees_nothing_of_another_shop_not_even_in_a_median(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("dan@example.org", ("director", "demo-berlin"), ("director", "demo-london"))
    chain_home.person("anna@example.org", ("admin", None))
    address = serve(chain_home)
    dan, anna = visit(address), visit(address)
    dan.sign_in("dan@example.org")
    anna.sign_in("anna@example.org")

    page = dan.get(f"/chain?{PERIOD}").text
    answer = dan.get(f"/api/v1/chain?{PERIOD}").json()
    everything = anna.get(f"/api/v1/chain?{PERIOD}").json()

    assert "okyo" not in page
    assert "JPY" not in page
    assert [shop["shop"] for shop in answer["shops"]] == ["demo-berlin", "demo-london"]
    assert {shop["figures"]["footfall"]["standing"] for shop in answer["shops"]} == {"unranked"}
    total = next(total for total in answer["totals"] if total["measure"] == "footfall")
    assert total["value"]["value"] == pytest.approx(sum(s["figures"]["footfall"]["value"] for s in answer["shops"]))
    assert everything["ranked"]["footfall"] == 3
    assert dan.get(f"/chain/compare?shops=demo-berlin,demo-tokyo&{PERIOD}").status_code == 404
    assert dan.get(f"/api/v1/compare?shops=demo-berlin,demo-tokyo&{PERIOD}").status_code == 404


def test_a_seller_may_look_and_not_take_away(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("sam@example.org", ("seller", "demo-berlin"), ("seller", "demo-london"))
    sam = visit(serve(chain_home))
    sam.sign_in("sam@example.org")

    assert "CSV" not in sam.get(f"/chain?{PERIOD}").text
    assert sam.get(f"/api/v1/chain/table.csv?{PERIOD}").text.strip() == ""
    assert sam.get(f"/api/v1/compare/table.csv?shops=demo-berlin,demo-london&{PERIOD}").status_code == 403


def test_files_hold_what_the_pages_show(anna: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(anna.get(f"/api/v1/chain/table.csv?{PERIOD}").text)))
    days = list(csv.DictReader(io.StringIO(
        anna.get(f"/api/v1/compare/table.csv?shops=demo-berlin,demo-tokyo&{PERIOD}").text
    )))  # fmt: skip
    answer = anna.get(f"/api/v1/chain?{PERIOD}").json()

    assert len(rows) == 3 * 9
    berlin = next(row for row in rows if (row["shop"], row["measure"]) == ("demo-berlin", "footfall"))
    shown = next(shop for shop in answer["shops"] if shop["shop"] == "demo-berlin")
    assert float(berlin["value"]) == pytest.approx(shown["figures"]["footfall"]["value"])
    assert berlin["simulated"] == "true"
    assert {row["shop"] for row in days} == {"demo-berlin", "demo-tokyo"}
    assert anna.get(f"/api/v1/chain/table.parquet?{PERIOD}").content.startswith(b"PAR1")


def test_the_api_pages_through_the_shops_and_describes_itself(anna: Any) -> None:
    first = anna.get(f"/api/v1/chain?{PERIOD}&limit=2").json()
    rest = anna.get(f"/api/v1/chain?{PERIOD}&limit=2&offset=2").json()
    paths = anna.get("/api/v1/openapi.json").json()["paths"]

    assert first["found"] == rest["found"] == 3
    assert len({shop["shop"] for shop in first["shops"] + rest["shops"]}) == 3
    assert {"/api/v1/chain", "/api/v1/compare"} <= set(paths)


def test_a_comparison_counts_differences_from_the_first_shop(anna: Any) -> None:
    answer = anna.get(f"/api/v1/compare?shops=demo-tokyo,demo-london&{PERIOD}").json()
    shops = {shop["shop"]: shop["figures"]["conversion"]["value"] for shop in answer["shops"]}
    found = next(each for each in answer["differences"] if each["measure"] == "conversion")

    assert (found["shop"], found["to"]) == ("demo-london", "demo-tokyo")
    assert found["difference"]["value"] == pytest.approx(shops["demo-london"] - shops["demo-tokyo"])
    money = [each for each in answer["differences"] if each["measure"] == "average_ticket"]
    assert [each["difference"]["value"] for each in money] == [None]


def test_somebody_without_a_shop_is_told_whom_to_ask(empty_home: Any, serve: Any, visit: Any) -> None:
    empty_home.person("eve@example.org", ("admin", None))
    eve = visit(serve(empty_home))
    eve.sign_in("eve@example.org")

    assert "You see no shop yet" in text_of(eve.get("/chain").text)
    assert eve.get("/api/v1/chain").json()["shops"] == []


def test_rows_that_came_late_are_seen_without_anybody_waiting(empty_home: Any) -> None:
    clock = [datetime(2026, 3, 10, 12, tzinfo=UTC)]
    add_shop(empty_home)
    app = create_app(empty_home.settings, now=lambda: clock[0])
    site, lake = app.state.site, empty_home.lake()
    shops = all_shops(site)
    period = read_period(site, "2026-03-08", "2026-03-09", "none")
    come_in(lake, 7, batch_no=1)
    seen = [figures_of(site, shops, period).columns["footfall"].value[0]]
    come_in(lake, 5, batch_no=2)
    clock[0] += timedelta(minutes=2)
    seen.append(figures_of(site, shops, period).columns["footfall"].value[0])
    for _ in range(4000):
        if (value := figures_of(site, shops, period).columns["footfall"].value[0]) != 7:
            break
        time.sleep(0.05)
    site.figures.close()

    assert (seen, value) == ([7, 7], 12)


def test_a_layout_that_moved_is_marked_where_the_change_would_stand(empty_home: Any, serve: Any, visit: Any) -> None:
    empty_home.person("eve@example.org", ("admin", None))
    add_shop(empty_home, now=datetime(2026, 2, 1, tzinfo=UTC))
    add_shop(empty_home, now=datetime(2026, 3, 5, 10, tzinfo=UTC), b=(3, 3))
    come_in(empty_home.lake(), 7, batch_no=1)
    eve = visit(serve(empty_home))
    eve.sign_in("eve@example.org")

    days = "from=2026-03-08&to=2026-03-09"
    footfall, abandonment = (
        text_of(eve.get(f"/chain?{days}&measure={measure}").text) for measure in ("footfall", "abandonment")
    )

    assert "– new layout on 5 Mar: not compared" in footfall
    assert "– new layout on 5 Mar " in abandonment
    assert "new layout" not in text_of(eve.get(f"/chain?{days}&against=none").text)


def add_shop(home: Any, *, now: datetime | None = None, b: tuple[int, int] = (2, 3)) -> None:
    text = f"""
[shop]
slug = "riga"
name = "Riga"
timezone = "UTC"
currency = "EUR"
[plan]
width_m = 8
height_m = 6
[[line]]
slug = "door"
name = "Door"
kind = "entrance"
a = [0, 3]
b = {list(b)}
"""
    database = home.database()
    with database.session() as session:
        apply(session, parse(text), "test", box=SecretBox(home.path), now=now)
    database.dispose()


def come_in(lake: Any, people: int, *, batch_no: int) -> None:
    day = date(2026, 3, 9)
    common = {"business_day": day, "shop_id": "riga", "layout_id": "l", "simulated": False, "camera_id": "c"}
    common |= {"line_id": "door", "direction": "in", "role": "customer", "t": datetime(2026, 3, 9, 11, tzinfo=UTC)}
    rows = [common | {"event_id": new_id(), "person_id": new_id()} for _ in range(people)]
    lake.append("crossings", rows, writer_id="test", batch_no=batch_no)
