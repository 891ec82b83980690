"""Run by test_jobs: a worker whose first process never ends its job.

worker_process.py DATABASE_URL FOLDER NAME
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from vitrina.storage.database import Database
from vitrina.work.worker import RunningJob, Worker


def main() -> None:
    url, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

    def slow(job: RunningJob) -> str:
        (folder / f"{name}.began").touch()
        while name == "first":
            time.sleep(0.1)
        return f"by {name}"

    Worker(Database(url), {"slow": slow}, lease_s=3.0).run_forever(threading.Event(), poll_s=0.1)


if __name__ == "__main__":
    main()
