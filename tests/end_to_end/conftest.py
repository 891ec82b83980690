"""A real browser on a real server. Without Chromium the tests skip and say how to get it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Watch:
    """What a page did that it should not have done."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def follow(self, page: Any) -> None:
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url[:30]))

    @property
    def violations(self) -> list[str]:
        return [text for text in self.console if "Content Security Policy" in text or "Refused" in text]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=program, args=list(FLAGS), timeout=240_000)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def browse(chromium: Any, watch: Watch) -> Iterator[Callable[..., Any]]:
    """browse(address, **options of a context) → a page in a fresh profile, watched from the first request on.

    Whatever a test does, afterwards no page has broken the policy, asked another host, or failed in a script.
    """
    contexts = []

    def start(address: str, **options: Any) -> Any:
        settings = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "base_url": address}
        contexts.append(chromium.new_context(**settings | options))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)  # a machine that stalls is no mistake of the page
        watch.follow(page)
        return page

    yield start
    for context in contexts:
        context.close()
    assert watch.violations == []
    assert watch.errors == []
    assert watch.hosts <= {"127.0.0.1"}


@pytest.fixture
def address(shared_chain: Any) -> str:
    return str(shared_chain[1])


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder
