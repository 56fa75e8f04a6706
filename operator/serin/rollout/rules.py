"""What to do with a running comparison: one ordered list of rules, and the first that speaks decides.

The order IS the precedence of verdicts. What ends the trial stands before what only holds it, so that no hold ever
hides a failure; and the facts that leave no choice stand before the reasons to go on waiting:

    1  the candidate's pods fail by themselves        roll back, whatever the counts say
    2  its requests hang                              roll back: hung requests are never counted
    3  the gates' evidence says fail                  roll back
    4  stable has no ready endpoint                   the policy's onStableDown
    5  the deadline is over                           the policy's onTimeout
    6  both arms' pods fail alike                     hold
    7  the candidate cannot answer                    hold
    8  the route cannot carry the weight              hold; its owner has to act
    9  something cannot be measured                   hold; missing data is never a verdict
   10  paused                                         hold; only advances stop, never what stands above
   11  the traffic is too low to end before the deadline, and no weight has moved yet    hold
   12  pods for the next step are not there           hold
   13  the soak, the counts or a proof are not there  wait
   14  what the next stage judges fails already       roll back, rather than show it to more users first
   15  nothing is in the way                          advance

Beside the list and whatever it says, a candidate that cannot answer gets weight 0 in the same pass
(`Look.shielded`). It gets its stage's weight back when it can, but not while rules 4 to 10 hold: nobody gets more
traffic on a look that does not know enough, or that somebody has paused.

A rule that has nothing to say returns None. Rules are pure; each gets the same Look.
"""

from __future__ import annotations

from collections.abc import Callable

from serin.rollout.holds import (
    capacity,
    missing_data,
    paused,
    shared_incident,
    too_little_traffic,
    unfit_route,
    unready_candidate,
)
from serin.rollout.look import Look
from serin.rollout.progress import unfinished
from serin.rollout.rulings import Advance, Ruling
from serin.rollout.verdicts import (
    deadline,
    failing_ahead,
    failing_gates,
    failing_pods,
    hanging_candidate,
    stable_down,
)

__all__ = ["RULES", "advance", "rule"]


def advance(look: Look) -> Ruling:
    """Nothing stands in the way."""
    following = look.next_stage
    return Advance("promote" if following is None else f"stage {following.name} at {following.weight} %")


RULES: tuple[Callable[[Look], Ruling | None], ...] = (
    failing_pods,
    hanging_candidate,
    failing_gates,
    stable_down,
    deadline,
    shared_incident,
    unready_candidate,
    unfit_route,
    missing_data,
    paused,
    too_little_traffic,
    capacity,
    unfinished,
    failing_ahead,
    advance,
)


def rule(look: Look) -> Ruling:
    """The first ruling in the order of precedence."""
    for one in RULES:
        ruling = one(look)
        if ruling is not None:
            return ruling
    raise AssertionError("the last rule always speaks")
