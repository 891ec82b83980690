"""Which shop and which camera a command means."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from vitrina.cli import shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.floor.layout import CameraLayout, Shop
from vitrina.floor.setup import shops
from vitrina.settings import Settings


def find_shop(settings: Settings, text: str) -> Shop:
    """The shop with this slug, or the one that a shop file describes (which is applied first)."""
    if not text:
        raise InputError("--shop: name the shop's slug or its shop.toml; `vitrina floor shop list` shows the slugs.")
    with database_session(settings) as session:
        if text.endswith(".toml") or Path(text).is_file():
            return shop.apply_file(session, settings, Path(text), console=Console(stderr=True))
        return shops.load_shop(session, text)


def choose_camera(place: Shop, slug: str) -> CameraLayout:
    """The camera that was named, or the only one. Raises NotFoundError or InputError with the slugs to choose from."""
    cameras = place.layout.cameras
    known = ", ".join(camera.slug for camera in cameras) or "none"
    if slug:
        found = place.layout.camera(slug)
        if found is None:
            raise NotFoundError(f"shop {place.slug} has no camera {slug!r}; it has: {known}.")
        return found
    if len(cameras) != 1:
        raise InputError(
            f"shop {place.slug} has {len(cameras)} cameras ({known}): say which, as CAMERA=SOURCE or --camera."
        )
    return cameras[0]
