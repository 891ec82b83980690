"""A feed in, a photo sent to the bot, products out: real commands, the real process, and a Telegram of our own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.servers.telegram import TOKEN, TelegramServer

pytestmark = pytest.mark.slow

COLOURS = ("blue", "red")


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer().start()
    yield server
    server.stop()


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Eight bags with pictures, each of another pattern."""
    chance = np.random.default_rng(1)
    lines = ["id\ttitle\tlink\timage_link\tprice\tavailability\tbrand"]
    for number in range(8):
        pattern = Image.fromarray(chance.integers(0, 255, (5, 5, 3), dtype=np.uint8))
        pattern.resize((320, 320), Image.Resampling.NEAREST).save(tmp_path / f"{number}.jpg")
        name = f"Bag {number} {COLOURS[number % 2]}"
        link, price = f"https://north.example/{number}", f"{20 + number}.00 EUR"
        lines.append(f"{number}\t{name}\t{link}\t{number}.jpg\t{price}\tin stock\tFleet")
    (tmp_path / "feed.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "feed.tsv"


@pytest.fixture
def vitrina(tmp_path: Path) -> Callable[..., Any]:
    """vitrina("lens", "sync"): run to its end; with `start=True`, the process."""
    environ = os.environ | {"VITRINA_HOME": str(tmp_path / "home"), "VITRINA_PUBLIC_URL": "https://lens.example.org"}

    def run(*words: str, start: bool = False, typed: str = "") -> Any:
        command = [sys.executable, "-m", "vitrina.cli.main", *words]
        if start:
            log = (tmp_path / "log.txt").open("ab")
            with log:
                return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log)
        done = subprocess.run(command, env=environ, input=typed, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def names(telegram: TelegramServer, chat: int, *, at_least: int) -> list[str]:
    """What the bot's messages begin with, once there are so many."""
    until = time.monotonic() + 240
    while len(telegram.in_chat(chat)) < at_least and time.monotonic() < until:
        time.sleep(0.05)
    return [one.text.partition("\n")[0] for one in telegram.in_chat(chat)]


def test_a_photo_of_a_bag_finds_the_bag_in_the_catalog(
    vitrina: Callable[..., Any], feed: Path, telegram: TelegramServer, tmp_path: Path
) -> None:
    vitrina("lens", "import", str(feed), "--shop", "north", "--allow-files")
    vitrina("lens", "sync")
    (tmp_path / "token").write_text(TOKEN)
    vitrina("chat", "telegram", "set", "--token-file", str(tmp_path / "token"), "--url", telegram.url)
    process = vitrina("up", "--only", "chat", start=True)
    try:
        telegram.send_photo(7, feed.with_name("3.jpg").read_bytes())
        telegram.say(8, "red bag")
        telegram.send_photo(9, b"this is no picture")

        assert names(telegram, 7, at_least=5)[0] == "Bag 3 red"
        assert all("red" in name for name in names(telegram, 8, at_least=5)[1:])
        assert names(telegram, 9, at_least=1) == [
            "I cannot read this picture. Send a photo as JPEG, PNG, WebP or HEIC."
        ]
        card = telegram.in_chat(7)[0]
        assert card.photo.startswith(b"\xff\xd8")
        assert "€23.00" in card.text
        assert card.buttons[0][0]["url"].startswith("https://lens.example.org/go/north/3?s=")
        telegram.press(card, "Only cheaper")
        cheaper = names(telegram, 7, at_least=6)[5:]
        assert cheaper
        assert {int(name.split()[1]) for name in cheaper} <= {0, 1, 2}
    finally:
        process.terminate()
        assert process.wait(240) == 0
        process.stdin.close()
