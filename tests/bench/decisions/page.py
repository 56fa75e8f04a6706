"""The page docs/benchmarks/decisions.md: the tables with what one must know to read them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench.decisions import report, rules
from tests.bench.decisions.report import Outcomes

__all__ = ["text"]

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

_PLOTS = """## Plots

![False rollbacks](false-rollback.svg)

![Missed regressions](missed-regression.svg)

![Excess errors](excess-errors.svg)

![Time to roll back](time-to-roll-back.svg)
"""


def text(outcomes: Outcomes, worst: Mapping[str, tuple[Outcomes, int]], runs: int) -> str:
    """The whole page."""
    parts = [
        _HEAD.format(scenarios=len(outcomes), runs=f"{runs:,}"),
        report.rules(outcomes, rules.NAMES) + "\n",
        _GENTLE,
        report.gentle(outcomes, rules.NAMES) + "\n",
    ]
    for kind, (again, verdict) in worst.items():
        table, rate, bound = report.again(again, verdict)
        parts += [_WORST.format(runs=f"{10 * runs:,}", kind=kind, rate=rate, bound=bound), table + "\n"]
    return "\n".join([*parts, _PLOTS])
