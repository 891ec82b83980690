"""Run by test_lake: the lake in a process that has no network at all."""

from __future__ import annotations

import ctypes
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def refuse(event: str, _arguments: object) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        sys.stderr.write(f"{event} was tried\n")
        os._exit(3)


def leave_the_network() -> None:
    """A network of its own without an interface, where the kernel allows that; it binds native code as well."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def main() -> None:
    leave_the_network()
    sys.addaudithook(refuse)

    import pyarrow as pa

    from vitrina.storage.lake import Lake
    from vitrina.storage.table import TableSpec, column

    columns = [
        column("event_id", pa.string(), "Id."),
        column("t", pa.timestamp("us", "UTC"), "When."),
        column("business_day", pa.date32(), "Day."),
        column("shop_id", pa.string(), "Shop."),
    ]
    lake = Lake(Path(sys.argv[1]) / "lake", tables={"seen": TableSpec("seen", pa.schema(columns), "Seen.")})
    with lake.writer("seen", "w") as writer:
        for number in range(3):
            writer.add(
                [{"event_id": str(number), "t": datetime.now(UTC), "business_day": date(2026, 6, 1), "shop_id": "riga"}]
            )
            writer.flush()
    print(lake.expr("seen").filter(lambda seen: seen.t.hour() >= 0).count().to_pyarrow().as_py())  # noqa: T201
    print(lake.sql("SELECT count(*) AS n FROM seen WHERE t < now()").column("n")[0].as_py())  # noqa: T201
    lake.compact(grace_s=0)
    print(len(lake.files("seen")))  # noqa: T201


if __name__ == "__main__":
    main()
