"""Where the demo's shops lie, and the job that makes them; needs nothing that draws."""

from __future__ import annotations

from pathlib import Path

from vitrina.settings import Settings

JOB = "demo.lens"
NETWORK = "generic"
"""The demo's links go through it."""


def shop_folder(settings: Settings) -> Path:
    """A folder for each shop, with its feed and its pictures."""
    return settings.lens / "demo"


def sample_folder(settings: Settings) -> Path:
    """Photos to try."""
    return shop_folder(settings) / "samples"
