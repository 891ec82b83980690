"""Each measure's bias: shoppers who walked, were seen badly by one camera, tracked and measured, against the truth.

Footfall has no bar here: a shopper who is in and out within a minute counts as one who turned round, by rule, and how
many of those there are is the simulator's choice, not a finding. The table shows what it costs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.table import Report
from vitrina.floor.simulate.bias import Outcome, compare
from vitrina.floor.store import FLOOR_TABLES
from vitrina.storage.lake import Lake

SEEDS = (201, 202, 203, 204)  # not those of tests, and nothing was tuned on them
MINUTES = 15.0
VISITORS, LIVE, DWELL = 0.10, 1.5, 0.15


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder), tables=FLOOR_TABLES)
        outcomes = [compare(lake, seed=seed, minutes=MINUTES) for seed in SEEDS]
    live, bare = (float(np.mean([getattr(o, name) for o in outcomes])) for name in ("live_error", "bare_error"))
    visitors, dwell = (_relative(outcomes, name) for name in ("basics/zone_visitors", "dwell_p90"))
    return Report(
        title=f"Measured against the truth: {len(SEEDS)} × {MINUTES:g} simulated minutes, one camera, 8 % misses",
        columns=["measure", "true", "measured", "bias", "bias %", "mean |error|", "runs"],
        rows=[
            *(row for name in outcomes[0].true if (row := _row(outcomes, name))),
            ["people inside, live, per minute", "", "", "", "", round(live, 2), len(SEEDS)],
            ["people inside, bare balance", "", "", "", "", round(bare, 2), len(SEEDS)],
        ],
        bars=[
            ("visitors of a section, bias", visitors, f"within ± {VISITORS:.0%}", abs(visitors) <= VISITORS),
            ("dwell p90, bias", dwell, f"within ± {DWELL:.0%}", abs(dwell) <= DWELL),
            ("people inside, live, mean |error|", live, f"≤ {LIVE}", live <= LIVE),
        ],
    )


def _pairs(outcomes: Sequence[Outcome], name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(runs, 2) true and measured, where both are known."""
    pairs = np.array([[outcome.true[name], outcome.measured[name]] for outcome in outcomes], np.float64)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _relative(outcomes: Sequence[Outcome], name: str) -> float:
    true, measured = _pairs(outcomes, name).sum(axis=0)
    return float(measured / true - 1)


def _row(outcomes: Sequence[Outcome], name: str) -> list[object]:
    pairs = _pairs(outcomes, name)
    if not len(pairs) or name in ("average_ticket",):
        return []
    true, measured = pairs.mean(axis=0)
    share = f"{(measured / true - 1) * 100:+.1f}" if true else ""
    error = float(np.abs(pairs[:, 1] - pairs[:, 0]).mean())
    return [
        name,
        round(float(true), 3),
        round(float(measured), 3),
        round(float(measured - true), 3),
        share,
        round(error, 3),
        len(pairs),
    ]
