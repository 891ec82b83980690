"""Durable jobs: rows in the database that are worked off at least once, by one worker at a time.

    with database.session() as session:
        enqueue(session, "lake.compact", {}, key="compact:2026-11-21T10")

A job is waiting, running, done, failed or cancelled, and the last three say why. A running job belongs to its worker
until `lease_until`; `worker.Worker` renews that while it lives. A worker that was killed renews nothing, and another
takes over. So a job may be begun twice, and what it does must bear that.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.product import new_id
from vitrina.storage.database import Base
from vitrina.work.cron import Cron

FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 3600.0


class State(enum.StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})


class Job(Base):
    """One piece of work.

    key: at most one job has it, ever; so the same event asks for its work once.
    worker, attempts: together they say who runs it now; a worker that lost its lease matches no more.
    """

    __tablename__ = "jobs"
    __table_args__ = (sa.Index(None, "state", "run_at"),)

    job_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    key: Mapped[str | None] = mapped_column(sa.String(200), unique=True)
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(sa.Text)
    progress: Mapped[float]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    run_at: Mapped[datetime]
    worker: Mapped[str | None] = mapped_column(sa.String(100))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that is enqueued again and again. A run that was missed while nothing worked is made up for, once."""

    schedule_id: str
    cron: Cron
    name: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that one worker holds, as a value that may leave the transaction."""

    job_id: str
    name: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    worker: str


def enqueue(
    session: Session,
    name: str,
    payload: dict[str, Any],
    *,
    key: str | None = None,
    run_at: datetime | None = None,
    max_attempts: int = 5,
) -> str:
    """The id of the new job, or of the one that has this key already. Takes effect with the caller's transaction."""
    if max_attempts < 1:
        raise InputError(f"max_attempts: expected 1 or more, got {max_attempts}")
    now = datetime.now(UTC)
    job = Job(
        job_id=new_id(),
        name=name,
        key=key,
        payload=payload,
        state=State.WAITING,
        reason="",
        progress=0.0,
        attempts=0,
        max_attempts=max_attempts,
        run_at=run_at or now,
        created_at=now,
    )
    known = _by_key(session, key)
    if known is not None:
        return known
    try:
        with session.begin_nested():
            session.add(job)
    except sa.exc.IntegrityError:
        known = _by_key(session, key)
        if known is None:
            raise
        return known
    return job.job_id


def get_job(session: Session, job_id: str) -> Job:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError(f"there is no job {job_id!r}")
    return job


def find_job(session: Session, key: str) -> Job | None:
    """The job that has this key."""
    return session.scalar(sa.select(Job).where(Job.key == key))


def list_jobs(session: Session, *, state: State | None = None, limit: int = 100) -> list[Job]:
    """The newest first."""
    query = sa.select(Job).order_by(Job.job_id.desc()).limit(limit)
    return list(session.scalars(query if state is None else query.where(Job.state == state)))


def overdue_s(session: Session, now: datetime) -> float:
    """Seconds that the job which is overdue longest has been left, waiting or by a worker that died; 0: none is."""
    waiting = sa.select(sa.func.min(Job.run_at)).where(Job.state == State.WAITING, Job.run_at <= now)
    left = sa.select(sa.func.min(Job.lease_until)).where(Job.state == State.RUNNING, Job.lease_until <= now)
    since = [oldest for query in (waiting, left) if (oldest := session.scalar(query)) is not None]
    return (now - min(since)).total_seconds() if since else 0.0


def counts(session: Session) -> dict[tuple[str, str], float]:
    """Name and state to how many jobs of the queue there are; of those that ended, as long as they are kept."""
    grouped = sa.select(Job.name, Job.state, sa.func.count()).group_by(Job.name, Job.state)
    return {(name, state): float(count) for name, state, count in session.execute(grouped)}


def oldest_waiting(session: Session) -> dict[str, datetime]:
    """Name to when the oldest job that waits is, or was, due."""
    waiting = sa.select(Job.name, sa.func.min(Job.run_at)).where(Job.state == State.WAITING).group_by(Job.name)
    return {name: due for name, due in session.execute(waiting) if due is not None}


def cancel(session: Session, job_id: str, *, reason: str) -> None:
    """A worker that is at it notices at its next heartbeat. Raises ConflictError when the job has ended."""
    job = get_job(session, job_id)
    if job.state in FINAL:
        raise ConflictError(f"job {job_id} is {job.state} already")
    _finish(job, State.CANCELLED, reason, datetime.now(UTC))


def retry(session: Session, job_id: str) -> None:
    """Begin a failed or cancelled job anew. Raises ConflictError for others."""
    job = get_job(session, job_id)
    if job.state not in (State.FAILED, State.CANCELLED):
        raise ConflictError(f"job {job_id} is {job.state}; only a failed or cancelled one can begin anew")
    job.state, job.reason, job.attempts, job.progress = State.WAITING, "", 0, 0.0
    job.run_at, job.finished_at = datetime.now(UTC), None


