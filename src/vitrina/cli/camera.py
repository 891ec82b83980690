"""`vitrina floor camera`: cameras before they are part of a shop, and when they make trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vitrina.cli.place import choose_camera, find_shop
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.floor.camera.glance import Glance, glance
from vitrina.floor.empty import to_jpeg
from vitrina.floor.setup import shops
from vitrina.floor.setup.address import check_source, without_credentials
from vitrina.settings import Settings

app = typer.Typer(help="Look at cameras.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


@app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command()
def check(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="An address, a file, webcam:0; with --shop, one of its cameras.", show_default=False)
    ],
    shop_name: Annotated[str, typer.Option("--shop", help="The shop whose camera SOURCE is.")] = "",
    seconds: Annotated[float, typer.Option(min=2.0, max=600.0, help="How long to watch.")] = 5.0,
    picture: Annotated[Path | None, typer.Option(help="Save the last picture here (JPEG). People are on it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Open a camera, say what it is and what is wrong with it; nothing is stored.

    Put an address in quotes. A camera of a shop is opened with the password that is kept for it.

    \b
    Examples:
      vitrina floor camera check "rtsp://viewer:password@10.0.0.20/Streaming/Channels/302"
      vitrina floor camera check door --shop riga-1 --seconds 20
      vitrina floor camera check webcam:0 --picture view.jpg
    """
    address = _address(context.obj, source, shop_name)
    name = f"{shop_name}/{source}" if shop_name else without_credentials(address)
    found = glance(address, name=name, seconds=seconds)
    if picture is not None:
        _save(found, picture)
    _say(found, as_json=as_json)


def _address(settings: Settings, source: str, shop_name: str) -> str:
    if not shop_name:
        return check_source(source)
    shop = find_shop(settings, shop_name)
    with database_session(settings) as session:
        return shops.camera_source(session, settings.home, shop.slug, choose_camera(shop, source).slug)


def _save(found: Glance, path: Path) -> None:
    try:
        path.write_bytes(to_jpeg(found.picture_rgb))
    except OSError as error:
        raise InputError(f"{path}: cannot write it: {error.strerror}") from error


def _say(found: Glance, *, as_json: bool) -> None:
    console, health = Console(soft_wrap=True, highlight=False), found.health
    if as_json:
        told = {key: health[key] for key in ("codec", "size_wh", "fps_claimed", "fps_got", "lag_s", "frames")}
        trouble = {key: health[key] for key in ("dropped", "damaged", "clock_jumps")}
        first = {"source": found.name, "first_picture_s": round(found.first_s, 3)}
        console.print_json(data=first | told | trouble | {"doubts": list(found.doubts)})
        return
    width, height = health["size_wh"]
    claimed = f"{health['fps_claimed']:g} frames a second claimed, " if health["fps_claimed"] else ""
    console.print(found.name, markup=False)
    console.print(f"  {' '.join(filter(None, (health['codec'], f'{width}×{height}')))}", markup=False)
    console.print(f"  {claimed}{health['fps_got']:.1f} got; {health['dropped']} dropped, {health['damaged']} damaged")
    console.print(f"  first picture after {found.first_s:.1f} s, at most {health['lag_s']:.1f} s late since")
    for doubt in found.doubts:
        console.print(f"  [yellow]Note:[/] {doubt}")
    if not found.doubts:
        console.print("  [green]Nothing wrong with it.[/]")
