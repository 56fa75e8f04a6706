"""What to do with a running comparison: one ordered list of rules, and the first that speaks decides.

The order IS the precedence of verdicts. What ends the trial stands before what only holds it, so that no hold ever
hides a failure; and the facts that leave no choice stand before the reasons to go on waiting:

    1  the candidate's files are refused, or its
       pods fail by themselves                        roll back, whatever the counts say
    2  its requests hang                              roll back: hung requests are never counted
    3  the gates' evidence says fail                  roll back
    4  data said no, before the first request         roll back
    5  a person has said Abort or Rollback            roll back; a failure above is the better reason, and on record
    6  a person has said Promote                      take all traffic when its pods are ready; not when any gate failed
    7  stable has no ready endpoint                   the policy's onStableDown
    8  the deadline is over                           the policy's onTimeout
    9  an approval is not there in time               the policy's onTimeout
   10  both arms' pods fail alike                     hold
   11  the candidate cannot answer, or its files
       cannot be fetched                              hold
   12  the route cannot carry the weight              hold; its owner has to act
   13  a validation has not passed, though the pods
       that it asks are there                         hold; no request before it has, so counts are not missed yet
   14  something cannot be measured                   hold; missing data is never a verdict
   15  paused                                         hold; only advances stop, never what stands above
   16  the traffic is too low to end before the deadline, and no weight has moved yet    hold
   17  the stage waits for an approval                hold
   18  pods for the next step are not there           hold
   19  the soak, the counts or a proof are not there  wait
   20  a ramp's next weight could do too much harm    wait
   21  what the next stage judges fails already       roll back, rather than show it to more users first
   22  outside the policy's windows, or in a freeze   hold; only the step itself waits, the soak did not
   23  nothing is in the way                          advance

A Promote goes past 7 to 10, 13, 14, 16, 17 and 19 to 22: it is what people break the glass for. Pods, the route and a
pause still hold it.

Beside the list and whatever it says, a candidate that cannot answer gets weight 0 in the same pass
(`Look.shielded`). It gets its stage's weight back when it can, but not while rules 7 to 15 hold: nobody gets more
traffic on a look that does not know enough, or that somebody has paused.

A rule that has nothing to say returns None. Rules are pure; each gets the same Look.
"""

from __future__ import annotations

from collections.abc import Callable

from serin.rollout.holds import (
    awaiting_approval,
    capacity,
    missing_data,
    outside_window,
    paused,
    shared_incident,
    too_little_traffic,
    unfit_route,
    unready_candidate,
    validating,
)
from serin.rollout.look import Look
from serin.rollout.progress import unfinished
from serin.rollout.ramp import harm_budget
from serin.rollout.rulings import Advance, Ruling
from serin.rollout.verdicts import (
    approval_expired,
    deadline,
    ended_by_hand,
    failing_ahead,
    failing_gates,
    failing_pods,
    failing_validation,
    hanging_candidate,
    promoted_by_hand,
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
    failing_validation,
    ended_by_hand,
    promoted_by_hand,
    stable_down,
    deadline,
    approval_expired,
    shared_incident,
    unready_candidate,
    unfit_route,
    validating,
    missing_data,
    paused,
    too_little_traffic,
    awaiting_approval,
    capacity,
    unfinished,
    harm_budget,
    failing_ahead,
    outside_window,
    advance,
)


def rule(look: Look) -> Ruling:
    """The first ruling in the order of precedence."""
    for one in RULES:
        ruling = one(look)
        if ruling is not None:
            return ruling
    raise AssertionError("the last rule always speaks")
