"""`vitrina lake sandbox`: a folder that an analyst can work in at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from vitrina.cli.lake import app
from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.floor.measures.views import VIEWS
from vitrina.settings import load_settings


def make(home: Any, *arguments: str) -> Result:
    settings = load_settings({"VITRINA_HOME": str(home.path)})
    return CliRunner().invoke(app, ["sandbox", *arguments], obj=settings)


@pytest.fixture
def folder(chain_home: Any, tmp_path: Path) -> Path:
    made = make(chain_home, "anna", "--days", "800", "--folder", str(tmp_path), "--json")
    assert made.exit_code == 0, made.output
    return Path(json.loads(made.output)["folder"])


def test_it_holds_the_views_read_only_and_says_what_is_in_them(folder: Path) -> None:
    files = {file.stem: file for file in (folder / "data").glob("*.parquet")}

    assert files.keys() == VIEWS.keys()
    assert pq.read_table(files["days"]).num_rows > 0
    assert all(not file.stat().st_mode & 0o222 for file in files.values())
    readme = (folder / "README.md").read_text()
    assert "fewer than 5 people are left empty" in readme
    assert "Simulated data" in readme
    assert all(f"`{field.name}`" in readme for view in VIEWS.values() for field in view.schema)


def test_the_cells_of_the_notebook_run_as_they_stand(folder: Path) -> None:
    notebook = json.loads((folder / "start.ipynb").read_text())
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")

    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)

    assert ran.returncode == 0, ran.stderr
    assert "week_day" in ran.stdout
    assert "demo-berlin" in ran.stdout


def test_no_person_is_in_any_of_its_files(folder: Path, chain_home: Any) -> None:
    person = chain_home.lake().expr("visits").person_id.max().execute()

    for file in folder.rglob("*"):
        if file.is_file():
            assert person.encode() not in file.read_bytes()
    assert person not in str([pq.read_table(file).to_pydict() for file in (folder / "data").iterdir()])


def test_one_that_is_there_is_not_overwritten_unless_that_was_asked_for(chain_home: Any) -> None:
    assert make(chain_home, "anna", "--days", "1", "--shop", "demo-berlin").exit_code == 0
    assert isinstance(make(chain_home, "anna").exception, ConflictError)
    assert make(chain_home, "anna", "--replace", "--days", "2", "--shop", "demo-berlin").exit_code == 0


def test_a_folder_that_is_no_sandbox_is_never_replaced(chain_home: Any, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")

    made = make(chain_home, "work", "--folder", str(tmp_path), "--replace", "--days", "1", "--shop", "demo-berlin")

    assert isinstance(made.exception, ConflictError)
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize(
    ("arguments", "error"), [(("../anna",), InputError), (("anna", "--shop", "nowhere"), NotFoundError)]
)
def test_a_name_that_is_no_folder_and_a_shop_that_is_not_there_are_refused(
    chain_home: Any, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    assert isinstance(make(chain_home, *arguments).exception, error)
