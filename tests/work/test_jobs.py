from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vitrina.errors import CameraError, ConflictError, InputError, NotFoundError
from vitrina.storage.database import Database
from vitrina.work import jobs
from vitrina.work.cron import parse_cron
from vitrina.work.jobs import Schedule, State
from vitrina.work.worker import RunningJob, Worker

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def enqueue(database: Database, name: str = "work", **options: object) -> str:
    with database.session() as session:
        return jobs.enqueue(session, name, {"n": 1}, **({"run_at": NOON} | options))  # type: ignore[arg-type]


def look(database: Database, job_id: str) -> tuple[str, str, int]:
    with database.reading() as session:
        job = jobs.get_job(session, job_id)
        return job.state, job.reason, job.attempts


def test_a_job_is_worked_off_once_and_says_how_it_went(database: Database, clock: Clock) -> None:
    seen: list[dict[str, int]] = []

    def work(job: RunningJob) -> str:
        seen.append(job.payload)
        return "3 files"

    job_id = enqueue(database)
    worker = Worker(database, {"work": work}, clock=clock)
    assert worker.run_once()
    assert not worker.run_once()
    assert seen == [{"n": 1}]
    assert look(database, job_id) == ("done", "3 files", 1)


def test_a_job_begins_with_the_transaction_that_asks_for_it(database: Database) -> None:
    def ask_and_fail() -> None:
        with database.session() as session:
            jobs.enqueue(session, "work", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask_and_fail()
    with database.reading() as session:
        assert jobs.list_jobs(session) == []


def test_a_job_waits_for_its_time_and_for_a_worker_that_knows_it(database: Database, clock: Clock) -> None:
    enqueue(database, run_at=NOON + timedelta(seconds=10))
    assert not Worker(database, {"work": lambda job: None}, clock=clock).run_once()
    clock.advance(10)
    assert not Worker(database, {"other": lambda job: None}, clock=clock).run_once()
    assert Worker(database, {"work": lambda job: None}, clock=clock).run_once()


def test_a_key_is_one_job_for_ever(database: Database, clock: Clock) -> None:
    first = enqueue(database, key="alert:7")
    assert enqueue(database, key="alert:7") == first
    Worker(database, {"work": lambda job: None}, clock=clock).run_once()
    assert enqueue(database, key="alert:7") == first
    assert enqueue(database, key="alert:8") != first


def test_a_key_that_two_ask_for_at_once_is_one_job(database: Database) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(enqueue(database, key="k"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_failure_is_tried_again_later_and_later_and_then_given_up(database: Database, clock: Clock) -> None:
    def work(job: RunningJob) -> None:
        raise CameraError(f"camera is away, try {job.attempt}")

    job_id = enqueue(database, max_attempts=3)
    worker = Worker(database, {"work": work}, clock=clock)
    assert worker.run_once()
    assert look(database, job_id) == ("waiting", "camera is away, try 1", 1)
    assert not worker.run_once()
    clock.advance(10)
    assert worker.run_once()
    clock.advance(19)
    assert not worker.run_once()
    clock.advance(1)
    assert worker.run_once()
    assert look(database, job_id) == ("failed", "camera is away, try 3", 3)
    assert jobs.retry_wait_s(100) == 3600


def test_an_unexpected_failure_tells_no_internals(database: Database, clock: Clock) -> None:
    def work(job: RunningJob) -> None:
        raise ValueError("password hunter2")

    job_id = enqueue(database, max_attempts=1)
    Worker(database, {"work": work}, clock=clock).run_once()
    assert look(database, job_id) == ("failed", "ValueError; see the log", 1)


def test_what_another_try_would_not_mend_is_not_tried_again(database: Database, clock: Clock) -> None:
    def work(job: RunningJob) -> None:
        raise InputError("feed.xml:3: no price")

    job_id = enqueue(database)
    Worker(database, {"work": work}, clock=clock).run_once()
    assert look(database, job_id) == ("failed", "feed.xml:3: no price", 1)


def test_a_job_whose_worker_is_gone_is_taken_over_when_its_lease_ends(database: Database, clock: Clock) -> None:
    job_id = enqueue(database)
    with database.session() as session:
        dead = jobs.claim(session, ["work"], worker="dead", lease_s=60, now=clock())
    assert dead is not None
    worker = Worker(database, {"work": lambda job: "by another"}, clock=clock)
    clock.advance(59)
    assert not worker.run_once()
    clock.advance(1)
    assert worker.run_once()
    assert look(database, job_id) == ("done", "by another", 2)
    with database.session() as session:
        assert not jobs.finish(session, dead, State.DONE, "too late", now=clock())
        assert not jobs.renew(session, dead, lease_s=60, progress=0.5, now=clock())
        assert not jobs.put_back(session, dead, reason="", wait_s=0, counts=True, now=clock())
    assert look(database, job_id) == ("done", "by another", 2)


def test_a_job_that_takes_its_workers_down_is_given_up(database: Database, clock: Clock) -> None:
    job_id = enqueue(database, max_attempts=2)
    for _ in range(2):
        with database.session() as session:
            assert jobs.claim(session, ["work"], worker="dies", lease_s=60, now=clock()) is not None
        clock.advance(60)
    with database.session() as session:
        assert jobs.claim(session, ["work"], worker="next", lease_s=60, now=clock()) is None
    assert look(database, job_id) == ("failed", "its worker died or hung, 2 times", 2)


def test_a_long_job_keeps_its_lease_and_shows_its_progress(database: Database) -> None:
    going, done = threading.Event(), threading.Event()

    def work(job: RunningJob) -> None:
        job.progress = 0.5
        going.set()
        done.wait(60)

    job_id = enqueue(database, run_at=datetime.now(UTC))
    slow = threading.Thread(target=Worker(database, {"work": work}, lease_s=5.0).run_once)
    slow.start()
    assert going.wait(60)
    deadline = time.monotonic() + 11
    while time.monotonic() < deadline:
        assert not Worker(database, {"work": work}).run_once(), "another worker took it"
        time.sleep(0.2)
    with database.reading() as session:
        assert jobs.get_job(session, job_id).progress == 0.5
    done.set()
    slow.join()
    assert look(database, job_id)[0] == "done"


def test_two_workers_never_run_one_job_at_once(database: Database) -> None:
    for _ in range(30):
        enqueue(database, run_at=datetime.now(UTC))
    ran: list[str] = []
    workers = [Worker(database, {"work": lambda job: ran.append(job.job_id)}) for _ in range(4)]

    def run(worker: Worker) -> None:
        while worker.run_once():
            pass

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ran) == len(set(ran)) == 30


def test_a_worker_that_is_asked_to_stop_puts_its_job_back_uncounted(database: Database, clock: Clock) -> None:
    stop = threading.Event()

    def work(job: RunningJob) -> None:
        stop.set()
        job.check()

    job_id = enqueue(database)
    Worker(database, {"work": work}, clock=clock).run_once(stop)
    state, _, attempts = look(database, job_id)
    assert (state, attempts) == ("waiting", 0)


def test_a_cancelled_job_is_told_and_its_result_is_not_taken(database: Database) -> None:
    going = threading.Event()

    def work(job: RunningJob) -> str:
        going.set()
        assert job.lost.wait(60)
        return "finished all the same"

    job_id = enqueue(database, run_at=datetime.now(UTC))
    running = threading.Thread(target=Worker(database, {"work": work}, lease_s=0.6).run_once)
    running.start()
    assert going.wait(60)
    with database.session() as session:
        jobs.cancel(session, job_id, reason="not needed")
    running.join()
    assert look(database, job_id)[:2] == ("cancelled", "not needed")


def test_a_failed_job_can_begin_anew_and_others_cannot(database: Database, clock: Clock) -> None:
    job_id = enqueue(database, max_attempts=1)
    with database.session() as session, pytest.raises(ConflictError, match="waiting"):
        jobs.retry(session, job_id)
    with database.session() as session:
        jobs.cancel(session, job_id, reason="x")
        with pytest.raises(ConflictError, match="cancelled already"):
            jobs.cancel(session, job_id, reason="again")
        jobs.retry(session, job_id)
    assert look(database, job_id) == ("waiting", "", 0)
    with database.session() as session, pytest.raises(NotFoundError):
        jobs.retry(session, "nope")


def schedule(text: str = "30 4", schedule_id: str = "compact") -> Schedule:
    return Schedule(schedule_id, parse_cron(text, "Europe/Riga"), "work", {"n": 2})


def waiting(database: Database) -> list[datetime]:
    with database.reading() as session:
        return sorted(job.run_at for job in jobs.list_jobs(session, state=State.WAITING))


def test_a_schedule_is_planned_once_however_many_workers_plan_it(database: Database, clock: Clock) -> None:
    for _ in range(3):
        Worker(database, {"work": lambda job: None}, schedules=[schedule()], clock=clock).plan()
    assert waiting(database) == [datetime(2026, 6, 2, 1, 30, tzinfo=UTC)]


def test_a_run_that_was_missed_is_made_up_for_once(database: Database, clock: Clock) -> None:
    ran: list[datetime] = []
    worker = Worker(database, {"work": lambda job: ran.append(clock())}, schedules=[schedule()], clock=clock)
    worker.plan()
    clock.advance(5 * 86400)
    for _ in range(3):
        worker.plan()
        worker.run_once()
    assert ran == [clock()]
    assert waiting(database) == [datetime(2026, 6, 7, 1, 30, tzinfo=UTC)]


def test_a_changed_schedule_replaces_the_run_that_waited(database: Database, clock: Clock) -> None:
    Worker(database, {}, schedules=[schedule(), schedule("0 5", "other")], clock=clock).plan()
    Worker(database, {}, schedules=[schedule("0 6")], clock=clock).plan()
    assert waiting(database) == [datetime(2026, 6, 2, hour, tzinfo=UTC) for hour in (2, 3)]


def test_finished_jobs_are_forgotten_and_others_are_kept(database: Database, clock: Clock) -> None:
    done, later = enqueue(database), enqueue(database, run_at=NOON + timedelta(days=1))
    Worker(database, {"work": lambda job: None}, clock=clock).run_once()
    with database.session() as session:
        jobs.forget_finished(session, NOON + timedelta(seconds=1))
        assert [job.job_id for job in jobs.list_jobs(session)] == [later]
    with pytest.raises(NotFoundError):
        look(database, done)


def test_a_worker_runs_until_it_is_stopped(database: Database) -> None:
    stop, ran = threading.Event(), threading.Event()
    worker = Worker(database, {"work": lambda job: ran.set()})
    thread = threading.Thread(target=worker.run_forever, args=(stop,), kwargs={"poll_s": 0.05})
    thread.start()
    enqueue(database, run_at=datetime.now(UTC))
    assert ran.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_worker_goes_on_after_a_row_that_it_could_not_read(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    database, stop, ran = Database(sqlite_url), threading.Event(), threading.Event()
    database.migrate()
    enqueue(database)

    def keep(payload: str) -> None:
        with database.session() as session:
            session.execute(sa.text("UPDATE jobs SET payload = :payload"), {"payload": payload})

    keep("{")
    worker = Worker(database, {"work": lambda job: ran.set()})
    thread = threading.Thread(target=worker.run_forever, args=(stop,), kwargs={"poll_s": 0.05})
    thread.start()
    assert wait_for(lambda: "the queue cannot be read; trying again" in caplog.text or not thread.is_alive())
    keep('{"n": 1}')

    assert ran.wait(10)

    stop.set()
    thread.join(60)
    database.dispose()


def test_a_worker_killed_with_9_loses_no_job(sqlite_url: str, tmp_path: Path) -> None:
    """Two real processes: the first is killed in the middle of the job, the second takes over and ends it."""
    database = Database(sqlite_url)
    database.migrate()
    job_id = enqueue(database, "slow", run_at=datetime.now(UTC))
    command = [sys.executable, str(Path(__file__).parent / "worker_process.py"), sqlite_url, str(tmp_path)]
    first = subprocess.Popen([*command, "first"])
    assert wait_for(lambda: (tmp_path / "first.began").exists())
    second = subprocess.Popen([*command, "second"])
    time.sleep(1.5)
    assert not (tmp_path / "second.began").exists(), "two at once"
    first.kill()
    first.wait()
    try:
        assert wait_for(lambda: look(database, job_id)[0] == "done")
        assert look(database, job_id) == ("done", "by second", 2)
    finally:
        second.terminate()
        second.wait()
        database.dispose()


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_job_is_overdue_while_it_waits_or_its_worker_is_dead(database: Database) -> None:
    def overdue_s(after_s: float) -> float:
        with database.reading() as session:
            return jobs.overdue_s(session, NOON + timedelta(seconds=after_s))

    nothing = overdue_s(0)
    enqueue(database)
    waiting = overdue_s(30)
    with database.session() as session:
        jobs.claim(session, ["work"], worker="w", lease_s=60, now=NOON + timedelta(seconds=30))

    assert (nothing, waiting, overdue_s(80), overdue_s(100)) == (0.0, 30.0, 0.0, 10.0)
