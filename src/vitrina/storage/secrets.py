"""Secrets at rest: camera passwords and bot tokens, encrypted with a key that is not in the database.

A copy of the database alone gives none of them away.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from vitrina.errors import StorageError

KEY_FILE = "secret.key"


class SecretBox:
    """Seals and opens short texts with the key in `<home>/secret.key`, which is made on first use.

    Raises StorageError when others may read the key file, or when it does not hold a key.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / KEY_FILE
        key = _key(self._path)
        self._fernet = _fernet(key, self._path)
        self._derivation_key = key[:64]

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def derive(self, label: str) -> bytes:
        """32 bytes that only this home can make from `label`, the same each time (BLAKE2b, RFC 7693, keyed)."""
        return hashlib.blake2b(label.encode(), key=self._derivation_key, digest_size=32).digest()

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises StorageError when it was sealed with another key, or changed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise StorageError(
                f"a stored secret cannot be opened with the key in {self._path}. "
                "Put back the key file that belongs to this database, or enter the secret again."
            ) from error


def _key(path: Path) -> bytes:
    if not path.exists():
        _make_key(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StorageError(f"{path}: others may read this key (mode {mode:04o}). Run: chmod 600 {path}")
    return path.read_bytes().strip()


def _make_key(path: Path) -> None:
    """Whole or not at all, and the first of two processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # somebody else was quicker: theirs counts
    finally:
        Path(draft).unlink()


def _fernet(key: bytes, path: Path) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        raise StorageError(f"{path}: expected a key of 32 bytes in base64. Put back the file from a backup.") from error
