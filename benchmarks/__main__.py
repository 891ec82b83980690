"""`python -m benchmarks` lists the benchmarks; with NAME… [--json] it runs them, with `all` every one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module

from rich.console import Console
from rich.table import Table

from benchmarks.table import Report

BENCHMARKS = {
    "activity": "looking only where something moves: cost a camera frame in three kinds of hour, and HOTA on PETS",
    "bias": "every measure through the whole pipeline against simulated truth",
    "counting": "line counts over PETS09-S2L1, 50 seeded lines: true boxes with misses, public boxes, our own",
    "dashboard": "pages and API over HTTP: the demo chain, a year of one shop",
    "detector": "the person detector on PETS09-S2L1: precision, recall, milliseconds",
    "feeds": "offers a second into the catalog beside the parsers alone; 10,000 damaged feeds (half an hour)",
    "kills": "kill -9 of every process at 100 random moments, against the same shops undisturbed (10 minutes)",
    "lake": "appending, and questions before and after compaction",
    "lens_load": "fifty photos at once on the shopper's page for a minute: errors, seconds",
    "lens_scale": "many simulated feeds, their index and its questions: seconds, memory, hours for 5 million offers",
    "manyshops": "the chain's pages over several hundred shops: read for the first time, and later",
    "measures": "a day's figures from the lake: the demo chain, a year of one shop; filling the demo chain",
    "photo": "photo to product on real pictures: ours beside fewer crops, colour histogram and pHash; milliseconds",
    "same_picture": "near-duplicate pictures: copies that are found; other colours, prints, labels that are not",
    "soak": "a home left running for --hours of its scene's time at --speed: memory, files, threads (hours)",
    "streams": "twelve RTSP streams of 1080p at 5 fps through a whole `vitrina up`: frames dropped, processors used",
    "spark": "the chain's questions on DuckDB and on a Spark cluster of two workers, by size",
    "vectors": "the index beside hnswlib, usearch and lancedb: build, queries a second and recall, filter off and on",
    "tracking": "our tracker on PETS09-S2L1 beside ByteTrack and C-BIoU, and their speed with 50 people",
}
"""Name → what it measures; the module `benchmarks.NAME` has `run() -> Report`."""

LONG = ("kills", "soak")
"""Not among 'all': `make soak` runs them."""


def main(arguments: list[str]) -> int:
    """1 when a bar was missed, 2 for a name that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; 'all' for every one; none lists them")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print the reports as JSON")
    parser.add_argument("--hours", type=float, help="how long to soak, in the scene's time (default 24)")
    parser.add_argument("--minutes", type=float, help="the same in minutes as they pass here")
    parser.add_argument("--speed", type=float, default=10.0, help="how fast the soak's scene passes (default 10)")
    parser.add_argument(
        "--long",
        action="store_true",
        help="the full size of those that have a smaller one: vectors, lens_scale, lens_load",
    )
    options = parser.parse_args(arguments)
    console = Console()
    if not options.names:
        show_list(console)
        return 0
    names = [name for name in BENCHMARKS if name not in LONG] if options.names == ["all"] else options.names
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        console.print(f"No benchmark is called {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}.")
        return 2
    told: dict[str, dict[str, float]] = {"soak": {"speed": options.speed}}
    told |= {name: {"long": options.long} for name in ("vectors", "lens_scale", "lens_load")}
    if options.minutes or options.hours:
        told["soak"]["hours"] = options.hours or options.minutes * options.speed / 60
    reports = {name: run(name, console, quiet=options.as_json, told=told.get(name, {})) for name in names}
    if options.as_json:
        print(json.dumps({name: asdict(report) for name, report in reports.items()}, indent=2, default=str))
    return int(any(not ok for report in reports.values() for *_, ok in report.bars))


def run(name: str, console: Console, *, quiet: bool, told: Mapping[str, float]) -> Report:
    report: Report = import_module(f"benchmarks.{name}").run(**told)
    if not quiet:
        show(report, console)
    return report


def show(report: Report, console: Console) -> None:
    table = Table(title=report.title, title_justify="left")
    for number, column in enumerate(report.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in report.rows:
        table.add_row(*(f"{cell:.1f}" if isinstance(cell, float) and cell >= 10 else str(cell) for cell in row))
    console.print(table)
    for label, value, bound, ok in report.bars:
        console.print(f"  {'holds ' if ok else 'MISSED'}  {label}: {value:.3g}, bar {bound}", highlight=False)


def show_list(console: Console) -> None:
    for name, what in sorted(BENCHMARKS.items()):
        console.print(f"  {name:<12} {what}", highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
