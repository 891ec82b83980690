"""`vitrina models`: which networks there are, which one runs where, and bringing one's own."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from vitrina.errors import InputError
from vitrina.settings import Settings
from vitrina.storage import audit
from vitrina.storage.database import Database

if TYPE_CHECKING:  # ONNX Runtime and OpenCV take half a second, which other commands should not wait for
    from vitrina.models.library import Verification
    from vitrina.models.manifest import Model
    from vitrina.models.preparation import Preparation

app = typer.Typer(
    help="See and check the networks, bring your own, choose which one runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

_AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Shop = Annotated[str, typer.Option("--shop", help="Slug of one shop; without it, every shop that has no own choice.")]


@app.command("list")
def list_models(context: typer.Context, as_json: _AsJson = False) -> None:
    """List the models on this machine, and where each of them runs.

    \b
    Examples:
      vitrina models list
      vitrina models list --json
    """
    from vitrina.models.library import known_models

    models, places = known_models(context.obj.home), _places(context.obj)
    if as_json:
        _print_json([_facts(model) | {"runs": places.get(model.sha256, [])} for model in models])
    else:
        Console().print(_models_table(models, places))


@app.command()
def verify(context: typer.Context, as_json: _AsJson = False) -> None:
    """Compute every model's checksum again and run it on one picture; exit code 7 when one fails.

    \b
    Examples:
      vitrina models verify
      vitrina models verify --json
    """
    from vitrina.models.library import known_models
    from vitrina.models.library import verify as verify_models

    found = verify_models(known_models(context.obj.home))
    if as_json:
        _print_json([_facts(v.model) | {"ok": v.ok, "problem": v.problem, "run_ms": v.run_ms} for v in found])
    else:
        Console().print(_verifications_table(found))
    if not all(verification.ok for verification in found):
        raise typer.Exit(7)


@app.command()
def add(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The network: one ONNX file with its weights inside.")],
    name: Annotated[str | None, typer.Option(help="Name to call it by; the file's name when left out.")] = None,
    role: Annotated[
        str, typer.Option(help="person-detector, or image-embedder for search by photo.")
    ] = "person-detector",
    layout: Annotated[str, typer.Option(help="Layout of its outputs; `auto` recognises it.")] = "auto",
    person_class: Annotated[int, typer.Option(min=0, help="Which of its classes is a person; 0 in COCO.")] = 0,
    size: Annotated[
        str, typer.Option(help="Embedder: side of its pictures, or HEIGHTxWIDTH, where the file leaves it free.")
    ] = "",
    mean: Annotated[str, typer.Option(help="Embedder: mean of red, green, blue, of pixels from 0 to 255.")] = "127.5",
    std: Annotated[str, typer.Option(help="Embedder: standard deviation of each, of pixels from 0 to 255.")] = "127.5",
    order: Annotated[str, typer.Option(help="Embedder: order of its channels, rgb or bgr.")] = "rgb",
    fit: Annotated[str, typer.Option(help="Embedder: crop, stretch, centre or top-left.")] = "crop",
    licence: Annotated[str, typer.Option(help="Licence of the weights, kept in the manifest.")] = "not stated",
    as_json: _AsJson = False,
) -> None:
    """Try a network, and copy it to the models of this machine. `vitrina models use` lets it run.

    Detectors: our own NanoDet-g, YOLOX, YOLOv8 and YOLO11, RT-DETR. Embedders: a picture of a fixed size in, one
    vector out; how it wants its pictures is said here, because the file does not tell.

    \b
    Examples:
      vitrina models add yolox_s.onnx --licence Apache-2.0
      vitrina models add best.onnx --name people-2026-11 --layout yolov8 --person-class 0
      vitrina models add siglip.onnx --role image-embedder --size 224 --mean 127.5 --std 127.5 --fit stretch
      vitrina models add clip.onnx --role image-embedder --mean 122.8,116.7,104.1 --std 68.5,66.6,70.3
    """
    from vitrina.models.library import add_embedder, add_model

    home = context.obj.home
    if role == "image-embedder":
        preparation = _preparation(order, mean, std, fit)
        model = add_embedder(
            home, path, preparation=preparation, input_hw=_size(size), name=name, licence=licence, by=_who()
        )
    elif role == "person-detector":
        model = add_model(home, path, name=name, layout=layout, person_class=person_class, licence=licence, by=_who())
    else:
        raise InputError(f"--role: expected person-detector or image-embedder, got {role!r}")
    with _database(context.obj) as database, database.session() as session:
        audit.record(session, _who(), "models.add", f"model:{model.name}", after=_facts(model))
    if as_json:
        _print_json(_facts(model))
    else:
        Console().print(f"Added {model.name} ({model.layout}). Let it run: vitrina models use {model.name}")


@app.command()
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model's name, as `vitrina models list` shows it.")],
    shop: _Shop = "",
    as_json: _AsJson = False,
) -> None:
    """Let a model run from now on. Cameras that are being watched take it up when they start again.

    \b
    Examples:
      vitrina models use people-2026-11
      vitrina models use people-2026-11 --shop mitte
      vitrina models use person-nanodet-g        # back to the one that ships
    """
    from vitrina.models.library import find_model, verify
    from vitrina.models.registry import promote

    model = find_model(context.obj.home, name)
    _require_sound(verify([model])[0])
    answer = {"name": model.name, "role": model.role, "place": shop or "everywhere", "sha256": model.sha256}
    with _database(context.obj) as database, database.session() as session:
        promote(session, model, by=_who(), place=shop)
        audit.record(session, _who(), "models.use", f"model:{model.name}", after=answer)
    if as_json:
        _print_json(answer)
    else:
        Console().print(f"{model.name} is now the {model.role} of {shop or 'every shop without an own choice'}.")


def _preparation(order: str, mean: str, std: str, fit: str) -> Preparation:
    from vitrina.models.preparation import Fit, Order, Preparation

    if order not in get_args(Order):
        raise InputError(f"--order: expected {' or '.join(get_args(Order))}, got {order!r}")
    if fit not in get_args(Fit):
        raise InputError(f"--fit: expected one of {', '.join(get_args(Fit))}, got {fit!r}")
    return Preparation(cast("Order", order), _three(mean, "--mean"), _three(std, "--std"), cast("Fit", fit), 0)


def _three(typed: str, option: str) -> tuple[float, float, float]:
    """'127.5' for all channels, or '123.7,116.3,103.5'."""
    words = typed.split(",") * (3 if "," not in typed else 1)
    try:
        red, green, blue = (float(word) for word in words)
    except ValueError as error:
        raise InputError(f"{option}: expected one number or three such as 123.7,116.3,103.5, got {typed!r}") from error
    return red, green, blue


def _size(typed: str) -> tuple[int, int] | None:
    """'224' or '256x192' (height x width); None for ''."""
    if not typed:
        return None
    words = typed.split("x") * (2 if "x" not in typed else 1)
    if len(words) != 2 or not all(word.isdecimal() and 8 <= int(word) <= 2048 for word in words):
        raise InputError(f"--size: expected a side such as 224 or HEIGHTxWIDTH, 8 to 2048 each, got {typed!r}")
    return int(words[0]), int(words[1])


def _require_sound(verification: Verification) -> None:
    from vitrina.errors import MissingError

    if not verification.ok:
        raise MissingError(f"{verification.problem}; nothing was changed")


def _who() -> str:
    return f"cli:{getpass.getuser()}"


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    database.migrate()
    try:
        yield database
    finally:
        database.dispose()


def _places(settings: Settings) -> dict[str, list[str]]:
    """sha256 → where the model runs ('everywhere', slugs of shops)."""
    from vitrina.models.manifest import DEFAULT_MODELS, shipped_models
    from vitrina.models.registry import promotions

    running = {(model.role, ""): model.sha256 for model in shipped_models() if model.name in DEFAULT_MODELS.values()}
    with _database(settings) as database, database.reading() as session:
        running |= {(row.role, row.place): row.sha256 for row in reversed(promotions(session))}
    places: dict[str, list[str]] = {}
    for (_, place), sha256 in sorted(running.items()):
        places.setdefault(sha256, []).append(place or "everywhere")
    return places


def _facts(model: Model) -> dict[str, Any]:
    return asdict(model) | {"path": str(model.path)}


def _models_table(models: list[Model], places: dict[str, list[str]]) -> Table:
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in ("role", "layout", "licence", "MB", "ships", "runs"):
        table.add_column(heading, overflow="fold")
    for model in models:
        facts = (model.name, model.role, model.layout, model.licence, f"{model.bytes / 1e6:.1f}")
        table.add_row(*facts, "yes" if model.shipped else "no", ", ".join(places.get(model.sha256, [])) or "–")
    return table


def _verifications_table(verifications: list[Verification]) -> Table:
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in ("sound", "one picture", "problem"):
        table.add_column(heading, overflow="fold")
    for found in verifications:
        run = "–" if found.run_ms is None else f"{found.run_ms:.0f} ms"
        table.add_row(found.model.name, "yes" if found.ok else "no", run, found.problem)
    return table


def _print_json(answer: object) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
