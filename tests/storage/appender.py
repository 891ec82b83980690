"""Run by test_kill: appends until it has appended all, or is killed; says in a file what the writer acknowledged.

appender.py FOLDER WRITER COUNT ROWS_PER_COMMIT PAUSE_S
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from vitrina.storage.lake import Lake
from vitrina.storage.table import TableSpec, column

SEEN = TableSpec(
    "seen",
    pa.schema(
        [
            column("event_id", pa.string(), "Id."),
            column("t", pa.timestamp("us", "UTC"), "When."),
            column("business_day", pa.date32(), "Day."),
            column("shop_id", pa.string(), "Shop."),
        ]
    ),
    "Seen.",
)


def open_lake(folder: Path, *, commit_rows: int) -> Lake:
    return Lake(folder / "lake", tables={"seen": SEEN}, commit_s=1.0, commit_rows=commit_rows)


def main() -> None:
    folder, writer_id = Path(sys.argv[1]), sys.argv[2]
    count, commit_rows, pause_s = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    begun, acknowledged = folder / f"{writer_id}.begun", folder / f"{writer_id}.acknowledged"
    first = len(begun.read_text().splitlines()) if begun.exists() else 0
    with open_lake(folder, commit_rows=commit_rows).writer("seen", writer_id) as writer:
        for number in range(first, count):
            event_id = f"{writer_id}-{number}"
            note(begun, event_id)
            row = {"event_id": event_id, "t": datetime.now(UTC), "business_day": date(2026, 6, 1), "shop_id": "riga"}
            writer.add([row])
            note(acknowledged, event_id)
            time.sleep(pause_s)
    (folder / f"{writer_id}.finished").touch()


def note(path: Path, line: str) -> None:
    """One write call: whole or not at all when the process is killed."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


if __name__ == "__main__":
    main()
