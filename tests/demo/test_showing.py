"""What the demo prints and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.demo import report
from tests.demo.report import Rollout
from tests.demo.stage import Shares, Stage, ended, promoted, settled
from tests.demo.story import STEPS
from tests.demo.timeline import Timeline, gate_line

Json = dict[str, Any]


def rollout(version: str = "3", outcome: str = "rolled-back", wanted: str = "rolled-back", **more: Any) -> Rollout:
    fields: Json = {
        "reason": "GateFailed",
        "message": "",
        "seconds_to_verdict": 20.0,
        "seconds_total": 30.0,
        "requests": 1000,
        "failures": 8,
        "excess_failures": 8.0,
        "candidate_requests": 200,
        "candidate_failures": 8,
        "slow": 0,
        **more,
    }
    return Rollout(version=version, outcome=outcome, wanted=wanted, **fields)


@pytest.mark.parametrize(
    ("rollouts", "more", "ok"),
    [
        pytest.param([rollout()], {}, True, id="as wanted"),
        pytest.param([rollout(), rollout(outcome="promoted")], {}, False, id="one is wrong"),
        pytest.param([], {}, False, id="nothing was shown"),
        pytest.param([rollout()], {"error": "the operator ended"}, False, id="an error on the way"),
    ],
)
def test_the_report_is_ok_only_when_every_outcome_is(
    tmp_path: Path, rollouts: list[Rollout], more: Json, ok: bool
) -> None:
    """A run that came to nothing is no success."""
    report.write(tmp_path / "build" / "report.json", rollouts, **more)
    written = json.loads((tmp_path / "build" / "report.json").read_text())
    assert written["ok"] is ok
    assert [entry["version"] for entry in written["rollouts"]] == [entry.version for entry in rollouts]


def test_the_table_points_at_what_is_wrong() -> None:
    """One row for each rollout, aligned, and the wrong one says what was wanted."""
    lines = report.table([rollout(), rollout("2", outcome="rolled-back", wanted="promoted")]).splitlines()
    assert len(lines) == 4
    assert "WRONG, wanted promoted" in lines[3]
    assert "WRONG" not in lines[2]


def test_several_runs_come_to_one_line() -> None:
    """Median, p90 and the worst; a run without a verdict has no seconds."""
    runs = [rollout(seconds_to_verdict=float(second), candidate_failures=second) for second in range(1, 11)]
    line = report.quantiles([*runs, rollout(seconds_to_verdict=None)])
    assert "11 runs, 11 right" in line
    assert "median 5.0, p90 9.0, worst 10.0" in line
    assert "at most 10" in line


def test_every_further_run_is_another_version() -> None:
    """A rejected revision is remembered, so trying it again needs a version of its own."""
    step = STEPS[1]
    assert [step.again(run).version for run in (1, 2, 20)] == ["3", "3.2", "3.20"]


def test_the_timeline_is_silent_about_what_it_has_said() -> None:
    """A block when something happens, the numbers every five seconds, and nothing in between."""
    now = [0.0]
    lines: list[str] = []
    timeline = Timeline(lines.append, clock=lambda: now[0])

    def see(at: float, waits: str, verdict: str = "undecided", candidate: int = 10) -> int:
        now[0] = at
        before = len(lines)
        counts = {"stable": {"total": 90, "bad": 0}, "candidate": {"total": candidate, "bad": 1}}
        gate = {"name": "errors", "verdict": verdict, "difference": 0.1, "interval": [-0.01, 0.5], **counts}
        shown = {"stage": "first", "weight": 10, "reason": "RollingOut", "waitingFor": waits, "gates": [gate]}
        timeline.see({"status": {"candidate": {"version": "3"}, "rollout": shown}})
        return len(lines) - before

    assert see(0, "8 s more") == 2
    assert see(2, "6 s more", candidate=15) == 0
    assert see(5, "3 s more", candidate=20) == 2
    assert see(6, "2 s more", "fail") == 2
    assert "0:06  v3  first 10 %" in lines[-2]
    assert "candidate 1 of 20 (5.0 %)" in lines[3]
    assert "+10.0 pp [-1.0, +50.0]" in lines[-1]
    assert lines[-1].endswith("fail")


def test_a_gate_without_numbers_shows_its_message() -> None:
    """Hard gates count nothing."""
    assert gate_line({"name": "pods", "verdict": "undecided", "message": "0 restarts"}).endswith(
        "undecided   0 restarts"
    )


def test_reading_a_status() -> None:
    """Ended, promoted and settled are read as a user would read them."""
    trial: Json = {
        "metadata": {"generation": 2},
        "status": {"candidate": {"version": "3"}, "rollout": {"stage": "first"}},
    }
    outcome = {"version": "3", "kind": "RolledBack"}
    over: Json = {"metadata": {"generation": 2}, "status": {"stable": {"version": "2"}, "outcome": outcome}}
    assert (ended(trial, "3"), settled(trial)) == (None, False)
    assert (ended(over, "3"), ended(over, "4"), settled(over)) == ("RolledBack", None, True)
    old = {"type": "Promoted", "status": "True", "observedGeneration": 1}
    stale: Json = {"metadata": {"generation": 2}, "status": {"stable": {"version": "2"}, "conditions": [old]}}
    assert not promoted(stale, "2"), "a condition about an older spec says nothing about this one"
    assert promoted({**stale, "metadata": {"generation": 1}}, "2")


def test_when_a_slots_weight_became_zero(tmp_path: Path) -> None:
    """The last time that it went to 0, and none while it has weight."""
    stage = Stage(cluster=None, folder=tmp_path)  # type: ignore[arg-type]  # only its history is asked
    stage.shares = [Shares(1, 100, 0), Shares(2, 90, 10), Shares(3, 70, 30)]
    assert stage.zero_since("b", after=1.5) is None
    stage.shares.append(Shares(4, 100, 0))
    assert stage.zero_since("b", after=1.5) == 4
    assert stage.zero_since("a", after=1.5) is None
