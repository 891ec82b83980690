"""`vitrina lens import`, `shops`, `shop` and `feeds` as they are typed."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vitrina.cli.jobs import handlers, schedules
from vitrina.cli.lens import app
from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens import intake, shops
from vitrina.settings import Settings, load_settings
from vitrina.storage import audit
from vitrina.storage.database import Database
from vitrina.work import jobs
from vitrina.work.worker import Worker

HEAD = "id;name;url;price;picture\n"


def row(number: int, price: str = "5 EUR") -> str:
    return f"{number};Shoe {number};https://a.example/{number};{price};{number}.jpg\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return write(tmp_path / "feed.csv", range(9))


def write(path: Path, numbers: Any) -> Path:
    path.write_text(HEAD + "".join(map(row, numbers)))
    return path


def typed(settings: Settings, *words: str) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), obj=settings)


def answer(settings: Settings, *words: str, exit_code: int = 0) -> Any:
    result = typed(settings, *words, "--json")
    assert result.exit_code == exit_code, result.output or result.exception
    return json.loads(result.stdout)


def test_a_feed_makes_its_shop_and_its_offers(settings: Settings, feed: Path) -> None:
    said = answer(settings, "import", feed, "--shop", "Best Shop")

    assert said["shop"] == "best-shop"
    assert [(one["state"], one["offers"], one["new"], one["rejects"]) for one in said["imports"]] == [
        ("done", 9, 9, [])
    ]
    assert answer(settings, "shops") == [
        {
            "slug": "best-shop",
            "name": "Best Shop",
            "currency": "EUR",
            "countries": [],
            "network": "",
            "active": True,
            "offers": 9,
            "gone": 0,
            "pictures": {},
        }
    ]


def test_a_person_reads_what_was_new_and_what_was_left_out(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text(HEAD + row(1) + row(2, "free") + row(1))

    shown = typed(settings, "import", feed, "--shop", "best").stdout

    assert f"{feed}: 1 offer: 1 new, 0 changed, 0 gone, 0 unchanged; 2 rejected" in shown
    assert "line 3: offer 2: expected a price such as 499.00, got 'free'" in shown
    assert "line 4: offer 1: another offer before it has this id" in shown
    assert "a picture is no address (--allow-files takes paths), left out" in shown


def test_with_allow_files_pictures_are_files_beside_the_feed(settings: Settings, feed: Path) -> None:
    (feed.parent / "3.jpg").write_bytes(b"x")

    said = answer(settings, "import", feed, "--shop", "best", "--allow-files")

    assert answer(settings, "shops")[0]["pictures"] == {"new": 1}
    missing = "a picture is no file in the feed's folder, left out: '0.jpg', '1.jpg', '2.jpg', … (8 times)"
    assert said["imports"][0]["notes"] == [f"line 2: {missing}"]


def test_a_new_shop_whose_feed_names_no_currency_needs_one(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text(HEAD + row(1, "5"))

    assert "--currency" in str(typed(settings, "import", feed, "--shop", "best").exception)
    assert answer(settings, "shops") == []
    assert answer(settings, "import", feed, "--shop", "best", "--currency", "CHF")["imports"][0]["new"] == 1
    assert answer(settings, "shops")[0]["currency"] == "CHF"


def test_columns_can_be_named(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text("Nr,Titel,Seite,Preis\n1,Schuh,https://a.example/1,5 EUR\n")
    words = ["--column", "id=Nr", "--column", "name=Titel", "--column", "url=Seite", "--column", "price=Preis"]

    assert answer(settings, "import", feed, "--shop", "best", *words)["imports"][0]["new"] == 1
    assert "OURS=THEIRS" in str(typed(settings, "import", feed, "--shop", "best", "--column", "x").exception)


def test_a_folder_is_one_feed(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "feeds"
    folder.mkdir()
    write(folder / "a.csv", [1])
    write(folder / "b.csv", [2])
    (folder / "readme.md").write_text("no feed")

    assert answer(settings, "import", folder, "--shop", "best")["imports"][0]["offers"] == 2


def test_what_is_not_there_is_said(settings: Settings, tmp_path: Path) -> None:
    missing, empty = typed(settings, "import", "nowhere.xml", "--shop", "best"), tmp_path / "empty"
    empty.mkdir()

    assert isinstance(missing.exception, InputError)
    assert "there is no such file or folder" in str(missing.exception)
    assert "there is none" in str(typed(settings, "import", empty, "--shop", "best").exception)


def test_a_feed_that_fails_exits_with_2_and_changes_nothing(settings: Settings, feed: Path) -> None:
    answer(settings, "import", feed, "--shop", "best")
    feed.write_text("<html>Sign in</html>")

    said = answer(settings, "import", feed, "--shop", "best", exit_code=2)

    assert "web page" in said["imports"][0]["reason"]
    assert answer(settings, "shops")[0]["offers"] == 9


def test_a_feed_that_shrinks_is_held_until_somebody_approves(settings: Settings, feed: Path) -> None:
    answer(settings, "import", feed, "--shop", "best")
    write(feed, [1, 2])

    held = answer(settings, "import", feed, "--shop", "best", exit_code=4)["imports"][0]
    assert (held["state"], held["gone"]) == ("held", 7)
    assert answer(settings, "shops")[0]["offers"] == 9

    assert answer(settings, "feeds", "approve", held["import_id"][-8:])["gone"] == 7
    assert answer(settings, "shops")[0]["offers"] == 2
    assert isinstance(typed(settings, "feeds", "approve", held["import_id"]).exception, ConflictError)
    assert isinstance(typed(settings, "feeds", "refuse", held["import_id"]).exception, ConflictError)
    database = Database(settings.database)
    with database.reading() as session:
        assert next(one.action for one in audit.entries(session, object="lens-shop:best")) == "lens.import.approve"
    database.dispose()


def test_the_log_shows_imports_and_what_they_left_out(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text(HEAD + row(1) + row(2, "free"))
    done = answer(settings, "import", feed, "--shop", "best")["imports"][0]

    logged = answer(settings, "feeds", "log", "--shop", "best")
    assert [(one["import_id"], one["rejected"]) for one in logged] == [(done["import_id"], 1)]
    assert [one["line"] for one in answer(settings, "feeds", "log", "--rejects", done["import_id"][-8:])] == [3]
    assert "expected a price" in typed(settings, "feeds", "log", "--rejects", done["import_id"]).stdout.replace(
        "\n", " "
    )
    assert "1 offer:" in typed(settings, "feeds", "log").stdout
    assert isinstance(typed(settings, "feeds", "log", "--rejects", "nothing").exception, NotFoundError)


def test_a_shop_can_be_made_and_changed(settings: Settings) -> None:
    answer(settings, "shop", "best", "--name", "Best", "--currency", "EUR", "--country", "DE", "--country", "AT")

    changed = answer(settings, "shop", "best", "--network", "admitad", "--off")

    assert (changed["name"], changed["countries"], changed["active"]) == ("Best", ["DE", "AT"], False)
    assert "best (off)" in typed(settings, "shops").stdout
    assert typed(settings, "shop", "best").stdout == "best: Best, EUR\n"


def test_a_feed_is_added_listed_and_removed(settings: Settings, feed: Path) -> None:
    added = answer(settings, "feeds", "add", feed, "--shop", "best", "--currency", "EUR", "--cron", "15 */2")
    answer(settings, "import", feed, "--shop", "best")

    listed = answer(settings, "feeds", "list", "--shop", "best")
    assert [(one["feed_id"], one["cron"], one["last"]["offers"]) for one in listed] == [(added["feed_id"], "15 */2", 9)]
    assert added["feed_id"][-8:] in typed(settings, "feeds", "list").stdout

    assert "9 offers are gone" in typed(settings, "feeds", "remove", added["feed_id"][-8:]).stdout
    assert answer(settings, "feeds", "list") == []
    assert answer(settings, "shops")[0]["offers"] == 0


# Feeds with addresses, worked off by `vitrina up` ---------------------------------------------------------------------


class Feed:
    def __init__(self, content: str) -> None:
        self.content, self.asked, self.address = content, 0, ""


@pytest.fixture
def served(feed: Path) -> Iterator[Feed]:
    served = Feed(feed.read_text())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            etag = f'"{len(served.content)}"'
            same = self.headers.get("If-None-Match") == etag
            status = 404 if not served.content else 304 if same else 200
            self.send_response(status)
            self.send_header("ETag", etag)
            body = served.content.encode() if status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.address = f"http://127.0.0.1:{server.server_port}/feed.csv?code=s3cret"
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def worker(settings: Settings) -> Iterator[Worker]:
    settings.home.mkdir()
    database = Database(settings.database)
    database.migrate()
    yield Worker(database, intake.handlers(settings, database))
    database.dispose()


def work_off(settings: Settings, worker: Worker, *, after_h: float) -> list[tuple[str, str]]:
    """State and reason of the imports that are due by then."""
    database = Database(settings.database)
    intake.plan_due(database, datetime.now(UTC) + timedelta(hours=after_h))
    while worker.run_once():
        pass
    with database.reading() as session:
        done = [(job.state, job.reason) for job in jobs.list_jobs(session) if job.name == intake.IMPORT_JOB]
    database.dispose()
    return done


def test_a_feed_with_an_address_is_imported_when_it_is_due(settings: Settings, worker: Worker, served: Feed) -> None:
    words = ["--shop", "best", "--currency", "EUR", "--cron", "0 *", "--allow-private"]
    added = answer(settings, "feeds", "add", served.address, *words)
    assert "s3cret" not in str(added)

    assert work_off(settings, worker, after_h=0) == []
    assert work_off(settings, worker, after_h=2)[0] == (
        "done",
        "9 offers: 9 new, 0 changed, 0 gone, 0 unchanged; 0 rejected",
    )
    assert work_off(settings, worker, after_h=4)[0] == ("done", "unchanged: its server says that nothing changed")
    served.content = HEAD + "".join(map(row, range(10)))
    assert work_off(settings, worker, after_h=6)[0][1].startswith("10 offers: 1 new")

    logged = answer(settings, "feeds", "log")
    assert [one["state"] for one in logged] == ["done", "unchanged", "done"]
    assert list((settings.lens / "fetched").iterdir()) == []


def test_a_catalog_that_was_made_anew_gets_everything_again(settings: Settings, worker: Worker, served: Feed) -> None:
    answer(settings, "import", served.address, "--shop", "best", "--currency", "EUR", "--allow-private")
    answer(settings, "feeds", "list")
    for file in settings.lens.glob("catalog.db*"):
        file.unlink()
    database = Database(settings.database)
    with database.session() as session:
        [feed] = shops.list_feeds(session)
        assert feed.etag

    assert intake.take_in(settings, database, feed.feed_id).new == 9
    assert intake.take_in(settings, database, feed.feed_id).state == "unchanged"
    database.dispose()


def test_a_feed_that_cannot_be_fetched_is_on_its_log_without_its_key(
    settings: Settings, worker: Worker, served: Feed
) -> None:
    answer(settings, "feeds", "add", served.address, "--shop", "best", "--currency", "EUR", "--allow-private")
    served.content = ""

    [(state, reason)] = work_off(settings, worker, after_h=30)

    assert (state, "HTTP 404" in reason) == ("failed", True)
    [logged] = answer(settings, "feeds", "log")
    assert (logged["state"], logged["reason"]) == ("failed", reason)
    assert "s3cret" not in str(logged)


def test_an_address_in_a_private_network_must_be_allowed(settings: Settings, served: Feed) -> None:
    refused = typed(settings, "import", served.address, "--shop", "best", "--currency", "EUR")

    assert "not on the public internet" in str(refused.exception)
    assert served.asked == 0


def test_feeds_are_worked_off_only_where_lens_runs(settings: Settings) -> None:
    settings.home.mkdir()
    database = Database(settings.database)
    without = replace(settings, parts=("floor",))

    assert {intake.IMPORT_JOB, intake.DUE_JOB} <= handlers(settings, database).keys()
    assert intake.IMPORT_JOB not in handlers(without, database)
    assert intake.DUE_JOB in [one.name for one in schedules(settings, is_demo=False)]
    assert intake.DUE_JOB not in [one.name for one in schedules(without, is_demo=False)]
    assert "lens.forget" in handlers(settings, database)
    assert "lens.forget" in [one.name for one in schedules(settings, is_demo=False)]
    database.dispose()
