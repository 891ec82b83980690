"""The models on this machine: those that ship and those in `$VITRINA_HOME/models`."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from vitrina.errors import ConflictError, InputError, NotFoundError, VitrinaError
from vitrina.models.embedder import Embedder, check_golden, vector_size
from vitrina.models.layouts import LAYOUTS, Reading, describe_outputs, expected_layouts, recognise
from vitrina.models.manifest import (
    EMBEDDING,
    IMAGE_EMBEDDER,
    PERSON_DETECTOR,
    Model,
    read_content,
    read_manifest,
    shipped_models,
    write_manifest,
)
from vitrina.models.preparation import Preparation
from vitrina.models.session import Session

MANIFEST = "model.toml"
LARGEST_BYTES = 1_000_000_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a model is the file it should be and runs. problem: empty when it is and does. run_ms: one picture."""

    model: Model
    problem: str
    run_ms: float | None

    @property
    def ok(self) -> bool:
        return not self.problem


def known_models(home: Path) -> list[Model]:
    """Shipped models first, then added ones by name."""
    manifests = sorted((home / "models").glob(f"*/{MANIFEST}"))
    added = [model for manifest in manifests for model in read_manifest(manifest)]
    return shipped_models() + sorted(added, key=lambda model: model.name)


def find_model(home: Path, name: str) -> Model:
    """NotFoundError names the models there are."""
    models = known_models(home)
    for model in models:
        if model.name == name:
            return model
    raise NotFoundError(f"no model is named {name!r}; there are {', '.join(model.name for model in models)}")


def model_by_sha(home: Path, sha256: str, *, name: str) -> Model:
    """The model that was promoted, by its content; `name` is for the message."""
    for model in known_models(home):
        if model.sha256 == sha256:
            return model
    raise NotFoundError(
        f"{name} was promoted, but its file (sha256 {sha256[:12]}…) is not in {home / 'models'}; "
        "add it again with `vitrina models add`, or choose another with `vitrina models use`"
    )


def add_model(
    home: Path,
    path: Path,
    *,
    name: str | None = None,
    layout: str = "auto",
    person_class: int = 0,
    licence: str = "not stated",
    by: str = "",
) -> Model:
    """Try a detector, copy it into `home` and write its manifest.

    InputError when it is no person detector in a layout we read, or has fewer classes; ConflictError when the name or
    the very file is there already.
    """
    content = _read_file(path)
    chosen, sha256 = _identity(home, path, name, content)
    found = try_model(content, name=path.name, layout=layout, person_class=person_class)
    model = Model(
        name=chosen,
        role=PERSON_DETECTOR,
        path=home / "models" / sha256 / f"{chosen}.onnx",
        sha256=sha256,
        bytes=len(content),
        layout=found,
        preparation=LAYOUTS[found].preparation,
        licence=licence,
        shipped=False,
        person_class=person_class,
        source=_added(path, by),
    )
    _store(model, content)
    return model


def add_embedder(
    home: Path,
    path: Path,
    *,
    preparation: Preparation,
    input_hw: tuple[int, int] | None = None,
    name: str | None = None,
    licence: str = "not stated",
    by: str = "",
) -> Model:
    """Try an image embedder, copy it into `home` and write its manifest.

    input_hw: needed where the file leaves height and width free. InputError says what the network gave when that is
    no vector; ConflictError when the name or the very file is there already.
    """
    content = _read_file(path)
    chosen, sha256 = _identity(home, path, name, content)
    require_preparation(preparation)
    session = Session(content, name=path.name)
    size_hw = input_hw or session.input_hw
    if size_hw is None:
        raise InputError(f"{path.name} takes pictures of any size; say which one it was trained with: --size 224")
    model = Model(
        name=chosen,
        role=IMAGE_EMBEDDER,
        path=home / "models" / sha256 / f"{chosen}.onnx",
        sha256=sha256,
        bytes=len(content),
        layout=EMBEDDING,
        preparation=preparation,
        licence=licence,
        shipped=False,
        input_hw=size_hw,
        dim=vector_size(session, size_hw, name=path.name),
        source=_added(path, by),
    )
    _store(model, content)
    return model


