"""`vitrina connect` and `vitrina export`, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vitrina.cli import connect, export
from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.outlet.export import ExportRun
from vitrina.settings import Settings, load_settings

Run = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def run(settings: Settings) -> Run:
    def invoke(*words: str) -> str:
        app: Any = export.app if words[0] == "export" else connect.app
        done = CliRunner().invoke(app, list(words[1:]), obj=settings, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return invoke


def test_a_broker_is_set_shown_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    run("connect", "mqtt", "set", "--host", "mqtt.example.org", "--tls", "--username", "kim",
        "--password-file", str(tmp_path / "password"))  # fmt: skip

    shown = json.loads(run("connect", "mqtt", "show", "--json"))

    assert (shown["host"], shown["port"], shown["username"], shown["password"]) == (
        "mqtt.example.org",
        8883,
        "kim",
        "***",
    )
    run("connect", "mqtt", "remove")
    with pytest.raises(NotFoundError, match="mqtt set"):
        run("connect", "mqtt", "show")


@pytest.mark.parametrize("ca", ["nothing", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "é"])
def test_a_brokers_certificate_that_is_none_is_refused_when_it_is_set(run: Run, tmp_path: Path, ca: str) -> None:
    (tmp_path / "ca.pem").write_text(ca)

    with pytest.raises(InputError, match="ca: expected certificates in PEM"):
        run("connect", "mqtt", "set", "--host", "mqtt.example.org", "--tls", "--ca", str(tmp_path / "ca.pem"))


def test_a_webhook_is_added_tested_switched_and_removed(run: Run) -> None:
    added = json.loads(
        run("connect", "webhook", "add", "https://example.org/x?key=1", "--events", "day.closed, camera.lost", "--json")
    )

    assert added["secret"].startswith("whsec_")
    assert added["events"] == ["camera.lost", "day.closed"]
    short = added["webhook_id"][-8:]
    run("connect", "webhook", "test", short)
    [told] = json.loads(run("connect", "webhook", "log", "--webhook", short, "--json"))
    assert (told["event"], told["fate"], told["tries"]) == ("test", "waiting", 0)
    run("connect", "webhook", "switch", short, "--off")
    assert "key=1" not in run("connect", "webhook", "list")
    [listed] = json.loads(run("connect", "webhook", "list", "--json"))
    assert listed["active"] is False
    assert "secret" not in listed
    run("connect", "webhook", "remove", short)
    assert json.loads(run("connect", "webhook", "list", "--json")) == []


def test_an_export_is_added_listed_run_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("very secret\n")
    keys = ("--access-key", "AK", "--secret-key-file", str(tmp_path / "key"))
    what = ("--tables", "chain,lake.visits", "--from", "2026-03-01")
    run("export", "add", "nightly", "--to", "s3://shop-data/vitrina", *keys, *what)

    text = run("export", "list", "--json")

    [listed] = json.loads(text)
    assert (listed["name"], listed["tables"], listed["first_day"]) == (
        "nightly",
        ["chain", "lake.visits"],
        "2026-03-01",
    )
    assert "very secret" not in text
    assert "secret" not in listed
    run("export", "run", "nightly", "--day", "2026-03-02")
    assert json.loads(run("export", "log", "--json")) == []
    run("export", "remove", "nightly")
    assert json.loads(run("export", "list", "--json")) == []


def test_days_that_an_export_could_not_write_are_listed_with_what_to_do(run: Run, settings: Settings) -> None:
    run("export", "add", "nightly", "--to", "there", "--from", "2026-03-01")
    with database_session(settings) as session:
        for day, outcome in ("2026-02-28", "failed"), ("2026-03-02", "failed"), ("2026-03-03", "done"):
            numbers: Any = {"files": 0, "rows": 0, "bytes": 0, "ended_at": datetime.now(UTC)}
            session.add(ExportRun(export_name="nightly", day=day, outcome=outcome, reason="a damaged file", **numbers))

    [listed] = json.loads(run("export", "list", "--json"))
    text = run("export", "list")

    assert [(one["day"], one["reason"]) for one in listed["failing"]] == [("2026-03-02", "a damaged file")]
    assert listed["last"][0]["day"] == "2026-03-03"
    assert "nightly: 1 days could not be written, first 2026-03-02: a damaged file" in text
    assert "Once mended: vitrina export run nightly" in text


@pytest.mark.parametrize(
    "words",
    [
        ("export", "add", "nightly", "--to", "../out"),
        ("export", "add", "nightly", "--to", "there", "--tables", "secrets"),
        ("export", "add", "nightly", "--to", "there", "--cron", "at six"),
        ("export", "add", "nightly", "--to", "there", "--from", "yesterday"),
        ("connect", "webhook", "add", "http://example.org", "--events", "day.closed"),
        ("connect", "webhook", "add", "https://example.org", "--events", "day.opened"),
        ("connect", "mqtt", "set", "--host", "mqtt example"),
        ("connect", "mqtt", "set", "--host", "mqtt.example.org", "--prefix", "a/#"),
    ],
)
def test_what_does_not_fit_is_said(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        run(*words)
