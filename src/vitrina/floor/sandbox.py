"""A sandbox: the k-anonymous views as Parquet files, with a notebook to begin from.

Views and not rows: a copy on somebody's laptop outlives every retention rule, so it must hold nobody's path.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from vitrina.errors import StorageError
from vitrina.floor.measures.views import VIEWS, View

NOTEBOOK = "start.ipynb"


def is_sandbox(target: Path) -> bool:
    """Whether a folder was made by `write_sandbox`, and not by somebody for something else."""
    return (target / NOTEBOOK).is_file() and (target / "data").is_dir()


def write_sandbox(target: Path, found: Mapping[str, pa.Table], *, first: date, last: date, k: int) -> None:
    """The whole folder or, when we are killed, nothing of it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as draft:
            _fill(Path(draft) / "new", found, first=first, last=last, k=k)
            if target.exists():
                target.rename(Path(draft) / "old")
            (Path(draft) / "new").rename(target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror}. Choose another --folder.") from error


def _fill(folder: Path, found: Mapping[str, pa.Table], *, first: date, last: date, k: int) -> None:
    (folder / "data").mkdir(parents=True)
    for name, rows in found.items():
        file = folder / "data" / f"{name}.parquet"
        pyarrow.parquet.write_table(rows, file, compression="zstd")
        file.chmod(0o444)
    simulated = any(
        any(rows.column("simulated").to_pylist()) for rows in found.values() if "simulated" in rows.schema.names
    )
    (folder / "README.md").write_text(_readme(first, last, k=k, simulated=simulated), encoding="utf-8")
    (folder / NOTEBOOK).write_text(json.dumps(notebook(simulated=simulated), indent=1), encoding="utf-8")


def _readme(first: date, last: date, *, k: int, simulated: bool) -> str:
    lines = [
        "# What is in this folder",
        "",
        f"Views of Vitrina's lake from {first} to {last}, made on {date.today()}.",
        f"People are counted by shop, day and place; numbers about fewer than {k} people are left empty.",
        *(["", "**Simulated data**: rows with `simulated = true` were made by the simulator."] if simulated else []),
        "",
        "    pip install duckdb jupyterlab",
        "    jupyter lab start.ipynb",
        "",
    ]
    return "\n".join(lines + [line for view in VIEWS.values() for line in _described(view)])


def _described(view: View) -> list[str]:
    rows = [f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in view.columns]
    return [
        f"## data/{view.name}.parquet",
        "",
        view.comment,
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *rows,
        "",
    ]


def notebook(*, simulated: bool) -> dict[str, Any]:
    """A Jupyter notebook (nbformat 4.5) whose cells run as they stand, with DuckDB alone."""
    label = "\n\n**Simulated data.** These people never were." if simulated else ""
    cells = [
        _text(
            "start",
            f"# A first look{label}\n\nEvery file in `data` is a table. `README.md` says what its columns mean.",
        ),
        _code(
            "tables",
            "from pathlib import Path\n\nimport duckdb\n\nlake = duckdb.connect()\n"
            'for file in sorted(Path("data").glob("*.parquet")):\n'
            "    lake.execute(f\"CREATE VIEW {file.stem} AS SELECT * FROM '{file}'\")\n"
            'lake.sql("SHOW TABLES").show()',
        ),
        _text("weekdays", "## Footfall by week day\n\nThe mean of the days that were counted, and how many those are."),
        _code(
            "footfall",
            'lake.sql("""\n    SELECT shop_id, dayname(business_day) AS week_day, round(avg(entries)) AS footfall,\n'
            "           count(entries) AS days\n    FROM days\n"
            "    GROUP BY shop_id, week_day, dayofweek(business_day)\n"
            '    ORDER BY shop_id, dayofweek(business_day)\n""").show()',
        ),
        _text(
            "stopping",
            "## Where people stop\n\nThe share of a zone's visitors who stayed, with the number it stands on.",
        ),
        _code(
            "stopped",
            'lake.sql("""\n    SELECT shop_id, name, sum(visitors) AS visitors,\n'
            "           round(sum(stopped) / sum(visitors), 3) AS stopped\n"
            "    FROM zones JOIN zones_now USING (shop_id, zone_id)\n    WHERE kind IN ('section', 'promo')\n"
            '    GROUP BY shop_id, name\n    ORDER BY stopped DESC\n""").show()',
        ),
        _text(
            "gaps", "## Before you compare days\n\nA day that was watched for half of its hours has half of its people."
        ),
        _code(
            "watched",
            'lake.sql("""\n    SELECT shop_id, camera_id, min(watched_s) / 3600 AS least_hours,\n'
            "           median(watched_s) / 3600 AS usual_hours\n    FROM watched\n    GROUP BY ALL\n"
            '    ORDER BY ALL\n""").show()',
        ),
    ]
    language = {"name": "python", "version": f"{sys.version_info.major}.{sys.version_info.minor}"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "cells": cells,
    }


def _text(name: str, source: str) -> dict[str, Any]:
    return {"id": name, "cell_type": "markdown", "metadata": {}, "source": source}


def _code(name: str, source: str) -> dict[str, Any]:
    return {"id": name, "cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
