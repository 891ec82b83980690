"""`vitrina floor calibrate`: how well a camera's floor is known from clicked points."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vitrina.errors import InputError
from vitrina.floor.geometry.calibration import Calibration, calibrate_floor, read_points


def calibrate(
    points: Annotated[Path, typer.Argument(help="CSV with the columns x_px, y_px, x_m, y_m.", show_default=False)],
    size: Annotated[
        str, typer.Option(help="The picture's size, WIDTHxHEIGHT. Without it: the smallest usual one that holds all.")
    ] = "",
    k1: Annotated[
        float | None, typer.Option(help="The lens's curvature, −0.5 to 0.5; without it, fitted from 8 points on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Fit the floor to points in the picture and their places on the plan: residual in cm, and how far it reaches.

    \b
    Examples:
      vitrina floor calibrate points.csv --size 1280x720
      vitrina floor calibrate points.csv --size 768x576 --k1 -0.03 --json
    """
    found = calibrate_floor(read_points(_bytes(points), name=str(points)), size_wh=_size(size), k1=k1)
    if as_json:
        Console().print_json(json.dumps(found.as_json()))
    else:
        _show(found)


def _show(found: Calibration) -> None:
    table = Table("point", "picture, px", "plan, m", "residual, cm", box=None)
    ground = found.ground
    for number, (px, metres, residual) in enumerate(
        zip(ground.points_px, ground.points_m, ground.residual_cm, strict=True), start=1
    ):
        table.add_row(str(number), f"{px[0]:g}, {px[1]:g}", f"{metres[0]:g}, {metres[1]:g}", f"{residual:.1f}")
    console = Console()
    console.print(table)
    for sentence in found.sentences():
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot read it: {error.strerror}") from error


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", text)
    if found is None:
        raise InputError(f"--size: expected WIDTHxHEIGHT such as 1280x720, got {text!r}")
    return int(found[1]), int(found[2])
