"""Run by test_spark: Spark in a process whose network is its own loopback, where the kernel allows that."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Loopback is how Python and Java talk; nothing else may be reached."""
    if (
        event == "socket.connect"
        and isinstance(arguments[1], tuple)
        and arguments[1][0] not in ("127.0.0.1", "localhost")
    ):
        raise PermissionError(f"{event} {arguments[1]} was tried")


def leave_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0 and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return
    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def main() -> None:
    leave_the_network()
    sys.addaudithook(refuse)

    from vitrina.floor.store import FLOOR_TABLES
    from vitrina.storage.spark import Spark, SparkLake

    with Spark("local[1]", memory_mb=1024) as spark:
        lake = SparkLake(Path(sys.argv[1]), tables=FLOOR_TABLES, spark=spark)
        print(lake.expr("visits").count().to_pyarrow().as_py())  # noqa: T201


if __name__ == "__main__":
    main()
