"""The outbox: told once, tried again for a day, given up with a reason, sent again by hand."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.outlet import delivery, webhook
from vitrina.outlet.delivery import Delivery, Fate
from vitrina.outlet.signature import verify
from vitrina.outlet.webhook import Webhook
from vitrina.storage import audit
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.jobs import Job, State, list_jobs
from vitrina.work.worker import Worker

KNOWN = ("day.closed", "camera.lost")


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(minutes=1)  # a busy machine takes its time

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(database: Database, box: SecretBox, clock: Clock) -> Worker:
    handler = lambda job: delivery.deliver(database, box, job, timeout_s=2.0, clock=clock)  # noqa: E731
    return Worker(database, {delivery.JOB: handler}, clock=clock)


def add(database: Database, box: SecretBox, url: str, **given: Any) -> tuple[str, str]:
    """Id and secret."""
    given = {"events": KNOWN, "shop": None, "allow_private": True} | given
    with database.session() as session:
        row, secret = webhook.add_webhook(session, url=url, known_events=KNOWN, box=box, by="test", **given)
        return row.webhook_id, secret


def tell(database: Database, key: str = "riga:1", event: str = "day.closed", shop: str | None = "riga") -> int:
    with database.session() as session:
        return delivery.tell(session, event, {"shop": shop, "footfall": 12}, key=key, shop=shop)


def rows(database: Database) -> list[Delivery]:
    with database.reading() as session:
        return delivery.deliveries(session)


def work_off(worker: Worker, clock: Clock, *, tries: int = 1) -> None:
    for _ in range(tries):
        worker.run_once()
        clock.now += timedelta(hours=1, seconds=1)


def test_a_message_arrives_signed_and_is_taken(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    _, secret = add(database, box, receiver.url)
    tell(database)

    worker.run_once()

    [(_, headers, body)] = receiver.got
    verify(secret, headers, body, now_s=time.time())
    said = json.loads(body)
    assert (said["type"], said["data"]) == ("day.closed", {"shop": "riga", "footfall": 12})
    [row] = rows(database)
    assert headers["webhook-id"] == f"msg_{row.delivery_id}"
    assert (row.fate, row.status, row.tries, row.reason) == (Fate.TAKEN, 204, 1, "")


def test_the_same_event_is_told_once_and_only_to_those_who_want_it(
    database: Database, box: SecretBox, receiver: Any
) -> None:
    add(database, box, receiver.url)
    add(database, box, receiver.url, events=["camera.lost"])
    add(database, box, receiver.url, shop="london")

    assert [tell(database), tell(database), tell(database, key="riga:2")] == [1, 0, 1]
    assert len(rows(database)) == 2


def test_a_message_is_told_only_when_what_it_tells_is_stored(database: Database, box: SecretBox, receiver: Any) -> None:
    add(database, box, receiver.url)

    def tell_and_fail() -> None:
        with database.session() as session:
            delivery.tell(session, "day.closed", {}, key="x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tell_and_fail()

    assert rows(database) == []


@pytest.mark.parametrize("answer", [301, 400, 401, 404, 408, 413, 429, 500, 502, 503, "hang"])
def test_every_answer_but_taken_and_gone_is_tried_again(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock, answer: int | str
) -> None:
    add(database, box, receiver.url)
    receiver.answers = [answer, 204]
    tell(database)

    work_off(worker, clock)
    [first] = rows(database)
    work_off(worker, clock)
    [second] = rows(database)

    assert (first.fate, first.tries) == (Fate.WAITING, 1)
    assert first.reason == (f"HTTP {answer}" if isinstance(answer, int) else "no answer within 2 s")
    assert (second.fate, second.tries, len(receiver.got)) == (Fate.TAKEN, 2, 2)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


def test_what_is_known_to_be_taken_is_not_sent_again_though_its_sender_died(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    add(database, box, receiver.url)
    tell(database)
    work_off(worker, clock)
    with database.session() as session:
        session.execute(sa.update(Job).values(state=State.RUNNING, lease_until=clock.now - timedelta(minutes=1)))

    work_off(worker, clock)

    assert (len(receiver.got), rows(database)[0].tries) == (1, 1)
    with database.reading() as session:
        assert [(job.state, job.reason) for job in list_jobs(session)] == [(State.DONE, "it was taken")]


def test_gone_switches_the_receiver_off(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    webhook_id, _ = add(database, box, receiver.url)
    receiver.answers = [410]
    tell(database)
    tell(database, key="riga:2")

    work_off(worker, clock, tries=2)

    assert len(receiver.got) == 1
    assert [row.fate for row in rows(database)] == [Fate.DEAD, Fate.DEAD]
    with database.reading() as session:
        assert webhook.get_webhook(session, webhook_id).reason == "it answered 410 Gone"
    assert tell(database, key="riga:3") == 0


def test_a_receiver_that_is_away_is_tried_for_a_day_and_then_given_up(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    add(database, box, receiver.url)
    receiver.stop()
    tell(database)
    began = clock.now

    waits_h = []
    while [row.fate for row in rows(database)] == [Fate.WAITING]:
        with database.reading() as session:
            [job] = list_jobs(session)
        clock.now = max(clock.now, job.run_at)
        waits_h.append((clock.now - began).total_seconds() / 3600)
        worker.run_once()

    assert len(waits_h) == delivery.MOST_TRIES
    assert 23.0 <= waits_h[-1] <= 25.0
    [row] = rows(database)
    assert (row.fate, row.tries) == (Fate.DEAD, 32)
    assert row.reason == "connection refused: nothing listens there"
    with database.reading() as session:
        assert [job.state for job in list_jobs(session)] == [State.FAILED]


@pytest.mark.parametrize(("asked_s", "waited_s"), [(600, 600), (1, 10)])
def test_a_receiver_says_when_to_come_again_at_the_earliest(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock, asked_s: int, waited_s: int
) -> None:
    """Who always asks for a second would else have used up a day's tries within a minute."""
    add(database, box, receiver.url)
    receiver.answers, receiver.headers = [429], {"Retry-After": str(asked_s)}
    tell(database)

    worker.run_once()

    with database.reading() as session:
        [job] = list_jobs(session)
    assert job.run_at == clock.now + timedelta(seconds=waited_s)


