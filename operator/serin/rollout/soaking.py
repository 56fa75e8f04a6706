"""When a soak is over: after its time, or with `early` as soon as the evidence is overwhelming.

A pass costs no more error probability before the soak than after it: the tests may be looked at at any time. A soak is
for what no count shows yet. A stage that says `early` gives that up where the odds for every required gate are
1/beta squared: with beta 5 % four hundred to one, in the logarithm 6.0 where a pass needs 3.0.
"""

from __future__ import annotations

import math

from serin.rollout.evidence import with_soak
from serin.rollout.plan import Canary, Plan
from serin.rollout.state import Attempt


def soaked(attempt: Attempt, plan: Plan) -> bool:
    """Whether the running stage asks for no more time."""
    stage = plan.stages[attempt.stage]
    return attempt.soaked_seconds >= stage.soak_seconds or _overwhelming(attempt, plan)


def ended_early(attempt: Attempt) -> Attempt:
    """The attempt whose gates may latch their pass from now on, where its stage's soak ends early."""
    if attempt.stage < 0 or not _overwhelming(attempt, attempt.plan):
        return attempt
    return with_soak(attempt, 0.0)


def _overwhelming(attempt: Attempt, plan: Plan) -> bool:
    stage = plan.stages[attempt.stage]
    if not isinstance(stage, Canary) or not stage.early or not attempt.effect_since:
        return False
    deciding = plan.required() & plan.judged(attempt.stage)
    needed = -2.0 * math.log(plan.beta)
    tests = [gate.test for gate in attempt.gates if gate.name in deciding]
    return bool(tests) and all(test is not None and test.evidence.log_e_pass >= needed for test in tests)
