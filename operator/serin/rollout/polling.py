"""Asking again and again which files a uri means: a tag or an alias that moves becomes a new revision by itself.

    at rest, an interval after the last answer   a Job asks: `Desired.polls`
    it has ended, and says the same              the instant of the answer is stored
    it says something else                       what it found is stored; the next look wants a revision of those files
    it could not say                             so it stands in the status, and what serves goes on

Nothing is asked while a rollout runs: a tag that moves faster than a rollout takes would keep every version from its
verdict. What was found counts until the spec asks for something else, also when polling is switched off: to stop asking
is not to go back. A failed answer is no answer: a store that is away moves nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from serin.api.reasons import Reason
from serin.rollout.decision import Decision, Note, ResolveWork
from serin.rollout.instants import instant_of, stamp
from serin.rollout.observation import Observation, Target
from serin.rollout.state import Poll
from serin.workloads.fetching import Fetching
from serin.workloads.jobs import Ended
from serin.workloads.resolve import Artifact, poll_name


def asked(deployment: str, poll: Poll) -> str:
    """The name of the Job that asks next."""
    return poll_name(deployment, poll.of, poll.number + 1)


def with_poll(decision: Decision, seen: Observation, now: datetime) -> Decision:
    """The decision with what polling adds to it."""
    polling, state = seen.polling, decision.state
    if polling is None or state.attempt is not None or not isinstance(seen.wanted, Target):
        return decision
    poll = state.poll
    if poll is None or poll.of != polling.of:
        if polling.pinned is None:
            return decision  # its first question is still open
        begun = Poll(polling.of, polling.pinned, 0, stamp(now), polling.known)
        return _keep(decision, begun).looked_at_within(polling.interval_seconds)
    left = instant_of(poll.at) + polling.interval_seconds - now.timestamp()
    if left > 0:
        return decision.looked_at_within(left)
    name = asked(seen.name, poll)
    found = polling.found
    ended = isinstance(seen.jobs.get(name), Ended)
    if ended and isinstance(found, Artifact):
        return _told(decision, poll, found, now).looked_at_within(polling.interval_seconds)
    if ended and isinstance(found, Fetching) and found.state != "running":
        return _failed(decision, poll, found.message, now).looked_at_within(polling.interval_seconds)
    if seen.job_refusal is not None and name not in seen.jobs:
        decision = _unasked(decision, poll, seen.job_refusal)
    polls = (*decision.desired.polls, ResolveWork(name, seen.wanted.revision))
    return replace(decision, desired=replace(decision.desired, polls=polls))


def _unasked(decision: Decision, poll: Poll, words: str) -> Decision:
    """Nobody could be asked: the question stays open, and is tried again by itself."""
    return _trouble(_keep(decision, replace(poll, message=words)), poll, words)


def _told(decision: Decision, poll: Poll, found: Artifact, now: datetime) -> Decision:
    before = poll.artifact.digest if poll.artifact is not None else poll.pinned
    answered = replace(poll, number=poll.number + 1, at=stamp(now), artifact=found, message="")
    decision = _keep(decision, answered)
    if found.digest == before:
        return decision
    where = f" ({found.uri})" if found.uri is not None else ""
    words = f"spec.model.uri means other files now: {found.digest}{where}"
    return replace(decision, notes=(*decision.notes, Note("Normal", Reason.ROLLING_OUT, words)))


def _failed(decision: Decision, poll: Poll, words: str, now: datetime) -> Decision:
    answered = replace(poll, number=poll.number + 1, at=stamp(now), message=words)
    return _trouble(_keep(decision, answered), poll, words)


def _trouble(decision: Decision, before: Poll, words: str) -> Decision:
    if before.message:
        return decision  # told when it began
    note = Note("Warning", Reason.ARTIFACT_UNAVAILABLE, f"whether spec.model.uri has moved is not known: {words}")
    return replace(decision, notes=(*decision.notes, note))


def _keep(decision: Decision, poll: Poll) -> Decision:
    return replace(decision, state=replace(decision.state, poll=poll))
