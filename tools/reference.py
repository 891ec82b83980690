"""Writes the reference pages of the documentation from the code itself, each time the documentation is built.

MkDocs calls `on_files`; the tests call `pages()`. A command, setting, table, error, measure, permission or open
route that exists is therefore in the documentation, in the words of its own help.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Path below docs/ → Markdown."""
    return {
        "reference/commands.md": commands(),
        "reference/settings.md": settings(),
        "reference/errors.md": errors(),
        "reference/tables.md": tables(),
        "reference/measures.md": measures(),
        "reference/rights.md": rights(),
    }


def commands() -> str:
    import typer.main

    from vitrina.cli.lazy import leaves
    from vitrina.cli.main import app

    lines = ["# Commands", "", "Every command has `--help` with examples; those that answer have `--json`.", ""]
    for path, command in sorted(leaves(typer.main.get_command(app)), key=lambda one: one[0]):
        _command(lines, command, " ".join(("vitrina", *path)))
    return "\n".join(lines) + "\n"


def _command(lines: list[str], command: Any, path: str) -> None:
    """Heading, help and options; the examples in the help become a block that can be copied."""
    words = [f"[{p.name.upper()}]" if not p.required else p.name.upper() for p in command.params if not _is_option(p)]
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    lines += [f"## `{' '.join([path, *words])}`", "", text]
    shown = [line.strip() for line in examples.splitlines() if line.strip().startswith("vitrina")]
    lines += ["```bash", *shown, "```", ""] if shown else []
    rows = [
        (", ".join(p.opts + p.secondary_opts), (p.help or "").replace("|", r"\|"))
        for p in command.params
        if _is_option(p) and not p.hidden
    ]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows), ""]


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def settings() -> str:
    from vitrina.settings import SETTINGS

    lines = [
        "# Settings",
        "",
        "Set in the environment (`VITRINA_PORT=9000`), or in `vitrina.toml` in the working directory or in the home",
        "(`port = 9000`). The environment wins.",
        "",
        "| setting | variable | default | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{s.name}` | `{s.variable}` | {f'`{s.default}`' if s.default else '–'} | {s.unit} | {s.help} |"
        for s in SETTINGS
    ]
    return "\n".join(lines) + "\n"


def errors() -> str:
    from vitrina import errors as module

    lines = ["# Errors", "", "Every error says what was expected, what came, where, and what to do next.", ""]
    lines += ["| error | HTTP status | exit code | meaning |", "|---|---|---|---|"]
    for name, error in vars(module).items():
        if isinstance(error, type) and issubclass(error, Exception):
            lines.append(f"| `{name}` | {error.status} | {error.exit_code} | {inspect.getdoc(error)} |")  # type: ignore[attr-defined]
    return "\n".join(lines) + "\n"


def tables() -> str:
    from vitrina.floor.store import FLOOR_TABLES
    from vitrina.lens.lakestore import LENS_TABLES

    lines = ["# Tables of the lake", "", "What happened, append-only. The same text is in `vitrina lake describe`.", ""]
    for name, spec in (FLOOR_TABLES | LENS_TABLES).items():
        lines += [f"## `{name}`", "", spec.comment, "", "| column | type | meaning |", "|---|---|---|"]
        for field in spec.schema:
            comment = (field.metadata or {}).get(b"comment", b"").decode()
            lines.append(f"| `{field.name}` | {field.type} | {comment} |")
        lines.append("")
    return "\n".join(lines) + "\n"


def measures() -> str:
    from vitrina.floor.measures.cards import MEASURES

    lines = ["# Measures", "", "One name each, everywhere: pages, API, files, code.", ""]
    for measure in MEASURES.values():
        lines += [f"## {measure.title} (`{measure.name}`)", ""]
        for field in dataclasses.fields(measure):
            value = getattr(measure, field.name)
            if field.name in ("name", "title") or callable(value) or not value:
                continue
            text = ", ".join(f"`{one}`" for one in value) if isinstance(value, tuple) else value
            lines.append(f"- *{field.name}*: {text}")
        lines.append("")
    return "\n".join(lines) + "\n"


def rights() -> str:
    from vitrina.storage.rights import PERMISSIONS
    from vitrina.web.app import OPEN_ROUTES

    lines = ["# Rights", "", "## Who may do what", "", "| action | roles |", "|---|---|"]
    lines += [f"| `{action}` | {', '.join(sorted(roles))} |" for action, roles in PERMISSIONS.items()]
    lines += ["", "## Open routes", "", "Everything else asks for a sign-in or an API key.", ""]
    lines += ["| route | why |", "|---|---|"]
    lines += [f"| `{route.method} {route.path}` | {route.why} |" for route in OPEN_ROUTES]
    return "\n".join(lines) + "\n"
