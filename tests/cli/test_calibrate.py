from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from vitrina.cli.calibrate import calibrate
from vitrina.errors import InputError

POINTS = "x_px,y_px,x_m,y_m\n220,660,3,7\n1060,660,7,7\n400,300,3,3\n880,300,7,3\n"


@pytest.fixture
def points(tmp_path: Path) -> Path:
    file = tmp_path / "points.csv"
    file.write_text(POINTS)
    return file


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(calibrate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_answer_is_a_table_with_sentences(points: Path) -> None:
    output = run(points, "--size", "1280x720").output

    assert "Residual: median 0.0 cm, worst 0.0 cm." in output
    assert "The floor error stays under 25 cm up to" in output
    assert "Note: four points fit exactly" in output


def test_the_answer_is_json(points: Path) -> None:
    answer = json.loads(run(points, "--size", "1280x720", "--k1", "-0.1", "--json").output)

    assert answer["k1"] == -0.1
    assert len(answer["homography"]) == 3
    assert len(answer["residual_cm"]) == 4


def test_mistakes_are_errors(points: Path, tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "no.csv").exception, InputError)
    assert "expected WIDTHxHEIGHT such as 1280x720, got 'big'" in str(run(points, "--size", "big").exception)
    points.write_text(POINTS.replace("400", "4oo"))
    assert f"{points}:4: column x_px: expected a number" in str(run(points).exception)
