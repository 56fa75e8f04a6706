"""What an act of a person is about, by what the status says now.

             what the status says                            acts upon
    approve  a candidate at an approval stage                the candidate, and that stage by its name
    abort    a candidate                                     the candidate
    promote  a candidate                                     the candidate
    rollback a candidate                                     the candidate
             none, and what the spec asks for is stable      the stable revision
    retry    none, and an attempt failed or was taken back   the revision of that attempt
             a first revision that a stage has refused       the candidate; the stage is asked again

The operator decides whether an act is done, by what is there when it looks. Here only that is refused which the status
shows to be about nothing, so that no object is made for it. An act always names its revision, and an approval its
stage: what has changed since is not hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from serin.plugin.acts import Aim
from serin.plugin.objects import Deployment, Placed, Rollout

if TYPE_CHECKING:  # see serin.plugin.acts
    from serin.api.rollout_action import ActionKind

_FAILED = frozenset({"RolledBack", "Aborted", "Expired", "Refused"})
"""Ends of an attempt after which the revision is not tried again by itself."""


class NothingToDo(ValueError):
    """The act is about nothing that there is; the text says what there is, `remedy` what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        """Say both."""
        super().__init__(message)
        self.remedy = remedy


def named(md: Deployment, word: str) -> str | None:
    """The revision that a word means, when the status alone says it; else it has to be looked up among all."""
    for role, placed in (("stable", md.stable), ("candidate", md.candidate)):
        if placed is not None and word in {role, placed.revision}:
            return placed.revision
    return None


def aim(md: Deployment, action: ActionKind, revision: str | None = None, stage: str | None = None) -> Aim:
    """What an act is about, by what the status says now.

    revision: a name that somebody insists on. stage: the same, of an approval.

    Raises:
        NothingToDo: there is nothing of the sort, or something else.
    """
    if md.deleting:
        raise NothingToDo(f"{md.key} is being deleted")
    match action:
        case "Approve":
            candidate, rollout = _on_trial(md, action, revision)
            waits = _awaiting(md, rollout)
            if stage is not None and stage != waits:
                raise NothingToDo(f"stage {stage} does not wait for an approval; stage {waits} does", _look(md))
            return _aim(md, action, candidate, _trial(rollout), waits)
        case "Abort" | "Promote":
            candidate, rollout = _on_trial(md, action, revision)
            return _aim(md, action, candidate, _trial(rollout))
        case "Rollback":
            return _rollback(md, revision)
        case "Retry":
            return _retry(md, revision)
        case _:
            assert_never(action)


def _on_trial(md: Deployment, action: ActionKind, revision: str | None) -> tuple[Placed, Rollout]:
    candidate, rollout = md.candidate, md.rollout
    if candidate is None or rollout is None:
        raise NothingToDo(f"there is no candidate to {action.lower()}: {_at_rest(md)}", _look(md))
    if revision not in {None, candidate.revision}:
        raise NothingToDo(f"{revision} is not on trial; {candidate.revision} is", _look(md))
    return candidate, rollout


def _awaiting(md: Deployment, rollout: Rollout) -> str:
    """The stage that waits for people."""
    index = rollout.stage_index
    if rollout.kind in {"First", "GoBack"}:
        raise NothingToDo("there is nothing to approve: this rollout takes everything in one step, when pods are ready")
    if not rollout.stages and rollout.reason == "AwaitingApproval" and rollout.stage is not None:
        return rollout.stage  # stored by an operator of another version
    if index is not None and 0 <= index < len(rollout.stages) and rollout.stages[index].kind == "approval":
        return rollout.stages[index].name
    approvals = [number for number, one in enumerate(rollout.stages) if one.kind == "approval"]
    coming = next((number for number in approvals if index is None or number > index), None)
    now = f"there is nothing to approve: the rollout is at stage {rollout.stage}"
    if coming is not None:
        name = rollout.stages[coming].name
        raise NothingToDo(f"{now}; stage {name}, which waits for an approval, comes later", _look(md))
    more = " any more" if approvals else ""
    raise NothingToDo(f"{now}; no stage waits for an approval{more}", _look(md))


def _rollback(md: Deployment, revision: str | None) -> Aim:
    if md.candidate is not None and md.rollout is not None:
        candidate, rollout = _on_trial(md, "Rollback", revision)
        return _aim(md, "Rollback", candidate, _trial(rollout))
    stable = md.stable
    if stable is None:
        raise NothingToDo(f"there is nothing to roll back: {_at_rest(md)}", _look(md))
    if revision not in {None, stable.revision}:
        raise NothingToDo(f"{revision} is neither on trial nor stable; {stable.revision} is stable", _look(md))
    if revision is None and not _serves(md):
        # Somebody who wants to take back a candidate that was rolled back a moment ago must not take stable away.
        words = f"there is no candidate to roll back: {_at_rest(md)}"
        raise NothingToDo(words, "to go back behind the stable revision as well, say --revision stable")
    return _aim(md, "Rollback", stable, "stable; the one that was stable before is to take over")


def _retry(md: Deployment, revision: str | None) -> Aim:
    if md.candidate is not None and md.rollout is not None and md.rollout.kind == "First":
        answered = next((one.name for one in md.rollout.checks if one.verdict in {"fail", "undecided"}), None)
        if answered is not None and revision in {None, md.candidate.revision}:
            return _aim(md, "Retry", md.candidate, f"whose stage {answered} is asked again")
    if md.candidate is not None:
        raise NothingToDo(f"there is nothing to retry: {md.candidate.revision} is on trial", _look(md))
    ended = md.outcome
    if md.instead_of is not None and revision in {None, md.instead_of}:
        return _aim(
            md,
            "Retry",
            Placed(md.instead_of, md.version if md.observed else None, None),
            "which was rolled back by hand",
        )
    if ended is not None and ended.kind in _FAILED and revision in {None, ended.revision} and not _serves(md):
        why = f" ({ended.reason})" if ended.reason is not None else ""
        return _aim(md, "Retry", Placed(ended.revision, ended.version, None), f"whose attempt ended {ended.kind}{why}")
    if revision is not None:
        return _aim(md, "Retry", Placed(revision, None, None), "as named")
    raise NothingToDo(f"there is nothing to retry: {_at_rest(md)}", _look(md))


def _serves(md: Deployment) -> bool:
    """Whether what the spec asks for is stable, whatever became of others before."""
    return md.observed and md.holds("Promoted")


def _aim(md: Deployment, action: ActionKind, placed: Placed, place: str, stage: str | None = None) -> Aim:
    return Aim(action, md.namespace, md.name, placed.revision, placed.version, place, stage)


def _trial(rollout: Rollout) -> str:
    weight = f" with {rollout.weight} % of the traffic" if rollout.weight is not None else ""
    return f"on trial at stage {rollout.stage}{weight}"


def _at_rest(md: Deployment) -> str:
    ended = md.outcome
    if ended is not None and ended.kind in _FAILED and not _serves(md):
        return f"{ended.revision} has ended {ended.kind}" + (f" ({ended.reason})" if ended.reason is not None else "")
    if md.stable is None:
        return "nothing was rolled out yet"
    return f"{md.stable.revision} is stable and no rollout is under way"


def _look(md: Deployment) -> str:
    return f"`kubectl serin status {md.name} -n {md.namespace}` shows where it stands"
