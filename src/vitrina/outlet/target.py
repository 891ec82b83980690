"""Where files go: a folder below the one that is allowed, or an object store. Each file whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vitrina.errors import InputError, StorageError
from vitrina.outlet import s3
from vitrina.outlet.s3 import Bucket
from vitrina.storage.spool import sync_folder
from vitrina.work.worker import TryAgain

S3 = "s3://"
PASSING = frozenset({408, 409, 425, 429})
"""Answers below 500 that may be others the next time."""


class Target(Protocol):
    def put(self, name: str, file: Path) -> None:
        """Store the file under a name with slashes, in place of an older one. Raises TryAgain or InputError.

        Only TooLargeError is about the file; with the others, no other would arrive either.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """path: made by `folder_below`."""

    path: Path

    def put(self, name: str, file: Path) -> None:
        goal = self.path / name
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=goal.parent)
            try:
                with os.fdopen(descriptor, "wb") as copy, file.open("rb") as original:
                    shutil.copyfileobj(original, copy)
                    copy.flush()
                    os.fsync(copy.fileno())
                Path(draft).chmod(0o640)
                Path(draft).replace(goal)
            finally:
                Path(draft).unlink(missing_ok=True)
            sync_folder(goal.parent)
        except OSError as error:
            raise TryAgain(f"{goal}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Store:
    bucket: Bucket
    prefix: str

    def put(self, name: str, file: Path) -> None:
        answer = s3.put(self.bucket, f"{self.prefix}/{name}" if self.prefix else name, file)
        if answer.accepted:
            return
        said = f"s3://{self.bucket.name}: {s3.reason(answer)}"
        if answer.status is None or answer.status >= 500 or answer.status in PASSING:
            raise TryAgain(said)
        raise InputError(f"{said}. Check bucket, region, keys and that they may write there.")


def folder_below(root: Path, name: str) -> Path:
    """The folder `name` inside of `root`, with symbolic links followed. Raises InputError for one outside of it."""
    try:
        root = root.resolve()
        found = (root / name).resolve()
    except (OSError, ValueError) as error:
        raise InputError(f"target: {name[:200]!r} is no folder: {error}") from error
    if not found.is_relative_to(root):
        raise InputError(
            f"target: {name[:200]!r} lies outside of {root}. Name a folder inside of it, "
            "or have the setting `export_folder` changed."
        )
    return found


def split_s3(target: str) -> tuple[str, str]:
    """`s3://bucket/some/prefix` → bucket and prefix. Raises InputError."""
    bucket, _, prefix = target.removeprefix(S3).partition("/")
    prefix = prefix.strip("/")
    if not prefix.isprintable() or any(part in (".", "..") for part in prefix.split("/")):
        raise InputError(f"target: expected s3://BUCKET/PREFIX, got {target[:200]!r}")
    return s3.check_bucket(bucket), prefix


def check_root(root: Path) -> Path:
    """Make the folder that is allowed. Raises StorageError."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise StorageError(f"{root}: cannot be made: {error.strerror}. See the setting `export_folder`.") from error
    return root
