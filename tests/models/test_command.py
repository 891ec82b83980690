"""`vitrina models …`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from vitrina.cli.models import app
from vitrina.errors import InputError, MissingError, NotFoundError
from vitrina.settings import Settings, load_settings
from vitrina.storage import audit
from vitrina.storage.database import Database

Run = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(*words: object, exit_code: int = 0) -> str:
        root = typer.Typer()
        root.add_typer(app, name="models")
        result = CliRunner().invoke(root, ["models", *map(str, words)], obj=settings)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.stdout

    return run


SHIPPED = ["person-nanodet-g", "image-lite0"]


def test_a_new_machine_runs_the_shipped_models_everywhere(run: Run) -> None:
    models = json.loads(run("list", "--json"))

    assert [(model["name"], model["shipped"], model["runs"]) for model in models] == [
        (name, True, ["everywhere"]) for name in SHIPPED
    ]
    assert "person-nanodet-g" in run("list")


def test_a_detector_is_added_used_and_taken_back(run: Run, write_model, settings: Settings) -> None:
    added = json.loads(run("add", write_model("yolov8"), "--name", "mine", "--licence", "MIT", "--json"))
    run("use", "mine")
    run("use", "person-nanodet-g", "--shop", "riga-1")

    places = {model["name"]: model["runs"] for model in json.loads(run("list", "--json"))}
    assert added["layout"] == "yolov8"
    assert places == {"person-nanodet-g": ["riga-1"], "image-lite0": ["everywhere"], "mine": ["everywhere"]}
    database = Database(settings.database)
    with database.reading() as session:
        assert [entry.action for entry in audit.entries(session)] == ["models.use", "models.use", "models.add"]
    database.dispose()


def test_verify_runs_every_model(run: Run, write_model) -> None:
    run("add", write_model(), "--name", "mine")

    found = json.loads(run("verify", "--json"))

    assert [(model["name"], model["ok"]) for model in found] == [(name, True) for name in [*SHIPPED, "mine"]]
    assert "mine" in run("verify")


def test_verify_ends_with_7_when_a_file_is_not_what_it_was(run: Run, write_model) -> None:
    added = json.loads(run("add", write_model(), "--name", "mine", "--json"))
    Path(added["path"]).write_bytes(b"something else")

    found = json.loads(run("verify", "--json", exit_code=7))

    assert [model["ok"] for model in found] == [True, True, False]
    with pytest.raises(MissingError, match="nothing was changed"):
        run("use", "mine")


def test_using_a_model_that_is_not_there_names_those_that_are(run: Run) -> None:
    with pytest.raises(NotFoundError, match="there are person-nanodet-g"):
        run("use", "yolo")


def test_adding_what_is_no_detector_says_what_was_found(run: Run, write_model) -> None:
    with pytest.raises(InputError, match="embedding"):
        run("add", write_model(answers={"embedding": np.zeros((1, 8), np.float32)}))


@pytest.mark.parametrize("command", ["list", "verify", "add", "use"])
def test_every_command_has_examples_in_its_help(command: str, run: Run) -> None:
    assert f"vitrina models {command}" in run(command, "--help")


def test_an_embedder_is_added_with_its_preparation_and_used(run: Run, write_model) -> None:
    path = write_model(answers={"vector": np.ones((1, 8), np.float32)})
    told = ("--role", "image-embedder", "--mean", "123.7,116.3,103.5", "--std", "58.4,57.1,57.4", "--fit", "stretch")

    added = json.loads(run("add", path, "--name", "mine", *told, "--json"))
    run("use", "mine")

    places = {model["name"]: model["runs"] for model in json.loads(run("list", "--json"))}
    assert (added["role"], added["input_hw"], added["dim"]) == ("image-embedder", [64, 96], 8)
    assert added["preparation"]["std"] == [58.4, 57.1, 57.4]
    assert places == {"person-nanodet-g": ["everywhere"], "image-lite0": [], "mine": ["everywhere"]}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (("--role", "segmenter"), "--role: expected person-detector or image-embedder, got 'segmenter'"),
        (("--role", "image-embedder", "--mean", "1,2"), "--mean: expected one number or three"),
        (("--role", "image-embedder", "--std", "0.229,0.224,0.225"), "--std 58.395,57.12,57.375"),
        (("--role", "image-embedder", "--std", "0"), "std: expected three numbers above 0"),
        (("--role", "image-embedder", "--fit", "squash"), "--fit: expected one of top-left, centre, stretch, crop"),
        (("--role", "image-embedder", "--order", "rbg"), "--order: expected rgb or bgr"),
        (("--role", "image-embedder", "--size", "2x"), "--size: expected a side such as 224"),
    ],
)
def test_an_option_of_an_embedder_that_is_wrong_is_named(
    told: tuple[str, ...], reason: str, run: Run, write_model
) -> None:
    path = write_model(answers={"vector": np.ones((1, 8), np.float32)})

    with pytest.raises(InputError, match=reason):
        run("add", path, *told)
