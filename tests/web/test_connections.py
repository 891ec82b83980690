"""The page of connections: for administrators and engineers, written into the audit log, with nothing secret in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from vitrina.outlet import broker, delivery, export, webhook
from vitrina.outlet.export import ExportRun
from vitrina.storage import audit
from vitrina.work.jobs import list_jobs

URL = "https://hooks.example.org/vitrina?key=open-sesame"


@pytest.fixture
def anna(chain_home: Any, serve: Any, visit: Any) -> Any:
    """An administrator with a browser."""
    chain_home.person("anna@example.org", ("admin", None), name="Anna")
    visitor = visit(str(serve(chain_home)))
    visitor.sign_in("anna@example.org")
    return visitor


def post(visitor: Any, path: str, **fields: Any) -> httpx.Response:
    answer: httpx.Response = visitor.post(f"/connections{path}", "/connections", **fields)
    return answer


def rows(home: Any, read: Any) -> Any:
    database = home.database()
    with database.reading() as session:
        found = read(session)
    database.dispose()
    return found


def logged(home: Any) -> str:
    return str(rows(home, lambda session: [(e.action, e.who, e.before, e.after) for e in audit.entries(session)]))


def test_empty_it_says_what_each_is_for_and_offers_to_begin(anna: Any) -> None:
    page = anna.get("/connections").text

    for words in ("Enter a broker", "Add a webhook", "Add an export", "made up for"):
        assert words in page


def test_a_broker_is_entered_and_its_password_is_never_shown(anna: Any, chain_home: Any) -> None:
    answer = post(anna, "/mqtt", host="mqtt.example.org", port=0, tls="true", username="kim", password="open sesame")

    assert answer.headers["location"] == "/connections?done=saved"
    row = rows(chain_home, broker.find_broker)
    assert (row.host, row.port, row.tls) == ("mqtt.example.org", 8883, True)
    page = anna.get("/connections").text
    assert "not connected" in page
    assert "open sesame" not in page + logged(chain_home) + str(row.password)
    assert "mqtt.set" in logged(chain_home)


def test_another_host_does_not_get_the_password_of_the_first(anna: Any, chain_home: Any) -> None:
    post(anna, "/mqtt", host="mqtt.example.org", username="kim", password="open sesame")
    post(anna, "/mqtt", host="mqtt.example.org", username="tim")
    kept = rows(chain_home, broker.find_broker).password
    post(anna, "/mqtt", host="evil.example.org", username="kim")

    assert kept is not None
    assert rows(chain_home, broker.find_broker).password is None


def test_a_webhook_is_added_its_secret_shown_once_and_a_test_sent(anna: Any, chain_home: Any) -> None:
    page = post(anna, "/webhooks", url=URL, events=["day.closed", "camera.lost"]).text

    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert secret is not None
    [row] = rows(chain_home, webhook.list_webhooks)
    assert secret[0] not in anna.get("/connections").text + logged(chain_home) + row.secret
    assert "open-sesame" not in anna.get("/connections").text + logged(chain_home)
    assert post(anna, f"/webhooks/{row.webhook_id}/test").status_code == 303
    [told] = rows(chain_home, delivery.deliveries)
    assert told.event == "test"
    assert "on its way" in anna.get("/connections").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "https://10.0.0.1/", "events": ["day.closed"]}, "not on the public internet"),
        ({"url": "http://example.org/", "events": ["day.closed"]}, "expected https"),
        ({"url": "https://example.org/"}, "expected at least one of"),
        ({"url": "https://example.org/", "events": ["day.closed"], "shop": "paris"}, "there is no shop"),
    ],
)
def test_what_is_wrong_with_a_webhook_stands_on_the_page(anna: Any, fields: dict[str, Any], said: str) -> None:
    answer = post(anna, "/webhooks", **fields)

    assert answer.status_code in (400, 403)
    assert said in answer.text


def test_an_export_is_added_run_and_removed(anna: Any, chain_home: Any) -> None:
    post(anna, "/exports", name="nightly", target="warehouse", tables=["chain", "lake.visits"], shops=["demo-berlin"])

    assert "nightly" in anna.get("/connections").text
    assert post(anna, "/exports/nightly/run", day="2026-03-09").status_code == 303
    [job] = rows(chain_home, list_jobs)
    assert (job.name, job.payload) == ("export.run", {"export": "nightly", "day": "2026-03-09"})
    post(anna, "/exports/nightly/remove")
    assert rows(chain_home, export.list_exports) == []


def test_a_day_that_an_export_could_not_write_stands_beside_it(anna: Any, chain_home: Any) -> None:
    post(anna, "/exports", name="nightly", target="warehouse", tables=["chain"], first_day="2026-03-01")
    assert "A day that failed is tried again" not in anna.get("/connections").text
    database = chain_home.database()
    with database.session() as session:
        numbers: Any = {"files": 0, "rows": 0, "bytes": 0, "ended_at": datetime.now(UTC)}
        failed: Any = {"outcome": "failed", "reason": "a damaged file"}
        session.add(ExportRun(export_name="nightly", day="2026-03-02", **failed, **numbers))
    database.dispose()

    page = anna.get("/connections").text

    assert page.count("a damaged file") == 2
    assert "A day that failed is tried again with every run" in page


def test_where_an_export_goes_is_no_end_of_a_period_in_russian(anna: Any) -> None:
    post(anna, "/exports", name="nightly", target="warehouse", tables=["chain"])

    page = anna.get("/connections", headers={"Accept-Language": "ru"}).text

    assert '<th scope="col">Куда</th>' in page
    assert '<th scope="col">По</th>' not in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "../outside"}, "lies outside"),
        ({"target": "/etc"}, "lies outside"),
        ({"target": "s3://bucket/x"}, "access key"),
        ({"target": "ftp://host/x"}, "expected a folder"),
        ({"cron": "61 *"}, "expected a minute"),
        ({"tables": ["secrets"]}, "expected at least one of"),
        ({"name": "No Name"}, "small letters"),
    ],
)
def test_what_is_wrong_with_an_export_stands_on_the_page(anna: Any, fields: dict[str, Any], said: str) -> None:
    answer = post(anna, "/exports", **{"name": "nightly", "target": "there", "tables": ["chain"], **fields})

    assert (answer.status_code, said in answer.text) == (400, True)


def test_an_engineer_sends_nothing_out_that_engineers_may_not_take_away(
    chain_home: Any, serve: Any, visit: Any
) -> None:
    chain_home.person("kim@example.org", ("engineer", None))
    kim = visit(str(serve(chain_home)))
    kim.sign_in("kim@example.org")

    answers = [post(kim, "/exports", name="x", target="x", tables=[table]) for table in ("chain", "lake.positions")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert rows(chain_home, export.list_exports) == []


@pytest.mark.parametrize("role", [("seller", None), ("director", None), ("analyst", None), ("admin", "demo-berlin")])
def test_others_neither_see_nor_change_it(chain_home: Any, serve: Any, visit: Any, role: Any) -> None:
    chain_home.person("sven@example.org", role)
    sven = visit(str(serve(chain_home)))
    sven.sign_in("sven@example.org")

    assert sven.get("/connections").status_code == 403
    assert "Connections" not in sven.get("/").text
    assert sven.post("/connections/mqtt/remove", "/account").status_code == 403


def test_a_form_from_elsewhere_changes_nothing(anna: Any, chain_home: Any) -> None:
    assert anna.http.post("/connections/mqtt", data={"host": "evil.example.org"}).status_code == 403
    assert rows(chain_home, broker.find_broker) is None
