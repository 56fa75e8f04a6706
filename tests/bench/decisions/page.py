"""The page docs/benchmarks/decisions.md: the tables with what one must know to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.decisions import ramped, report, rules
from tests.bench.decisions.report import Outcomes

__all__ = ["Found", "text", "worst_text"]

_HEAD = """# Which rule errs how often

Written by `make bench-decisions`; do not edit. {scenarios} scenarios, {runs} simulated rollouts of each, the same
traffic for every rule: 1, 10, 100 and 1,000 requests/s; the candidate's share 1, 5, 20 and 50 %; stable fails 0.1, 0.5,
1, 5, 10 or 20 % of requests; the candidate is equal, worse by half of the margin, fails twice or five times as often,
or half of all. The margin is 0.2 points + 25 % of stable's rate, 2 points at most. A **false rollback** is one of an
equal candidate; a **missed regression** is the promotion of one that is worse by the margin or more. What is worse by
less may go either way.

**Excess errors** are the failures that stable would not have had, per 1M requests of the day that begins with the
rollout: at the candidate's share until the verdict, at the whole traffic after a promotion, none after a rollback.

In brackets are 95 % confidence intervals for the simulation's own error. `tests/bench/decisions/peers.py` and
`kayenta.py` say how the other tools are modelled: at the settings of their own documentation, which for thresholds is
99 % success whatever stable does. Nobody has to use them so; but a threshold that suits a model at 0.5 % does not suit
one at 5 %.
"""

_GENTLE = """## Where thresholds are at their best

Stable fails 0.1 or 0.5 % of requests, and there are 5 requests/s or more. A rollout without the verdict counts as one
that takes for ever.
"""

_WORST = """## The worst scenarios, again: {kind}

The scenarios in which Serin erred most, with {runs} rollouts of fresh traffic: at most {rate:.4f}; the largest 99.9 %
lower bound is {bound:.5f}.
"""

_HEAD_WORST = """# Where Serin errs most

Written by `python -m tests.bench.decisions --confirm`; do not edit. Serin alone on the scenarios of
[Which rule errs how often](decisions.md) in which one verdict is wrong, {runs} simulated rollouts of each; then those
in which it erred most often once more, on fresh traffic, because the worst of many are partly the unlucky ones.

"""

_RAMPED = """## When the weight is chosen by the harm that is left

A canary stage with `excessFailures`: 1, 5, 20 and 50 %, each step when a bad candidate could be expected to cost there
no more than {million:g} failures per 1M requests of a day, at least {least:g}, beyond what 1 % would cost. The
scenarios are the 120 that are left when the share is not given; {runs:,} rollouts of each.
"""

_STORIES = """## Traffic that is not calm

The share of rollouts with the right verdict, with its 95 % confidence interval, for 50 requests/s, a share of 10 % and
a stable that fails 0.5 %; {runs:,} rollouts of each. Serin goes on through a bake of half an hour with 95 % of the
traffic on the candidate, as the operator does; its verdict is taken back if the candidate breaks by then. `hold` is
right where nothing can be known. What breaks after everybody has promoted it, nobody takes back.
"""

_EDGES = """## The bounds, at their edge

Candidates worse by exactly the tolerance, and by exactly the margin, looked at all day and never stopped: how often
they ever fail, and ever pass. {runs:,} rollouts of each. Over-dispersion is measured between stable's three pods for
the last two rows, else assumed as 1.25.
"""

_PLOTS = """## Plots

![False rollbacks](false-rollback.svg)

![Missed regressions](missed-regression.svg)

![Excess errors](excess-errors.svg)

![Time to roll back](time-to-roll-back.svg)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was simulated.

    worst: by kind of error, the worst scenarios again and the verdict that is wrong there.
    ramped: the rollouts whose weight follows the harm; stories, edges: their tables.
    """

    outcomes: Outcomes
    runs: int
    worst: Mapping[str, tuple[Outcomes, int]]
    ramped: Outcomes
    stories: str
    edges: str
    runs_few: int
    runs_edges: int


def worst_text(worst: Mapping[str, tuple[Outcomes, int]], runs: int, again: int) -> str:
    """The page of `--confirm`: the worst scenarios alone. runs: to find them; again: to confirm them."""
    return _HEAD_WORST.format(runs=f"{runs:,}") + _worst(worst, again)


def _worst(worst: Mapping[str, tuple[Outcomes, int]], runs: int) -> str:
    parts = []
    for kind, (again, verdict) in worst.items():
        table, rate, bound = report.again(again, verdict)
        parts += [_WORST.format(runs=f"{runs:,}", kind=kind, rate=rate, bound=bound), table + "\n"]
    return "\n".join(parts)


def text(found: Found) -> str:
    """The whole page."""
    outcomes, runs = found.outcomes, found.runs
    parts = [
        _HEAD.format(scenarios=len(outcomes), runs=f"{runs:,}"),
        report.rules(outcomes, rules.NAMES) + "\n",
        _GENTLE,
        report.gentle(outcomes, rules.NAMES) + "\n",
    ]
    if found.worst:
        parts.append(_worst(found.worst, 10 * runs))
    few = found.runs_few
    parts += [
        _RAMPED.format(million=ramped.BUDGET_PER_MILLION, least=ramped.BUDGET_LEAST, runs=few),
        report.rules(found.ramped, [ramped.NAME]) + "\n",
    ]
    parts += [report.gentle(found.ramped, [ramped.NAME]) + "\n"]
    parts += [
        _STORIES.format(runs=runs),
        found.stories + "\n",
        _EDGES.format(runs=found.runs_edges),
        found.edges + "\n",
    ]
    return "\n".join([*parts, _PLOTS])
