"""What Prometheus reads: every process, by names that promtool finds nothing to say about, and never a person."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from vitrina.floor.bulletin import EVENTS
from vitrina.floor.worker.server import Server
from vitrina.outlet import broker, delivery, export, webhook
from vitrina.outlet.broker import BrokerSettings
from vitrina.outlet.export import ExportRun
from vitrina.storage.secrets import SecretBox

DOOR = {
    "shop": "riga", "camera": "door", "state": "running", "fps_got": 9.8, "fps_wanted": 10.0, "lag_s": 0.2, "people": 3,
    "looked_share": 0.4, "frames": 1200, "dropped": 2, "missed": 5, "damaged": 1, "reconnects": 1, "clock_jumps": 0,
    "cost_ms": 8.5, "problems": ["dark"], "inside": {"shelf": 2},
}  # fmt: skip
TILLS = DOOR | {"camera": "tills", "state": "lost", "people": 4, "inside": {"shelf": 4, "tills": 4}}


@pytest.fixture
def door(chain_home: Any) -> Iterator[None]:
    """A worker's sockets: one camera runs, and one is lost with people in its last picture."""
    server = Server(chain_home.path)
    server.open(("riga", "door"), lambda _what: (dict(DOOR), None))
    server.open(("riga", "tills"), lambda _what: (dict(TILLS), None))
    yield
    server.close()


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Name and labels to value."""
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def busy(home: Any) -> str:
    """A broker, a webhook with a message, an export that ran; gives an engineer's key."""
    database, box = home.database(), SecretBox(home.path)
    with database.session() as session:
        broker.set_broker(session, BrokerSettings("mqtt.example.org"), box=box, by="test")
        webhook.add_webhook(
            session, url="https://example.org/", events=EVENTS, known_events=EVENTS, shop=None, allow_private=False,
            box=box, by="test",
        )  # fmt: skip
        delivery.tell(session, "day.closed", {}, key="x")
        given = export.ExportSettings("nightly", ("chain",), "there")
        export.add_export(session, given, known_tables=["chain"], root=home.path, box=box, by="test")
        run = dict.fromkeys(("files", "rows", "bytes"), 1) | {"outcome": "done", "reason": ""}
        session.add(
            ExportRun(export_name="nightly", day="2026-03-09", ended_at=datetime(2026, 3, 10, tzinfo=UTC), **run)
        )
    database.dispose()
    return str(home.key(home.person("kim@example.org", ("engineer", None)), "metrics.view"))


def scrape(address: str, key: str) -> str:
    answer = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert answer.status_code == 200
    return answer.text


def test_every_process_is_in_it(chain_home: Any, serve: Any) -> None:
    key, address = busy(chain_home), serve(chain_home)
    httpx.get(f"{address}/sign-in", timeout=60)
    httpx.get(f"{address}/no/such/page", timeout=60)

    aside = chain_home.path / "journal/demo-berlin/door/000000000001.visits.refused"
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"rows")

    found = read(scrape(address, key))

    assert found["vitrina_database_up", ()] == 1
    assert found["vitrina_mqtt_connected", ()] == 0
    assert found["vitrina_webhook_deliveries", (("state", "waiting"),)] == 1
    assert found["vitrina_jobs", (("name", "webhook.deliver"), ("state", "waiting"))] == 1
    assert found["vitrina_export_last_success_timestamp_seconds", (("export", "nightly"),)] == 1773100800
    assert found["vitrina_export_failed", (("export", "nightly"),)] == 0
    assert found["vitrina_lake_files", (("table", "crossings"),)] > 0
    assert found["vitrina_lake_commit_age_seconds", (("table", "crossings"),)] >= 0
    assert found["vitrina_backlog_bytes", (("place", "journal"),)] == 0
    assert found["vitrina_rows_aside_files", (("place", "journal"),)] == 1
    times = "vitrina_http_request_duration_seconds_count"
    assert found[times, (("method", "GET"), ("route", "/sign-in"), ("status", "200"))] == 1
    assert found[times, (("method", "GET"), ("route", "other"), ("status", "401"))] == 1


def test_a_route_is_named_by_its_template_and_nobody_by_name(chain_home: Any, serve: Any) -> None:
    key, address = busy(chain_home), serve(chain_home)
    reader = chain_home.key(chain_home.person("sven@example.org", ("seller", None)), "figures.view", "shop.view")
    httpx.get(f"{address}/api/v1/shops/demo-berlin", headers={"Authorization": f"Bearer {reader}"}, timeout=60)

    text = scrape(address, key)

    assert 'route="/api/v1/shops/{slug}"' in text
    assert "sven" not in text
    assert not re.search(r"person|track_id", text)


def test_a_camera_says_how_it_is(chain_home: Any, serve: Any, door: None) -> None:
    found = read(scrape(serve(chain_home), busy(chain_home)))

    place = (("camera", "door"), ("shop", "riga"))
    assert found["vitrina_camera_up", place] == 1
    assert found["vitrina_camera_frames_total", place] == 1200
    assert found["vitrina_camera_look_seconds", place] == 0.0085
    assert found["vitrina_camera_problem", (("camera", "door"), ("problem", "dark"), ("shop", "riga"))] == 1
    assert found["vitrina_camera_problem", (("camera", "door"), ("problem", "moved"), ("shop", "riga"))] == 0
    assert found["vitrina_camera_people", place] == 3
    assert found["vitrina_shop_people", (("shop", "riga"),)] == 3
    assert found["vitrina_zone_people", (("shop", "riga"), ("zone", "shelf"))] == 2


def test_whom_a_camera_saw_before_it_was_lost_is_nobody_now(chain_home: Any, serve: Any, door: None) -> None:
    found = read(scrape(serve(chain_home), busy(chain_home)))

    place = (("camera", "tills"), ("shop", "riga"))
    assert found["vitrina_camera_up", place] == 0
    assert ("vitrina_camera_people", place) not in found
    assert ("vitrina_zone_people", (("shop", "riga"), ("zone", "tills"))) not in found


@pytest.mark.parametrize(
    ("local", "forwarded", "status"), [("no", False, 401), ("yes", False, 200), ("yes", True, 401)]
)
def test_this_machine_needs_no_key_only_where_the_setting_says_so(
    empty_home: Any, serve: Any, local: str, forwarded: bool, status: int
) -> None:
    from dataclasses import replace

    home = replace(empty_home, settings=replace(empty_home.settings, metrics_local=local))
    headers = {"X-Forwarded-For": "203.0.113.7"} if forwarded else {}

    assert httpx.get(f"{serve(home)}/metrics", headers=headers, timeout=60).status_code == status


@pytest.mark.slow
def test_promtool_has_nothing_to_say(chain_home: Any, serve: Any, door: None) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    text = scrape(serve(chain_home), busy(chain_home))

    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)

    assert "vitrina_camera_frames_total" in text
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.slow
def test_the_alerts_in_the_documentation_are_rules_about_metrics_that_exist(
    chain_home: Any, serve: Any, door: None, tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    folder = Path(__file__).parents[2] / "docs" / "how-to"
    page = (folder / "prometheus.md").read_text(encoding="utf-8")
    rules = "groups:\n" + page.split("```yaml\ngroups:\n")[1].split("```")[0]
    (tmp_path / "rules.yml").write_text(rules)
    key, address = busy(chain_home), serve(chain_home)
    scrape(address, key)  # so that there was a request
    text = scrape(address, key)

    done = subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    named = re.findall(r"\bvitrina_\w+", rules + (folder / "vitrina-grafana.json").read_text(encoding="utf-8"))
    assert [name for name in named if name not in text] == []
