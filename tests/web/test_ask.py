"""Asking in SQL: the page, the API, saved questions, and what nobody gets to see."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest

from vitrina.storage import audit

DAYS = {"from": "2026-03-01", "to": "2026-03-09"}


def url(sql: str, path: str = "/ask", **more: str) -> str:
    return f"{path}?" + urlencode({"q": sql, **DAYS, **more})


@pytest.fixture
def anna(shared_chain: Any, visit: Any) -> Any:
    visitor = visit(shared_chain[1])
    visitor.sign_in("anna@example.org")
    return visitor


def test_an_empty_page_shows_the_views_and_questions_to_begin_with(anna: Any) -> None:
    page = anna.get("/ask").text

    assert "Footfall by week day" in page
    assert "Entries and exits by day; entries are the footfall." in page
    assert "None yet. Ask something" in page


def test_an_answer_is_a_table_and_files_with_the_same_rows(anna: Any) -> None:
    sql = "SELECT shop_id, sum(entries) AS people FROM days GROUP BY shop_id ORDER BY shop_id"

    page = anna.get(url(sql)).text
    rows = anna.get(url(sql, "/api/v1/ask.json")).json()
    file = pq.read_table(io.BytesIO(anna.get(url(sql, "/api/v1/ask.parquet")).content))

    assert [row["shop_id"] for row in rows] == ["demo-berlin", "demo-london", "demo-tokyo"]
    assert all(f'<td class="num">{row["people"]}</td>' in page for row in rows)
    assert file.column("people").to_pylist() == [row["people"] for row in rows]
    assert "3 rows" in page
    assert "Simulated data" in page


def test_every_question_to_begin_with_has_an_answer(anna: Any) -> None:
    links = re.findall(r'<li><a href="(/ask\?q=[^"]+)"', anna.get("/ask").text)

    assert len(links) == 4
    for link in links:
        page = anna.get(f"{unescape(link)}&{urlencode(DAYS)}").text
        assert 'role="alert"' not in page
        assert "<tbody>" in page


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM crossings", "Table with name crossings does not exist"),
        ("SELECT * FROM read_csv('/etc/passwd')", "and no file, address or setting besides"),
        ("DROP TABLE days", "expected one SELECT, got DROP"),
        ("SELECT nobody FROM days", "nobody"),
        ("SELEC 1", "SQL:"),
    ],
)
def test_a_mistake_is_told_beside_the_question(anna: Any, sql: str, says: str) -> None:
    answer = anna.get(url(sql))

    assert answer.status_code == 200
    assert says in answer.text
    assert 'role="alert"' in answer.text


def test_a_director_asks_about_the_own_shop_alone_and_not_for_rows(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("dan@example.org", ("director", "demo-berlin"))
    dan = visit(serve(chain_home))
    dan.sign_in("dan@example.org")

    rows = dan.get(url("SELECT DISTINCT shop_id FROM zones", "/api/v1/ask.json")).json()

    assert rows == [{"shop_id": "demo-berlin"}]
    assert dan.get(url("SELECT * FROM visits", "/api/v1/ask.json", raw="true")).status_code == 403
    assert "lake&#39;s own tables" not in dan.get("/ask").text


def test_rows_of_the_lake_are_for_the_role_and_every_question_is_on_record(
    chain_home: Any, serve: Any, visit: Any
) -> None:
    person = chain_home.person("ada@example.org", ("analyst", None))
    ada = visit(serve(chain_home))
    ada.sign_in("ada@example.org")

    assert ada.get(url("SELECT count(*) AS n FROM visits", "/api/v1/ask.json", raw="true")).json()[0]["n"] > 100

    database = chain_home.database()
    with database.reading() as session:
        newest = audit.entries(session, limit=1)[0]
    database.dispose()
    assert (newest.who, newest.action, newest.after["query"]) == (
        person,
        "lake.sql",
        "SELECT count(*) AS n FROM visits",
    )


def test_a_question_is_saved_shared_and_deleted(chain_home: Any, serve: Any, visit: Any) -> None:
    address = serve(chain_home)
    for name in ("ada", "bob"):
        chain_home.person(f"{name}@example.org", ("analyst", None))
    ada, bob = visit(address), visit(address)
    ada.sign_in("ada@example.org")
    bob.sign_in("bob@example.org")
    page = url("SELECT 1 AS one")

    saved = ada.post("/ask/saved", page, name="One", q="SELECT 1 AS one", shared="true")
    ada.post("/ask/saved", page, name="Mine", q="SELECT 2 AS two")

    assert saved.status_code == 303
    kept = ada.post("/ask/saved", page, name="One", q="SELECT 1 AS one", shared="true", **DAYS)
    assert kept.headers["Location"] == "/ask?q=SELECT+1+AS+one&from=2026-03-01&to=2026-03-09"
    assert "One" in bob.get("/ask").text
    assert "Mine" not in bob.get("/ask").text
    question = ada.get("/ask").text.split("/ask/saved/")[1].split("/delete")[0]
    assert bob.post(f"/ask/saved/{question}/delete", "/account").status_code in (403, 404)
    assert ada.post(f"/ask/saved/{question}/delete", "/ask").status_code == 303


def test_other_questions_are_asked_of_the_same_days(anna: Any) -> None:
    links = re.findall(r'<li><a href="(/ask\?q=[^"]+)"', anna.get(url("SELECT 1")).text)

    assert links
    assert all(unescape(link).endswith("&from=2026-03-01&to=2026-03-09") for link in links)


def test_days_that_do_not_fit_are_refused_with_what_was_expected(anna: Any) -> None:
    answer = anna.get("/ask?q=SELECT+1&from=2026-03-09&to=2026-03-01")

    assert answer.status_code == 400
    assert "expected up to 400 days" in answer.text
    assert ">SELECT 1</textarea>" in answer.text
    for asked in ("to=0001-01-01", "from=9999-12-31"):
        assert "expected a day of the years 2000 to 2200" in anna.get(f"/ask?q=SELECT+1&{asked}").text


def test_what_is_wrong_is_told_in_the_readers_language(anna: Any) -> None:
    russian = {"Accept-Language": "ru"}

    assert "нужен один SELECT, пришло DROP" in anna.get(url("DROP TABLE days"), headers=russian).text
    assert "from: нужна дата" in anna.get("/ask?q=SELECT+1&from=monday", headers=russian).text


def test_numbers_are_written_out(anna: Any) -> None:
    sql = "SELECT 3582165.25::DOUBLE AS takings, 1699::DOUBLE AS people, 2e12::DOUBLE AS many, true AS open"
    page = anna.get(url(sql)).text

    assert re.findall(r"<td(?: class=\"num\")?>([^<]*)</td>", page) == ["3582165.25", "1699", "2000000000000", "true"]
