"""RolloutActions in the cluster: which have no answer, whether their actors can be believed, and the answers.

    made     somebody's create, which the ValidatingAdmissionPolicy lets through only in their own name
    tried    is the policy in force here? asked once for each action that comes in
    decided  serin.rollout.acting; stored with the action's uid in the ModelDeployment's status
    answered last of all writes: an action without an answer whose uid is stored only gets its answer

What is answered is owned by its ModelDeployment and goes with it; of each the last ten are kept.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from serin.api.names import API_VERSION
from serin.api.parse import InvalidSpec, parse_rollout_action
from serin.api.rollout_action import ACTOR_WORDS, UNVERIFIED, Answer
from serin.controller.cache import Cache
from serin.controller.kube import ROLLOUT_ACTION, Forbidden, Invalid, Kube, NotFound
from serin.controller.memory import Key, Memory
from serin.rollout.acts import Act, Acted
from serin.rollout.instants import stamp

Json = dict[str, Any]
logger = logging.getLogger(__name__)

ANSWERED_KEPT = 10
FINAL = frozenset({"Done", "Refused", "Expired"})
NOBODY = "serin:nobody"


def unanswered(cache: Cache, key: Key) -> tuple[Json, ...]:
    """The actions about a ModelDeployment that have no answer, oldest first."""
    return tuple(raw for raw in _by_age(cache.owned(ROLLOUT_ACTION.name, *key)) if not _answered(raw))


def acts_of(actions: Sequence[Json], memory: Memory) -> tuple[Act, ...]:
    """The actions as the decision core sees them; one that cannot be read waits until somebody deletes it."""
    found: list[Act] = []
    for raw in actions:
        action = parse_rollout_action(raw)
        if isinstance(action, InvalidSpec):
            logger.warning("action not readable", extra={"object": raw["metadata"]["name"], "why": str(action)})
            continue
        metadata, spec = action.metadata, action.spec
        verified = memory.verified.get(metadata.uid, False)
        created = metadata.creation_timestamp
        found.append(
            Act(
                uid=metadata.uid,
                action=spec.action,
                revision=spec.revision,
                actor=spec.actor if verified else UNVERIFIED,
                verified=verified,
                created_at=created.timestamp() if created is not None else 0.0,
                stage=spec.stage,
                reason=spec.reason or "",
            )
        )
    return tuple(found)


class Actions:
    """Asks and answers."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        """One for the whole operator."""
        self._kube, self._cache = kube, cache

    async def verify(self, key: Key, memory: Memory) -> None:
        """Find out for new actions whether somebody else could have written their actor.

        A policy and its binding may be there and not in force (another namespace, audit only), and reading them takes
        rights to the whole cluster. So it is tried: a create in nobody's name, as a dry run, has to be refused.
        """
        waiting = {raw["metadata"]["uid"] for raw in unanswered(self._cache, key)}
        memory.verified = {uid: known for uid, known in memory.verified.items() if uid in waiting}
        new = waiting - memory.verified.keys()
        if new:
            memory.verified |= dict.fromkeys(new, await self._in_force(key))

    async def answer(self, key: Key, owner: Json, actions: Sequence[Json], acted: Sequence[Acted]) -> None:
        """Write the answers that are stored and not yet written; `owner` is the ModelDeployment."""
        answers = {one.uid: one for one in acted}
        wrote = False
        for raw in actions:
            given = answers.get(raw["metadata"]["uid"])
            if given is not None:
                await self._write(raw, owner, given)
                wrote = True
        if wrote:
            await self._prune(key)

    async def refuse_orphans(self, key: Key) -> None:
        """There is no such ModelDeployment: say so."""
        words = f"there is no ModelDeployment {key[1]} in this namespace"
        for raw in unanswered(self._cache, key):
            at = stamp(datetime.now(UTC))
            await self._write(raw, None, Acted(raw["metadata"]["uid"], "Refused", Answer.NO_DEPLOYMENT, words, at))

    async def _in_force(self, key: Key) -> bool:
        probe = {
            "apiVersion": API_VERSION,
            "kind": ROLLOUT_ACTION.name,
            "metadata": {"namespace": key[0], "name": f"probe-{uuid.uuid4().hex[:16]}"},
            "spec": {"deployment": key[1], "action": "Abort", "revision": "none", "actor": NOBODY},
        }
        try:
            await self._kube.create(ROLLOUT_ACTION, probe, dry_run=True)
        except (Forbidden, Invalid) as error:
            if ACTOR_WORDS in str(error):
                return True
            logger.warning("actors cannot be verified", extra={"object": "/".join(key), "why": str(error)})
            return False
        logger.warning(
            "actors cannot be verified: the ValidatingAdmissionPolicy is not in force", extra={"object": "/".join(key)}
        )
        return False

    async def _write(self, raw: Json, owner: Json | None, given: Acted) -> None:
        """The owner first: what is answered is not looked at again, and would stay for ever."""
        name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
        try:
            if owner is not None and not _owned(raw, owner):
                raw = await self._kube.patch(ROLLOUT_ACTION, namespace, name, _owner_patch(raw, owner))
            status = {
                "observedGeneration": raw["metadata"].get("generation", 1),
                "phase": given.phase,
                "reason": given.answer.value,
                "message": given.message,
                "at": given.at,
            }
            written = await self._kube.replace(ROLLOUT_ACTION, raw | {"status": status}, "status")
        except NotFound:
            return  # somebody has deleted it
        self._cache.put(ROLLOUT_ACTION.name, written)
        logger.info("answered", extra={"object": f"{namespace}/{name}", "phase": given.phase, "why": given.message})

    async def _prune(self, key: Key) -> None:
        answered = [raw for raw in self._cache.owned(ROLLOUT_ACTION.name, *key) if _answered(raw)]
        for raw in _by_age(answered)[:-ANSWERED_KEPT]:
            await self._kube.delete(ROLLOUT_ACTION, key[0], raw["metadata"]["name"])
            self._cache.remove(ROLLOUT_ACTION.name, raw)


def _answered(raw: Json) -> bool:
    return (raw.get("status") or {}).get("phase") in FINAL


def _by_age(actions: Sequence[Json]) -> list[Json]:
    return sorted(actions, key=lambda raw: (raw["metadata"].get("creationTimestamp", ""), raw["metadata"]["name"]))


def _owned(raw: Json, owner: Json) -> bool:
    references = raw["metadata"].get("ownerReferences") or ()
    return any(one.get("uid") == owner["metadata"]["uid"] for one in references)


def _owner_patch(raw: Json, owner: Json) -> list[Json]:
    metadata = owner["metadata"]
    reference = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": raw["metadata"]["resourceVersion"]},
        {
            "op": "add",
            "path": "/metadata/ownerReferences",
            "value": [*(raw["metadata"].get("ownerReferences") or ()), reference],
        },
    ]