def require_preparation(preparation: Preparation) -> None:
    """InputError when mean and std are of values from 0 to 1, as most model cards print them."""
    if 0 in preparation.std:
        raise InputError(f"std: expected three numbers above 0, got {preparation.std}")
    if max(preparation.std) <= 1:
        ours = {
            word: ",".join(f"{value * 255:.5g}" for value in values)
            for word, values in (("mean", preparation.mean), ("std", preparation.std))
        }
        raise InputError(
            f"std {preparation.std} is of values from 0 to 1, expected of pixels from 0 to 255: "
            f"--mean {ours['mean']} --std {ours['std']}"
        )


def _identity(home: Path, path: Path, name: str | None, content: bytes) -> tuple[str, str]:
    """The name and the sum of a file that is to be added, when nobody has them yet."""
    chosen = name or _name_from(path)
    if not NAME.fullmatch(chosen):
        raise InputError(f"name: expected lower-case letters, digits, '.', '_' and '-', got {chosen!r}; use --name")
    sha256 = hashlib.sha256(content).hexdigest()
    _refuse_twice(known_models(home), chosen, sha256)
    return chosen, sha256


def _added(path: Path, by: str) -> dict[str, str]:
    return {"file": path.name, "added_at": datetime.now(UTC).isoformat(timespec="seconds"), "added_by": by}


def try_model(content: bytes, *, name: str, layout: str = "auto", person_class: int = 0) -> str:
    """Run a detector once and read its answer; the name of its layout."""
    if layout not in ("auto", *LAYOUTS):
        raise InputError(f"layout: expected auto, {', '.join(LAYOUTS)}; got {layout!r}")
    session = Session(content, name=name)
    outputs, input_hw = session.probe(), session.probe_hw
    found = recognise(outputs, input_hw) if layout == "auto" else layout
    try:
        classes = LAYOUTS[found].classes(outputs)
        LAYOUTS[found].read(outputs, Reading(input_hw))
    except (IndexError, KeyError, ValueError) as error:
        described = describe_outputs(outputs, input_hw)
        raise InputError(f"{name} cannot be read as {found}: {described}. {expected_layouts()}") from error
    if found != "rt-detr" and person_class >= classes:
        raise InputError(f"{name} tells {classes} classes apart, so --person-class must be 0 to {classes - 1}")
    return found


def verify(models: Iterable[Model]) -> list[Verification]:
    """Compute each sum again and run each model on one picture."""
    return [_verify(model) for model in models]


def _verify(model: Model) -> Verification:
    try:
        run_ms = _try_embedder(model) if model.role == IMAGE_EMBEDDER else _try_detector(model)
    except VitrinaError as error:
        return Verification(model, str(error), None)
    return Verification(model, "", run_ms)


def _try_detector(model: Model) -> float:
    """Milliseconds of one picture."""
    session = Session(read_content(model), name=model.name)
    session.probe()
    start = time.perf_counter()
    outputs = session.probe()
    run_ms = (time.perf_counter() - start) * 1000
    LAYOUTS[model.layout].read(outputs, Reading(session.probe_hw, person_class=model.person_class))
    return run_ms


def _try_embedder(model: Model) -> float:
    """Milliseconds of one picture; InputError when this machine does not get the vectors that it should."""
    embedder = Embedder(model)
    check_golden(embedder)
    side = embedder.model.input_hw or (224, 224)
    start = time.perf_counter()
    embedder.embed([np.full((*side, 3), 128, np.uint8)])
    return (time.perf_counter() - start) * 1000


def _read_file(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not 0 < size <= LARGEST_BYTES:
            raise InputError(f"{path}: expected an ONNX file of 1 byte to 1 GB, found {size} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected an ONNX file, {str(error.strerror).lower()}") from error


def _name_from(path: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._")


def _refuse_twice(models: list[Model], name: str, sha256: str) -> None:
    for model in models:
        if model.sha256 == sha256:
            raise ConflictError(f"this file is known already, as {model.name}")
        if model.name == name:
            raise ConflictError(f"another model is named {name}; give this one another name with --name")


def _store(model: Model, content: bytes) -> None:
    """Write the folder beside its place and move it there whole, so that a half-copied model is never found."""
    folder = model.path.parent
    draft = folder.with_name(f".{model.sha256[:12]}-{secrets.token_hex(4)}")
    draft.mkdir(parents=True)
    try:
        (draft / model.path.name).write_bytes(content)
        write_manifest(draft / MANIFEST, replace(model, path=draft / model.path.name))
        draft.replace(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise ConflictError(f"{folder} cannot be written: {error.strerror}") from error
