"""What the default rules decide on simulated traffic, and after how many requests. Prints; asserts nothing.

PYTHONPATH=operator python -m tests.bench.stats.bench_decisions [runs]

50 requests/s, margin 1 point, tolerance 0.25 points, alpha 1 %, beta 5 %, over-dispersion 1.25, soak 60 s; weight 10,
from 60 or 120 s on 30, a minute later 50.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from serin.stats import Counts, RateSettings
from tests.unit.stats.simulation import Traffic, simulate

SETTINGS = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60)
EARLY = ((60.0, 0.3), (120.0, 0.5))
LATE = ((120.0, 0.3), (180.0, 0.5))
HALF = ((0.0, 0.5),)
CASES = (
    # stable, candidate, history, interval, steps, looks
    ("weight 10 for 60 s", 0.0, 0.03, 300, 5.0, EARLY, 60),
    ("weight 10 for 60 s", 0.0, 0.03, 3000, 5.0, EARLY, 60),
    ("weight 10 for 60 s", 0.0, 0.03, 3000, 15.0, EARLY, 30),
    ("weight 10 for 120 s", 0.0, 0.03, 3000, 5.0, LATE, 60),
    ("weight 10 for 120 s", 0.0, 0.03, 3000, 15.0, LATE, 30),
    ("weight 10 for 60 s", 0.0, 0.0, 300, 5.0, EARLY, 60),
    ("weight 10 for 60 s", 0.0, 0.0, 3000, 15.0, EARLY, 60),
    ("weight 10 for 60 s", 0.01, 0.01, 3000, 15.0, EARLY, 120),
    ("weight 50", 0.01, 0.01, 3000, 5.0, HALF, 360),
    ("weight 50", 0.01, 0.02, 3000, 5.0, HALF, 360),
)


def spread(values: NDArray[np.float64]) -> str:
    """Return median, 95 % and 99 % points."""
    return " ".join(f"{value:6.0f}" for value in np.percentile(values, [50, 95, 99])) if len(values) else " " * 20


def main(runs: int = 400) -> None:
    """Print one line for each case."""
    print("stable  candidate  history  look  weights             verdict    seconds 50/95/99 %  bad 50/95/99 %   < 12")
    for name, p0, p1, history, interval, steps, looks in CASES:
        traffic = Traffic(p0, p1, 0.1, interval=interval, steps=steps)
        outcomes = simulate(SETTINGS, Counts(history), traffic, runs=runs, looks=looks, seed=3)
        for verdict, word in ((-1, "fail"), (1, "pass")):
            found = outcomes.verdict == verdict
            if found.any():
                few = f"{(outcomes.bad[found] < 12).mean():7.1%}" if verdict < 0 else ""
                print(
                    f"{p0:6.1%} {p1:10.1%} {history:8d} {interval:4.0f} s  {name:20s}{word} {found.mean():6.1%}"
                    f" {spread(outcomes.seconds[found])}   {spread(outcomes.bad[found])} {few}"
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