def test_a_receiver_that_was_restarted_gets_what_waited(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    add(database, box, receiver.url)
    receiver.stop()
    for number in range(5):
        tell(database, key=f"riga:{number}")
    work_off(worker, clock, tries=5)
    receiver.start()

    work_off(worker, clock, tries=5)

    assert [row.fate for row in rows(database)] == [Fate.TAKEN] * 5
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 5


@pytest.mark.parametrize("answer", ["hang", 503])
def test_while_a_receiver_is_away_one_of_its_messages_is_tried_and_other_receivers_are_not_held_up(
    database: Database, box: SecretBox, receiver: Any, other: Any, worker: Worker, clock: Clock, answer: int | str
) -> None:
    receiver.answers = [answer]
    away, _ = add(database, box, receiver.url, events=["day.closed"])
    add(database, box, other.url, events=["camera.lost"])
    for number in range(20):
        tell(database, key=f"riga:{number}")
    tell(database, event="camera.lost")

    while worker.run_once():
        pass
    clock.now += timedelta(seconds=15)
    while worker.run_once():
        pass

    assert len(other.got) == 1
    assert [headers["webhook-id"] for _, headers, _ in receiver.got] == [f"msg_{rows(database)[-1].delivery_id}"] * 2
    assert sorted(row.tries for row in rows(database) if row.webhook_id == away) == [0] * 19 + [2]


def test_the_first_message_that_is_taken_brings_those_back_that_waited_in_their_order(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    receiver.answers = [503] * 12 + [204]
    add(database, box, receiver.url)
    for number in range(5):
        tell(database, key=f"riga:{number}")
    work_off(worker, clock, tries=11)
    worker.run_once()  # the next try is an hour away
    clock.now += timedelta(minutes=2)
    tell(database, key="new")

    while worker.run_once():
        pass

    oldest, *others, newest = reversed([row.delivery_id for row in rows(database)])
    assert [headers["webhook-id"] for _, headers, _ in receiver.got[12:]] == [f"msg_{one}" for one in (newest, *others)]
    clock.now += timedelta(hours=1)
    worker.run_once()
    assert receiver.got[-1][1]["webhook-id"] == f"msg_{oldest}"


def test_a_message_that_is_refused_holds_up_no_other_of_its_receiver(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    receiver.answers = [400, 204]
    add(database, box, receiver.url)
    tell(database)
    tell(database, key="riga:2")

    while worker.run_once():
        pass

    assert [row.fate for row in rows(database)] == [Fate.TAKEN, Fate.WAITING]


def test_what_waited_a_day_for_a_receiver_is_given_up_with_the_message_that_was_tried(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    add(database, box, receiver.url)
    receiver.stop()
    for number in range(3):
        tell(database, key=f"riga:{number}")
    work_off(worker, clock, tries=delivery.MOST_TRIES - 1)
    tell(database, key="young")
    with database.session() as session:
        young = list_jobs(session, state=State.WAITING)[0]
        young.created_at = young.run_at = clock.now
        young.run_at += timedelta(minutes=1)

    worker.run_once()

    found = [(row.fate, row.tries) for row in reversed(rows(database))]
    assert found == [(Fate.DEAD, 32), (Fate.DEAD, 0), (Fate.DEAD, 0), (Fate.WAITING, 0)]
    assert {row.reason for row in rows(database)} == {"connection refused: nothing listens there", ""}


def test_an_address_that_became_private_is_not_sent_to(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    add(database, box, f"https://localhost:{receiver.port}/", allow_private=False)
    tell(database)

    worker.run_once()

    [row] = rows(database)
    assert (row.fate, row.status) == (Fate.DEAD, None)
    assert "not on the public internet" in row.reason
    assert receiver.got == []


def test_a_message_is_sent_again_by_hand_under_its_id(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, clock: Clock
) -> None:
    add(database, box, receiver.url)
    tell(database)
    [waiting] = rows(database)
    with database.session() as session, pytest.raises(ConflictError, match="on its way"):
        delivery.tell_again(session, waiting.delivery_id, by="test")
    work_off(worker, clock)

    with database.session() as session:
        delivery.tell_again(session, waiting.delivery_id, by="test")
    work_off(worker, clock)

    assert [headers["webhook-id"] for _, headers, _ in receiver.got] == [f"msg_{waiting.delivery_id}"] * 2
    assert [row.fate for row in rows(database)] == [Fate.TAKEN]


def test_a_test_reaches_a_receiver_that_is_switched_off(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    webhook_id, _ = add(database, box, receiver.url)
    with database.session() as session:
        webhook.switch(session, webhook_id, active=False, by="test")
        delivery.tell_test(session, webhook_id, by="test")

    worker.run_once()

    assert json.loads(receiver.got[0][2])["type"] == "test"


def test_nothing_secret_is_stored_in_the_open_or_logged(
    database: Database, box: SecretBox, receiver: Any, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, secret = add(database, box, receiver.url + "?token=hidden")
    receiver.answers = [500]
    tell(database)
    worker.run_once()

    with database.reading() as session:
        stored = session.scalar(sa.select(Webhook.secret))
        log = " ".join(f"{entry.before} {entry.after}" for entry in audit.entries(session))
    assert secret not in str(stored) + log + caplog.text
    assert "hidden" not in log + caplog.text
    assert "footfall" not in caplog.text
    assert "HTTP 500" in caplog.text


def test_a_removed_receiver_gets_nothing_more(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    webhook_id, _ = add(database, box, receiver.url)
    tell(database)
    with database.session() as session:
        delivery.remove_webhook(session, webhook_id[-8:], by="test")

    worker.run_once()

    assert receiver.got == []
    with database.reading() as session, pytest.raises(NotFoundError):
        webhook.get_webhook(session, webhook_id)


def test_old_messages_are_forgotten_and_those_that_nobody_sends_die(
    database: Database, box: SecretBox, receiver: Any, worker: Worker
) -> None:
    add(database, box, receiver.url)
    tell(database)
    worker.run_once()
    tell(database, key="stuck")
    long_ago = datetime.now(UTC) - timedelta(days=3)
    with database.session() as session:
        session.execute(sa.update(Delivery).values(created_at=long_ago))
        [stuck] = [job for job in list_jobs(session) if job.state == State.WAITING]
        stuck.state = State.FAILED
        delivery.forget(session, long_ago + timedelta(days=1))

    assert [(row.fate, row.reason) for row in rows(database)] == [(Fate.DEAD, "the sender died each time it tried")]


@pytest.mark.parametrize(
    "wrong", [{"events": []}, {"events": ["day.open"]}, {"url": "http://example.org/", "allow_private": False}]
)
def test_a_webhook_that_says_nothing_useful_is_refused(
    database: Database, box: SecretBox, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        add(database, box, **{"url": "https://example.org/", **wrong})
