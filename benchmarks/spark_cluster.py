"""A stand-alone Spark cluster on this machine, out of PySpark's own package: one master, workers, nothing else.

with SparkCluster(workers=2) as cluster:
    lake = SparkLake(path, tables=FLOOR_TABLES, spark=Spark(cluster.address, memory_mb=1024))
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

LONGEST_START_S = 120.0


@dataclass
class SparkCluster:
    """workers: how many, with one core each. memory_mb: what each may lend to its process. All listen on loopback."""

    workers: int = 2
    memory_mb: int = 1536
    port: int = field(default_factory=lambda: _free_port())
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="vitrina-spark-")))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start("master", "master.Master", "--port", str(self.port))
        for number in range(self.workers):
            memory = f"{self.memory_mb}m"
            options = ("--cores", "1", "--memory", memory, "--work-dir", str(self.folder / f"work-{number}"))
            self._start(f"worker-{number}", "worker.Worker", *options, self.address)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self.processes.values():
            _kill(process)
        self.processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def lose_a_worker(self) -> None:
        """As if its machine's plug were pulled: the worker and the process that works for us are gone at once."""
        _kill(self.processes.pop(f"worker-{self.workers - 1}"))

    def pids(self) -> list[int]:
        """Master, workers, and the processes that work for us."""
        groups = {process.pid for process in self.processes.values()}
        running = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
        return [pid for pid in running if _group(pid) in groups]

    def _start(self, name: str, main: str, *options: str) -> None:
        spec = importlib.util.find_spec("pyspark")
        if spec is None or spec.origin is None:
            raise RuntimeError("PySpark is not installed: pip install 'vitrina[spark]'")
        command = [str(Path(spec.origin).parent / "bin" / "spark-class"), f"org.apache.spark.deploy.{main}"]
        where: list[Any] = ["--host", "127.0.0.1", "--webui-port", "0"]
        environment = os.environ | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *where, *options],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _wait(self) -> None:
        """Until the master has taken every worker in."""
        until = time.monotonic() + LONGEST_START_S
        log = self.folder / "master.log"
        while log.read_text(errors="replace").count("Registering worker") < self.workers:
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > until:
                told = "\n".join((self.folder / f"{name}.log").read_text()[-500:] for name in dead or ["master"])
                raise RuntimeError(f"the Spark cluster did not start: {told}")
            time.sleep(0.2)


def _die_with_parent() -> None:
    """Nothing of a cluster outlives a benchmark that was killed (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory that a process has held; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
