from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("library", "use"),
    [
        ("telegram", "from vitrina.chat.telegram import TelegramWire; TelegramWire('1:a')"),
        ("apprise", "from vitrina.chat.apprise import AppriseWire; AppriseWire('json://127.0.0.1/')"),
    ],
)
def test_without_its_library_a_channel_says_what_to_install(library: str, use: str) -> None:
    program = f"import sys; sys.modules[{library!r}] = None\n{use}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert "MissingError: " in done.stderr
    assert 'pip install "vitrina[chat]"' in done.stderr
