from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from vitrina.errors import StorageError
from vitrina.storage.secrets import SecretBox


def test_what_was_sealed_opens_again_also_after_a_restart(tmp_path: Path) -> None:
    sealed = SecretBox(tmp_path).seal("rtsp-пароль")
    assert "пароль" not in sealed
    assert SecretBox(tmp_path).open(sealed) == "rtsp-пароль"


def test_another_key_opens_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    sealed = SecretBox(tmp_path / "a").seal("secret")
    with pytest.raises(StorageError, match="Put back the key file"):
        SecretBox(tmp_path / "b").open(sealed)


def test_a_changed_secret_does_not_open(tmp_path: Path) -> None:
    box = SecretBox(tmp_path)
    sealed = box.seal("secret")
    with pytest.raises(StorageError):
        box.open(sealed[:-4] + "AAAA")


def test_the_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    SecretBox(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    SecretBox(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(StorageError, match="chmod 600"):
        SecretBox(tmp_path)


def test_a_key_file_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"not a key")
    path.chmod(0o600)
    with pytest.raises(StorageError, match="32 bytes"):
        SecretBox(tmp_path)


def test_many_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    boxes: list[SecretBox] = []
    threads = [threading.Thread(target=lambda: boxes.append(SecretBox(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [box.open(boxes[0].seal("x")) for box in boxes] == ["x"] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
