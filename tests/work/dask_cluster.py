"""Run by test_spread: a Dask cluster on loopback; writes its address into FOLDER/address and runs until it is ended."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from distributed import LocalCluster


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    folder = Path(sys.argv[1])
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=str(folder)
    ) as cluster:
        (folder / "writing").write_text(cluster.scheduler_address)
        (folder / "writing").rename(folder / "address")
        stop.wait()


if __name__ == "__main__":
    main()
