"""Judged on data before the first request: what is asked, what came back, and what it means for the candidate.

    pods ready -> asked (a Job runs) -> pass                  the next validation, then the first stage
                                     -> fail                  roll back; nobody has seen the candidate
                                     -> nothing to judge      hold; asked again after `retry` when that may help

An answer is stored with the attempt as soon as it is seen, so it counts once, whatever becomes of the Job. A Job that
is gone without an answer is made again under the same name. Pure: Jobs are facts of the observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, assert_never

from serin.api.reasons import Reason
from serin.rollout.answer import read_answer
from serin.rollout.instants import stamp
from serin.rollout.plan import Plan, Validation
from serin.rollout.state import STEPS_MAX, Attempt, Kind, Placed, Step, Validated
from serin.workloads.jobs import Ended, JobState, Running, question_name

LAST_WORDS_SECONDS_MAX: Final = 60.0
"""How long a pod's last words are waited for after its Job is over. Seconds were seen on a busy machine; the pods of a
Job that ran out of time are deleted, and say nothing."""

Json = Mapping[str, Any]


def open_validation(attempt: Attempt) -> Validation | None:
    """The validation that is to be passed next; None when all are, or traffic has begun.

    A first deployment is judged by what needs no stable, until it is opened; what was stable before never again.
    """
    opened = attempt.kind is Kind.FIRST and attempt.first_traffic
    if attempt.stage >= 0 or attempt.kind is Kind.GO_BACK or opened:
        return None
    passed = {(one.name, one.digest) for one in attempt.validated if one.verdict == "pass"}
    asked = [one for one in attempt.plan.validations if one.absolute or attempt.kind is Kind.COMPARED]
    return next((one for one in asked if (one.name, one.digest) not in passed), None)


def shut(attempt: Attempt) -> bool:
    """Whether a first revision has to wait for its first request, although its pods may be ready.

    It is opened once (`Attempt.first_traffic`): a policy that asks for more later takes nobody's model away. A Promote
    opens it, too, but not past a validation that has failed.
    """
    if attempt.kind is not Kind.FIRST or open_validation(attempt) is None:
        return False
    known = standing_of(attempt)
    failed = known is not None and known.verdict == "fail"
    return failed or attempt.order is None or attempt.order.action != "Promote"


def asked_again(attempt: Attempt) -> Attempt | None:
    """The attempt with its open validation asked anew, by another Job; None when there is no answer to go past."""
    known = standing_of(attempt)
    if known is None or known.verdict is None:
        return None
    return _with(attempt, Validated(known.name, known.digest, tries=known.tries + 1))


def standing_of(attempt: Attempt) -> Validated | None:
    """How far the open validation is; None before it is asked for the first time."""
    asked = open_validation(attempt)
    if asked is None:
        return None
    return next((one for one in attempt.validated if (one.name, one.digest) == (asked.name, asked.digest)), None)


def job_name(deployment: str, revision: str, attempt: int, asked: Validated) -> str:
    """The Job of a question: another attempt, policy or try is another Job."""
    return question_name(deployment, "v", [revision, attempt, asked.name, asked.digest, asked.tries])


def go_on(
    attempt: Attempt, candidate: Placed, deployment: str, jobs: Mapping[str, JobState], now: datetime, *, ready: bool
) -> Attempt:
    """The attempt with what is known by now: asked when its pods are ready, an answer taken in, asked again in time."""
    asked = open_validation(attempt)
    if asked is None:
        return attempt
    known = standing_of(attempt)
    if known is None:
        return _with(attempt, Validated(asked.name, asked.digest)) if ready else attempt
    if known.verdict is None:
        state = jobs.get(job_name(deployment, candidate.revision, attempt.number, known))
        if isinstance(state, Running) and known.message != (waits := state.waits or ""):
            return _with(attempt, replace(known, message=waits))
        if not isinstance(state, Ended) or (not _heard(state) and now.timestamp() < state.at + LAST_WORDS_SECONDS_MAX):
            return attempt
        return _told(attempt, known, state, candidate, now)
    if again_in(known, asked, now.timestamp()) == 0.0:
        return _with(attempt, Validated(asked.name, asked.digest, tries=known.tries + 1))
    return attempt


def _heard(ended: Ended) -> bool:
    """Whether all that the Job has to say is here."""
    return bool(ended.answer) or ended.heard


def again_in(known: Validated, asked: Validation, now: float) -> float | None:
    """In how many seconds it is asked again; None when that would not help."""
    if known.verdict != "undecided" or known.stalled:
        return None
    return max(0.0, known.at + asked.retry_seconds - now)


def _told(attempt: Attempt, known: Validated, ended: Ended, candidate: Placed, now: datetime) -> Attempt:
    answer = read_answer(ended, candidate.revision)
    verdict, stalled, message, report = answer.verdict, answer.stalled, answer.message, answer.report
    if not ended.answer and known.message:
        message = f"{message}; its pod could not start: {known.message}"
    told = replace(known, verdict=verdict, stalled=stalled, message=message, at=now.timestamp(), report=report)
    match verdict:
        case "pass":
            reason = Reason.ROLLING_OUT
        case "fail":
            reason = Reason.VALIDATION_FAILED
        case "undecided":
            reason = Reason.VALIDATION_BLOCKED if stalled else Reason.VALIDATION_UNDECIDED
        case _:
            assert_never(verdict)
    words = f"{verdict}: {message}"
    step = Step(attempt.instant, stamp(now), known.name, 0, "validate", reason, words, report=report)
    step = replace(step, measured=answer.measured)
    return replace(_with(attempt, told), steps=(*attempt.steps, step)[-STEPS_MAX:])


def _with(attempt: Attempt, one: Validated) -> Attempt:
    others = tuple(known for known in attempt.validated if known.name != one.name)
    return replace(attempt, validated=(*others, one))


def kept(attempt: Attempt, plan: Plan) -> tuple[Validated, ...]:
    """What still counts by another policy: answers to the same questions."""
    asked = {(one.name, one.digest) for one in plan.validations}
    return tuple(one for one in attempt.validated if (one.name, one.digest) in asked)
