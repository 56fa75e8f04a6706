"""What each rollout came to: the table at the end, and build/demo/report.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout as its users saw it. Seconds count from the candidate's first request."""

    version: str
    outcome: str
    """"promoted", "rolled-back", or what else it ended as."""
    wanted: str
    reason: str
    message: str
    seconds_to_verdict: float | None
    """Until the candidate's weight was 0, or it was promoted."""
    seconds_total: float | None
    """Until nothing was under way any more: the loser's pods gone."""
    requests: int
    """All requests from the candidate's first one to the verdict, whoever answered."""
    failures: int
    """Of those, the ones that failed."""
    excess_failures: float
    """Failures beyond what stable's own rate of that time would have given."""
    candidate_requests: int
    candidate_failures: int
    slow: int
    """Requests above the objective, of any arm."""

    @property
    def ok(self) -> bool:
        """Whether it ended as it should."""
        return self.outcome == self.wanted


def table(rollouts: Sequence[Rollout]) -> str:
    """Return the rollouts as a table of text."""
    head = ("version", "outcome", "to verdict", "total", "requests", "failed", "excess", "slow", "reason")
    rows = [
        (
            f"v{rollout.version}",
            rollout.outcome if rollout.ok else f"{rollout.outcome} (WRONG, wanted {rollout.wanted})",
            _seconds(rollout.seconds_to_verdict),
            _seconds(rollout.seconds_total),
            str(rollout.requests),
            str(rollout.failures),
            f"{rollout.excess_failures:.1f}",
            str(rollout.slow),
            rollout.reason,
        )
        for rollout in rollouts
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(_row(row, widths) for row in [head, tuple("-" * width for width in widths), *rows])


def write(path: Path, rollouts: Iterable[Rollout], **more: Any) -> dict[str, Any]:
    """Write the report and return it; `ok` says whether every outcome is right."""
    done = list(rollouts)
    report = {
        "ok": bool(done) and all(rollout.ok for rollout in done) and not more.get("error"),
        "rollouts": [asdict(rollout) for rollout in done],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    return report


def quantiles(rollouts: Sequence[Rollout]) -> str:
    """Return one line on several runs of the same version."""
    seconds = sorted(rollout.seconds_to_verdict for rollout in rollouts if rollout.seconds_to_verdict is not None)
    failures = sorted(rollout.candidate_failures for rollout in rollouts)
    if not seconds:
        return "no run came to a verdict"
    middle, ninth = seconds[(len(seconds) - 1) // 2], seconds[max(0, -(-9 * len(seconds) // 10) - 1)]
    return (
        f"{len(rollouts)} runs, {sum(rollout.ok for rollout in rollouts)} right; seconds to verdict:"
        f" median {middle:.1f}, p90 {ninth:.1f},"
        f" worst {seconds[-1]:.1f}; failed requests of the candidate: at most {failures[-1]}"
    )


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"