def plan(session: Session, schedules: Iterable[Schedule], now: datetime) -> None:
    """Make sure that the next run of each schedule waits; a changed schedule replaces the run that waited for it."""
    for schedule in schedules:
        prefix, due = _cron_prefix(schedule), schedule.cron.next_after(now)
        key = _cron_key(schedule, due)
        replaced = sa.delete(Job).where(
            Job.key.startswith(prefix, autoescape=True), Job.key != key, Job.state == State.WAITING, Job.run_at > now
        )
        session.execute(replaced.where(Job.attempts == 0))
        enqueue(session, schedule.name, schedule.payload, key=key, run_at=due)


def is_planned(session: Session, schedule: Schedule, now: datetime) -> bool:
    """Whether the next run of the schedule waits. Only reads."""
    return _by_key(session, _cron_key(schedule, schedule.cron.next_after(now))) is not None


def forget_finished(session: Session, before: datetime) -> None:
    session.execute(sa.delete(Job).where(Job.finished_at < before))


# ── what a worker does to its job ───────────────────────────────────────────────────────────────


def is_due(session: Session, names: Iterable[str], now: datetime) -> bool:
    """Whether `claim` would find something. Only reads."""
    return session.scalar(_due(names, now).limit(1)) is not None


def claim(session: Session, names: Iterable[str], *, worker: str, lease_s: float, now: datetime) -> Claim | None:
    """Take the job that has been due longest. One that its workers left `max_attempts` times is failed instead."""
    names = list(names)
    while (job := session.scalar(_due(names, now).limit(1).with_for_update(skip_locked=True))) is not None:
        if job.attempts < job.max_attempts:
            job.state, job.worker, job.attempts = State.RUNNING, worker, job.attempts + 1
            job.lease_until = now + timedelta(seconds=lease_s)
            return Claim(job.job_id, job.name, dict(job.payload), job.attempts, job.max_attempts, worker)
        _finish(job, State.FAILED, f"its worker died or hung, {job.attempts} times", now)
        session.flush()
    return None


def renew(session: Session, held: Claim, *, lease_s: float, progress: float, now: datetime) -> bool:
    """Hold the job `lease_s` longer; False when it is not ours any more."""
    until = now + timedelta(seconds=lease_s)
    changed = session.execute(
        sa.update(Job).where(*_ours(held)).values(lease_until=until, progress=progress).returning(Job.job_id)
    )
    return changed.first() is not None


def finish(session: Session, held: Claim, state: State, reason: str, *, now: datetime) -> bool:
    """End the job; False, and nothing is changed, when it is not ours any more."""
    job = session.scalar(sa.select(Job).where(*_ours(held)).with_for_update())
    if job is None:
        return False
    _finish(job, state, reason, now)
    return True


def put_back(session: Session, held: Claim, *, reason: str, wait_s: float, counts: bool, now: datetime) -> bool:
    """Let the job wait again. counts: whether the attempt is one of `max_attempts`."""
    job = session.scalar(sa.select(Job).where(*_ours(held)).with_for_update())
    if job is None:
        return False
    job.state, job.reason, job.worker, job.lease_until = State.WAITING, reason, None, None
    job.run_at, job.attempts = now + timedelta(seconds=wait_s), job.attempts - (not counts)
    return True


def retry_wait_s(attempt: int) -> float:
    """Seconds until the next try: 10 s after the first, doubling, an hour at most."""
    return min(FIRST_RETRY_S * 2.0 ** min(attempt - 1, 30), LONGEST_RETRY_S)


def _due(names: Iterable[str], now: datetime) -> sa.Select[Job]:
    waiting = sa.and_(Job.state == State.WAITING, Job.run_at <= now)
    left = sa.and_(Job.state == State.RUNNING, Job.lease_until <= now)
    return sa.select(Job).where(Job.name.in_(list(names)), sa.or_(waiting, left)).order_by(Job.run_at, Job.job_id)


def _ours(held: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Job.job_id == held.job_id,
        Job.state == State.RUNNING,
        Job.worker == held.worker,
        Job.attempts == held.attempt,
    )


def _finish(job: Job, state: State, reason: str, now: datetime) -> None:
    job.state, job.reason, job.finished_at = state, reason, now
    job.worker, job.lease_until = None, None
    if state is State.DONE:
        job.progress = 1.0


def _cron_prefix(schedule: Schedule) -> str:
    return f"cron:{schedule.schedule_id}:"


def _cron_key(schedule: Schedule, due: datetime) -> str:
    return _cron_prefix(schedule) + due.isoformat(timespec="minutes")


def _by_key(session: Session, key: str | None) -> str | None:
    return None if key is None else session.scalar(sa.select(Job.job_id).where(Job.key == key))
