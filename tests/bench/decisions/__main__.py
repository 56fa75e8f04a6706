"""Which rule errs how often, on 480 simulated scenarios: prints the tables and writes docs/benchmarks/decisions.md.

python -m tests.bench.decisions [--quick] [--confirm] [--processes 2] [--runs 500] [--no-write]

--quick takes every ninth scenario and 50 runs: about a minute, and nothing is written.
--confirm simulates Serin alone and writes docs/benchmarks/decisions-worst.md: the scenarios in which it erred most
often, again with ten times the runs on fresh traffic.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import TypeVar

from tests.bench.decisions import page, ramped, report, rules, stories
from tests.bench.decisions.report import Outcomes
from tests.bench.decisions.scenarios import Scenario, Truth, grid

SEED = 2026
CONFIRMING_RUNS = 10_000
Task = TypeVar("Task")
Found = TypeVar("Found")
DOCS = Path(__file__).parents[3] / "docs" / "benchmarks"


def _one(task: tuple[Scenario, tuple[int, ...], int, tuple[str, ...]]) -> dict[str, rules.Result]:
    return rules.run(*task)


def simulate(
    scenarios: Sequence[Scenario], seed: int, runs: int, processes: int, names: tuple[str, ...] = rules.NAMES
) -> Outcomes:
    """Simulate every scenario; each has a seed of its own, so the figures do not depend on the processes."""
    tasks = [(scenario, (SEED, seed, i), runs, names) for i, scenario in enumerate(scenarios)]
    return list(zip(scenarios, _mapped(_one, tasks, processes), strict=True))


def _mapped(function: Callable[[Task], Found], tasks: Sequence[Task], processes: int) -> list[Found]:
    if processes == 1:
        return list(map(function, tasks))
    with Pool(processes) as pool:
        return pool.map(function, tasks, chunksize=4)


def _worst_again(outcomes: Outcomes, runs: int, processes: int) -> dict[str, tuple[Outcomes, int]]:
    """The worst scenarios again, so many rollouts of each: the worst of many are partly the unlucky ones."""
    kinds: tuple[tuple[str, Truth, int, int], ...] = (
        ("false rollback", "equal", -1, 20),
        ("missed regression", "regression", 1, 5),
    )
    found = {}
    for word, truth, verdict, count in kinds:
        chosen = report.worst(outcomes, truth, verdict, count)
        found[word] = (simulate(chosen, 2, runs, processes, (rules.SERIN,)), verdict)
    return found


def _confirmed(runs: int, processes: int) -> dict[str, tuple[Outcomes, int]]:
    """Serin alone on every scenario but those in which either verdict is right, then the worst again."""
    chosen = [scenario for scenario in grid() if scenario.truth != "inside"]
    return _worst_again(simulate(chosen, 1, runs, processes, (rules.SERIN,)), CONFIRMING_RUNS, processes)


def _ramped(task: tuple[Scenario, tuple[int, ...], int]) -> dict[str, rules.Result]:
    return ramped.run(*task)


def _story(task: tuple[int, int]) -> list[str]:
    return stories.told(*task, SEED)


def _edge(task: tuple[int, int]) -> list[str]:
    return stories.edged(*task, SEED)


def main() -> None:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decisions")
    parser.add_argument("--quick", action="store_true", help="every ninth scenario, 50 runs, nothing written")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=500, help="rollouts of each scenario")
    parser.add_argument("--no-write", action="store_true", help="print only")
    parser.add_argument(
        "--confirm", action="store_true", help=f"only the worst scenarios again, {CONFIRMING_RUNS:,} rollouts of each"
    )
    given = parser.parse_args()
    begin = time.monotonic()
    if given.confirm:
        text = page.worst_text(_confirmed(given.runs, given.processes), given.runs, CONFIRMING_RUNS)
        print(text)
        print(f"{time.monotonic() - begin:.0f} s with {given.processes} processes")
        if not given.no_write:
            (DOCS / "decisions-worst.md").write_text(text)
        return
    step, runs = (9, 50) if given.quick else (1, given.runs)
    few, edge_runs = max(runs // 5, 20), runs if given.quick else 3 * runs
    outcomes = simulate(grid()[::step], 1, runs, given.processes)
    worst = {} if given.quick else _worst_again(outcomes, 10 * runs, given.processes)
    weighed = _mapped(
        _ramped, [(s, (SEED, 3, i), few) for i, s in enumerate(ramped.scenarios()[::step])], given.processes
    )
    told = _mapped(_story, [(i, runs) for i in range(len(stories.STORIES))], given.processes)
    edged = _mapped(_edge, [(i, edge_runs) for i in range(len(stories.EDGES))], given.processes)
    found = page.Found(
        outcomes=outcomes,
        runs=runs,
        worst=worst,
        ramped=list(zip(ramped.scenarios()[::step], weighed, strict=True)),
        stories=report.table(stories.HEADER, told),
        edges=report.table(stories.EDGES_HEADER, edged),
        runs_few=few,
        runs_edges=edge_runs,
    )
    text = page.text(found)
    print(text)
    print(f"{time.monotonic() - begin:.0f} s with {given.processes} processes")
    if not (given.quick or given.no_write):
        DOCS.mkdir(exist_ok=True)
        (DOCS / "decisions.md").write_text(text)
        for name, drawing in report.plots(outcomes, rules.NAMES).items():
            (DOCS / name).write_text(drawing)


if __name__ == "__main__":
    main()
