"""The house keeps its shape: import contracts, pure modules, nothing at import, one owner per heavy library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "vitrina"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)

OWNERS = {
    "av": {"floor/camera/", "floor/overlay.py"},
    "onnxruntime": {"models/"},
    "sqlalchemy": {
        "storage/",
        "work/jobs.py",
        "outlet/",
        "chat/",
        "models/registry.py",
        "floor/setup/shops.py",
        "lens/shops.py",
        "lens/terms.py",
        "lens/networks.py",
        "lens/wallet.py",
        "lens/clicks.py",
        "lens/ledger.py",
        "lens/booking.py",
        "lens/missing.py",
        "lens/report.py",
        "lens/trace.py",
        "web/wallet_cookie.py",
        "cli/session.py",
        "cli/networks.py",
        "cli/bulletins.py",
        "cli/shop.py",
        "lens/decisions.py",
    },
    "lxml": {"lens/feed/"},
    "PIL": {"lens/photo.py", "lens/pictures.py", "lens/demo/", "chat/telegram.py"},
    "pi_heif": {"lens/photo.py"},
    "zvec": {"lens/index_zvec.py"},
    "qdrant_client": {"lens/index_qdrant.py"},
    "deltalake": {"storage/"},
    "duckdb": {"storage/"},
    "pyspark": {"storage/spark.py"},
    "py4j": {"storage/spark.py"},
    "distributed": {"work/spread.py"},
    "paho": {"outlet/mqtt.py"},
    "telegram": {"chat/telegram.py"},
    "apprise": {"chat/apprise.py"},
    "fastapi": {"web/"},
    "starlette": {"web/"},
    "uvicorn": {"cli/up.py"},
    "typer": {"cli/"},
    "rich": {"cli/"},
}
"""Heavy library → where it may be imported (a file, or a folder with a slash at its end)."""

EDGES = {"camera", "shops", "watch", "overlay", "people", "write", "bias", "worker"}
"""Modules and packages of `floor` that read or write the world outside. Every other one is pure."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_import_contracts_are_kept() -> None:
    lint = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=SOURCE.parent.parent, capture_output=True
    )
    if lint.returncode == 127:
        pytest.skip("import-linter is not installed: make check")

    assert lint.returncode == 0, lint.stdout.decode()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_heavy_library_is_imported_by_its_owner_only(path: Path) -> None:
    place = path.relative_to(SOURCE).as_posix()

    strangers = {
        library
        for name in imports(path)
        if (library := name.split(".")[0]) in OWNERS
        and not any(place == owner or (owner.endswith("/") and place.startswith(owner)) for owner in OWNERS[library])
    }

    assert not strangers


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in MODULES
        if p.is_relative_to(SOURCE / "floor") and not EDGES & set(p.relative_to(SOURCE).with_suffix("").parts)
    ],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_a_pure_module_of_floor_imports_no_edge(path: Path) -> None:
    edges = {name for name in imports(path) if name.startswith("vitrina.floor.") and EDGES & set(name.split(".")[2:])}

    assert not edges


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_settings_are_read_from_the_environment_and_only_at_the_door(path: Path) -> None:
    if path.relative_to(SOURCE).as_posix() in {"cli/main.py", "cli/up.py"}:
        return

    assert "environ" not in {
        node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
    }


def test_importing_everything_does_nothing() -> None:
    names = [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in MODULES]
    program = "import sys, importlib, pathlib\n" + "\n".join(
        f"importlib.import_module({name!r})" for name in names if not name.endswith("__init__")
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd="/")

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
