"""The documentation knows everything that exists, and what it shows can be typed."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from vitrina import errors
from vitrina.cli.lazy import leaves
from vitrina.cli.main import app
from vitrina.floor.measures.cards import MEASURES
from vitrina.floor.store import FLOOR_TABLES
from vitrina.lens.lakestore import LENS_TABLES
from vitrina.settings import SETTINGS
from vitrina.storage.rights import PERMISSIONS
from vitrina.web import api
from vitrina.web.gate import OPEN_ROUTES

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?:bash|sh|console)?\n(.*?)^```|^((?: {4}[^\n]*\n)+)", re.MULTILINE | re.DOTALL)


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference().pages()


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_every_route_of_the_api_is_in_its_reference() -> None:
    written = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    modules = (importlib.import_module(one.name) for one in pkgutil.iter_modules(api.__path__, f"{api.__name__}."))
    routes = [route for module in modules if hasattr(module, "router") for route in module.router.routes]

    missing = [
        f"{method} {route.path}"
        for route in routes
        if route.include_in_schema
        for method in route.methods
        if not re.search(re.escape(f"`{method} {route.path}") + "[`?]", written)
    ]

    assert len(routes) > 20
    assert missing == []


def test_the_lakes_guide_says_how_long_each_table_is_kept() -> None:
    written = (ROOT / "docs/how-to/lake.md").read_text(encoding="utf-8")
    kept = dict(re.findall(r"^\| [`]?([\w–]+)[`]? \| .* \| ([\w, ]+) \|$", written, re.MULTILINE))

    for table in (*FLOOR_TABLES.values(), *LENS_TABLES.values()):
        assert table.name in kept[table.keep_days or "–"].split(", "), table.name


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_reference_with_its_help_and_an_example(
    path: tuple[str, ...], pages: dict[str, str]
) -> None:
    command = COMMANDS[path]

    assert f"`vitrina {' '.join(path)}" in pages["reference/commands.md"]
    assert command.help
    assert f"vitrina {' '.join(path)}" in command.help, "an example in the help"
    assert all(
        parameter.help for parameter in command.params if parameter.param_type_name == "option" and not parameter.hidden
    )


def test_every_setting_error_table_measure_right_and_open_route_is_in_the_reference(pages: dict[str, str]) -> None:
    everything = "\n".join(pages.values())
    expected = [
        *(setting.variable for setting in SETTINGS),
        *(name for name, thing in vars(errors).items() if isinstance(thing, type)),
        *(f"`{column.name}`" for table in (FLOOR_TABLES | LENS_TABLES).values() for column in table.schema),
        *FLOOR_TABLES,
        *LENS_TABLES,
        *MEASURES,
        *PERMISSIONS,
        *(f"{route.method} {route.path}" for route in OPEN_ROUTES),
    ]

    assert [name for name in expected if name not in everything] == []


def shown_commands() -> Iterator[tuple[str, str]]:
    """Every `vitrina …` command in a code block of a document; a quoted text may go over several lines."""
    for document in DOCUMENTS:
        for block in FENCE.findall(document.read_text(encoding="utf-8")):
            text = ""
            for line in "".join(block).replace("\\\n", " ").splitlines():
                text = f"{text} {line}".strip().removeprefix("$ ")
                if text.startswith("vitrina ") and text.count('"') % 2:
                    continue
                if text.startswith("vitrina ") and "…" not in text and "..." not in text:
                    yield document.name, text
                text = ""


@pytest.mark.parametrize(("document", "text"), sorted(set(shown_commands())))
def test_every_command_that_a_document_shows_exists_with_its_options(document: str, text: str) -> None:
    words = [word for word in shlex.split(text, comments=True)[1:] if word not in ("|", ">")]
    path = next((tuple(words[:n]) for n in (4, 3, 2, 1) if tuple(words[:n]) in COMMANDS), None)
    assert path is not None, f"{document}: {text}"
    command = COMMANDS[path]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.split("=")[0] for word in words[len(path) :] if re.match(r"--?[a-z]", word)}

    assert used <= known | {"--help", "-h"}, f"{document}: {text}"


def test_every_link_between_documents_leads_somewhere() -> None:
    generated = {ROOT / "docs" / page for page in reference().pages()}
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
        if "://" not in target
        and not (document.parent / target).exists()
        and (document.parent / target).resolve() not in generated
    ]

    assert broken == []


def test_the_readmes_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(
        re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text())
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_command_prints_help_without_touching_anything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vitrina.cli.main", "--home", str(tmp_path / "home"), "floor", "watch", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "Examples" in done.stdout
    assert not (tmp_path / "home").exists()
