"""The process that works jobs off: claims one, keeps its lease while the handler runs, and writes down how it ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vitrina.errors import InputError, NotFoundError, StorageError, VitrinaError
from vitrina.product import new_id
from vitrina.storage.database import Database
from vitrina.work import jobs
from vitrina.work.jobs import Claim, Schedule, State

logger = logging.getLogger(__name__)

PERMANENT = (InputError, NotFoundError)
"""What another try would not mend."""


class JobStopped(VitrinaError):  # noqa: N818 - nothing is wrong
    """The job shall stop here: the worker is asked to end, or has lost the job."""


class TryAgain(VitrinaError):  # noqa: N818 - it is expected, such as a receiver that is away
    """It did not work this time. Counts as a try, and is logged as one line; wait_s: None is the queue's own time."""

    def __init__(self, reason: str, *, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class RunningJob:
    """What a handler is given."""

    def __init__(self, claim: Claim, stop: threading.Event) -> None:
        self.job_id, self.name, self.payload = claim.job_id, claim.name, claim.payload
        self.attempt = claim.attempt
        self.last_try = claim.attempt >= claim.max_attempts
        self.retry_in_s: float | None = None
        self.progress = 0.0
        """0 to 1; the handler sets it, the next heartbeat stores it."""
        self.lost = threading.Event()
        self._stop = stop

    @property
    def stopping(self) -> bool:
        return self._stop.is_set() or self.lost.is_set()

    def check(self) -> None:
        """Long handlers call this between steps. Raises JobStopped, which they let pass."""
        if self.stopping:
            raise JobStopped(f"job {self.job_id} was asked to stop")


Handler = Callable[[RunningJob], Any]


class Worker:
    """Works off the jobs whose names are in `handlers`, one after the other.

    A handler that raises InputError or NotFoundError fails its job; any other exception has it tried again later, and
    `TryAgain` without a traceback in the log.
    The text that a handler returns, if any, becomes the reason of the job's end.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        schedules: Sequence[Schedule] = (),
        lease_s: float = 60.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._handlers, self._schedules = database, dict(handlers), schedules
        self._lease_s, self._clock = lease_s, clock
        self.worker_id = new_id()

    def run_forever(self, stop: threading.Event, *, poll_s: float = 1.0) -> None:
        """Until `stop` is set. A database that is away is waited for."""
        while not stop.is_set():
            try:
                self.plan()
                busy = self.run_once(stop)
            except Exception:  # the edge of a worker loop
                logger.exception("the queue cannot be read; trying again")
                busy = False
            if not busy:
                stop.wait(poll_s)

    def plan(self) -> None:
        """See that the next run of each schedule is enqueued; writes only when one is missing."""
        now = self._clock()
        with self._database.reading() as session:
            missing = [schedule for schedule in self._schedules if not jobs.is_planned(session, schedule, now)]
        if missing:
            with self._database.session() as session:
                jobs.plan(session, missing, now)

    def run_once(self, stop: threading.Event | None = None) -> bool:
        """Work off one job, if one is due; whether there was one."""
        names = self._handlers.keys()
        with self._database.reading() as session:
            if not jobs.is_due(session, names, self._clock()):
                return False
        with self._database.session() as session:
            held = jobs.claim(session, names, worker=self.worker_id, lease_s=self._lease_s, now=self._clock())
        if held is None:
            return False
        self._run(held, stop or threading.Event())
        return True

    def _run(self, held: Claim, stop: threading.Event) -> None:
        job, ended = RunningJob(held, stop), threading.Event()
        heart = threading.Thread(target=self._beat, args=(held, job, ended), name="heartbeat", daemon=True)
        heart.start()
        try:
            state, reason, counts = self._outcome(job, held)
        finally:
            ended.set()
            heart.join()
        self._write_down(held, state, reason, counts=counts, retry_in_s=job.retry_in_s)

    def _outcome(self, job: RunningJob, held: Claim) -> tuple[State, str, bool]:
        """How the handler ended: the job's next state, why, and whether the attempt counts."""
        try:
            return State.DONE, str(self._handlers[held.name](job) or ""), True
        except JobStopped as stopped:
            return State.WAITING, str(stopped), False
        except TryAgain as later:
            logger.info("job %s (%s), try %d: %s", held.job_id, held.name, held.attempt, later)
            job.retry_in_s = later.wait_s
            return State.FAILED if job.last_try else State.WAITING, str(later), True
        except PERMANENT as error:
            logger.warning("job %s (%s) failed: %s", held.job_id, held.name, error)
            return State.FAILED, str(error), True
        except Exception as error:  # the edge of a worker loop
            logger.exception("job %s (%s), try %d of %d", held.job_id, held.name, held.attempt, held.max_attempts)
            reason = str(error) if isinstance(error, VitrinaError) else f"{type(error).__name__}; see the log"
            return State.FAILED if job.last_try else State.WAITING, reason, True

    def _write_down(
        self, held: Claim, state: State, reason: str, *, counts: bool, retry_in_s: float | None = None
    ) -> None:
        now = self._clock()
        with self._database.session() as session:
            if state is State.WAITING:
                own_s = jobs.retry_wait_s(held.attempt) if counts else 0.0
                wait_s = own_s if retry_in_s is None else retry_in_s
                ours = jobs.put_back(session, held, reason=reason, wait_s=wait_s, counts=counts, now=now)
            else:
                ours = jobs.finish(session, held, state, reason, now=now)
        if not ours:
            logger.warning("job %s (%s) was no longer ours when it ended as %s", held.job_id, held.name, state)

    def _beat(self, held: Claim, job: RunningJob, ended: threading.Event) -> None:
        """Renew the lease three times in its length; a lease that is gone, or could not be renewed, is told the job."""
        last = self._clock()
        while not ended.wait(self._lease_s / 3):
            now = self._clock()
            try:
                with self._database.session() as session:
                    ours = jobs.renew(session, held, lease_s=self._lease_s, progress=job.progress, now=now)
                last = now
            except StorageError:
                logger.exception("heartbeat of job %s", held.job_id)
                ours = (now - last).total_seconds() < self._lease_s
            if not ours:
                job.lost.set()
                return
