"""Which rule errs how often, on 480 simulated rollouts: prints the tables and writes docs/benchmarks/decisions.md.

python -m tests.bench.decisions [--quick] [--processes 2] [--runs 1000] [--no-write]

--quick takes every fifth scenario and 100 runs: about a minute, and nothing is written.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

from tests.bench.decisions import page, report, rules
from tests.bench.decisions.report import Outcomes
from tests.bench.decisions.scenarios import Scenario, grid

SEED = 2026
DOCS = Path(__file__).parents[3] / "docs" / "benchmarks"


def _one(task: tuple[Scenario, tuple[int, ...], int, tuple[str, ...]]) -> dict[str, rules.Result]:
    return rules.run(*task)


def simulate(
    scenarios: Sequence[Scenario], seed: int, runs: int, processes: int, names: tuple[str, ...] = rules.NAMES
) -> Outcomes:
    """Simulate every scenario; each has a seed of its own, so the figures do not depend on the processes."""
    tasks = [(scenario, (SEED, seed, i), runs, names) for i, scenario in enumerate(scenarios)]
    if processes == 1:
        return list(zip(scenarios, map(_one, tasks), strict=True))
    with Pool(processes) as pool:
        return list(zip(scenarios, pool.map(_one, tasks, chunksize=4), strict=True))


def main() -> None:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decisions")
    parser.add_argument("--quick", action="store_true", help="every fifth scenario, 100 runs, nothing written")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1000, help="rollouts of each scenario")
    parser.add_argument("--no-write", action="store_true", help="print only")
    given = parser.parse_args()
    begin = time.monotonic()
    step, runs = (7, 100) if given.quick else (1, given.runs)
    outcomes = simulate(grid()[::step], 1, runs, given.processes)
    worst = {}
    if not given.quick:
        # Fresh traffic: the worst of many are partly the unlucky ones.
        for word, truth, verdict, count in (
            ("false rollback", "equal", -1, 20),
            ("missed regression", "regression", 1, 5),
        ):
            chosen = report.worst(outcomes, truth, verdict, count)  # type: ignore[arg-type]
            worst[word] = (simulate(chosen, 2, 10 * runs, given.processes, (rules.SERIN,)), verdict)
    text = page.text(outcomes, worst, runs)
    print(text)
    print(f"{time.monotonic() - begin:.0f} s with {given.processes} processes")
    if not (given.quick or given.no_write):
        DOCS.mkdir(exist_ok=True)
        (DOCS / "decisions.md").write_text(text)
        for name, drawing in report.plots(outcomes, rules.NAMES).items():
            (DOCS / name).write_text(drawing)


if __name__ == "__main__":
    main()
