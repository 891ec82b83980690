"""What is known about a model: where it comes from, what it is, how it is fed and read.

`manifest.toml` beside this module tells of the models that ship and is never written. A model that a user adds gets
a manifest of the same form beside it, in `$VITRINA_HOME/models/<sha256>/`.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomlkit

from vitrina.errors import InputError, MissingError
from vitrina.models.layouts import LAYOUTS
from vitrina.models.preparation import Preparation

PERSON_DETECTOR = "person-detector"
IMAGE_EMBEDDER = "image-embedder"
EMBEDDING = "embedding"
"""The layout of every embedder: one picture of a fixed size in, one vector out."""

DEFAULT_MODELS = {PERSON_DETECTOR: "person-nanodet-g", IMAGE_EMBEDDER: "image-lite0"}
"""The model that runs in a role until another one is promoted."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model file with its provenance.

    person_class: which of a detector's classes is a person. input_hw, dim: of an embedder, the height and width of its
    input and how many numbers its vector has. source, score, likeness: tables of the manifest, as they stand;
    likeness says what an embedder's cosines mean, when somebody has fitted it.
    """

    name: str
    role: str
    path: Path
    sha256: str
    bytes: int
    layout: str
    preparation: Preparation
    licence: str
    shipped: bool
    person_class: int = 0
    input_hw: tuple[int, int] | None = None
    dim: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    score: Mapping[str, Any] = field(default_factory=dict)
    likeness: Mapping[str, Any] = field(default_factory=dict)


def shipped_models() -> list[Model]:
    """The models of `manifest.toml`."""
    return read_manifest(Path(str(files("vitrina.models"))) / "manifest.toml", shipped=True)


def read_manifest(path: Path, *, shipped: bool = False) -> list[Model]:
    """The models of one manifest; InputError names the file and the field that is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_model(entry, path.parent, shipped) for entry in content["model"]]
    except KeyError as error:
        raise InputError(f"{path}: a model has no {error}; remove the folder and add the model again") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}; remove the folder and add the model again") from error


def _model(entry: dict[str, Any], folder: Path, shipped: bool) -> Model:
    layouts = (EMBEDDING,) if entry.get("role") == IMAGE_EMBEDDER else tuple(LAYOUTS)
    if entry["layout"] not in layouts:
        raise ValueError(f"layout: expected one of {', '.join(layouts)}, found {entry['layout']!r}")
    preparation = dict(entry["preparation"])
    for key in ("mean", "std"):
        preparation[key] = tuple(float(value) for value in preparation[key])
    return Model(
        name=entry["name"],
        role=entry["role"],
        path=folder / entry["file"],
        sha256=entry["sha256"],
        bytes=entry["bytes"],
        layout=entry["layout"],
        preparation=Preparation(**preparation),
        licence=entry["licence"],
        shipped=shipped,
        person_class=entry.get("person_class", 0),
        input_hw=(int(entry["input_hw"][0]), int(entry["input_hw"][1])) if "input_hw" in entry else None,
        dim=int(entry.get("dim", 0)),
        source=entry.get("source", {}),
        score=entry.get("score", {}),
        likeness=entry.get("likeness", {}),
    )


def write_manifest(path: Path, model: Model) -> None:
    """Write the manifest of one added model."""
    preparation = model.preparation
    entry: dict[str, Any] = {
        "name": model.name,
        "role": model.role,
        "file": model.path.name,
        "sha256": model.sha256,
        "bytes": model.bytes,
        "layout": model.layout,
        **_kind_facts(model),
        "licence": model.licence,
        "preparation": {
            "order": preparation.order,
            "mean": list(preparation.mean),
            "std": list(preparation.std),
            "fit": preparation.fit,
            "fill": preparation.fill,
        },
        "source": dict(model.source),
        "score": dict(model.score),
        "likeness": dict(model.likeness),
    }
    path.write_text(tomlkit.dumps({"model": [entry]}), encoding="utf-8")


def _kind_facts(model: Model) -> dict[str, Any]:
    if model.role == IMAGE_EMBEDDER and model.input_hw is not None:
        return {"input_hw": list(model.input_hw), "dim": model.dim}
    return {"person_class": model.person_class}


def read_content(model: Model) -> bytes:
    """The model file, after checking its sum; MissingError when it is gone or is not the file it should be."""
    advice = "install vitrina again" if model.shipped else "add it again with `vitrina models add`"
    try:
        content = model.path.read_bytes()
    except FileNotFoundError as error:
        raise MissingError(f"{model.name}: {model.path} is not there; {advice}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise MissingError(f"{model.name}: {model.path} has sha256 {found}, expected {model.sha256}; {advice}")
    return content
