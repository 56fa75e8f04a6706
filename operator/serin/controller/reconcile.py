"""One look at one ModelDeployment: observe, decide, apply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from serin.api.conditions import STALLED, Condition
from serin.api.names import LABEL_DEPLOYMENT, LABEL_SLOT
from serin.api.parse import InvalidSpec
from serin.controller.apply import Writer
from serin.controller.cache import Cache
from serin.controller.claims import NotOurs, Refusal
from serin.controller.config import Config
from serin.controller.deletion import Deletion
from serin.controller.events import Recorder
from serin.controller.evidence import Evidence
from serin.controller.freshness import due_seconds
from serin.controller.invalid import invalid_status
from serin.controller.kube import Conflict, Unavailable
from serin.controller.memory import Key, Memory
from serin.controller.observe import View, carried, observe, parse, without_stages
from serin.controller.telemetry import Telemetry
from serin.controller.wants import beginning, unreadable, want_of
from serin.metrics.reading import Reading
from serin.rollout.decide import decide
from serin.rollout.decision import Decision, Note
from serin.rollout.observation import Refused
from serin.rollout.persist import landmark, load_state
from serin.rollout.report import Subject, status_of
from serin.rollout.state import State

Json = dict[str, Any]
logger = logging.getLogger(__name__)

OBSTACLE_RETRY_SECONDS = 30.0


class Reconciler:
    """Looks at keys. Its only memory is what may be lost."""

    def __init__(
        self,
        cache: Cache,
        writer: Writer,
        deletion: Deletion,
        evidence: Evidence,
        recorder: Recorder,
        telemetry: Telemetry,
        config: Config,
        add_later: Callable[[Key, float], None],
    ) -> None:
        """All parts are the operator's, one of each."""
        self._cache, self._writer, self._deletion = cache, writer, deletion
        self._evidence, self._recorder, self._telemetry = evidence, recorder, telemetry
        self._config, self._add_later = config, add_later
        self._memories: dict[Key, Memory] = {}

    async def look(self, key: Key) -> None:
        """Look once.

        Raises:
            Exception: whatever failed, after it was logged; the queue brings the key back.
        """
        started = asyncio.get_running_loop().time()
        try:
            await self._look(key)
        except Conflict as error:
            # Somebody else wrote, or the cache is behind. What is remembered was right; only the write was not.
            self._telemetry.conflict()
            logger.debug("look again", extra={"object": "/".join(key), "why": str(error)})
            raise
        except Unavailable as error:
            self._telemetry.error()
            logger.warning(
                "the API server does not answer, trying again", extra={"object": "/".join(key), "why": str(error)}
            )
            raise
        except Exception as error:
            self._telemetry.error()
            logger.exception("look failed", extra={"object": "/".join(key), "why": str(error)})
            raise
        finally:
            self._telemetry.looked(asyncio.get_running_loop().time() - started)

    async def _look(self, key: Key) -> None:
        raw = self._cache.get("ModelDeployment", *key)
        if raw is None:
            self._forget(key)
            await self._writer.actions.refuse_orphans(key)
            return
        if raw["metadata"].get("deletionTimestamp"):
            self._evidence.drop(key)
            await self._deletion.finish(raw)
            return
        memory = self._memory(key, raw)
        md = parse(raw)
        memory.unread = None
        if isinstance(md, InvalidSpec):
            fault, md = md, without_stages(raw, md)
            memory.unread = Refused(fault.reason, str(fault), own=True)
        now = datetime.now(UTC)
        if isinstance(md, InvalidSpec):
            self._evidence.drop(key)
            status = invalid_status(raw, md, now)
            if status is not None:
                begins = not _stalled(_conditions(raw))
                await self._writer.status(raw, status)
                if begins:
                    self._tell(key, raw, [Note("Warning", md.reason, str(md))])
            return
        if memory.obstacle is not None and not await memory.obstacle.still():
            memory.obstacle = None
        stored = raw.get("status") or {}
        known_landmark = landmark(stored)
        if memory.state is not None and memory.stored != known_landmark:
            # Somebody else has decided: another leader that believes what we believe. What is stored counts.
            logger.warning("the stored status is not what was written last", extra={"object": "/".join(key)})
            memory.state, memory.pending = None, ()
            self._evidence.drop(key)
        state = memory.state if memory.state is not None else load_state(stored)
        await self._writer.actions.verify(key, memory)
        view = observe(raw, md, self._cache, memory, state, self._config)
        self._read(key, view, state)
        # Taken readings belong to no state until one that holds them is remembered; a look that fails before keeps
        # them here, else the evidence of that instant would be lost.
        memory.pending += self._evidence.take(key) or unreadable(state, self._config)
        view = replace(view, seen=replace(view.seen, readings=memory.pending))
        decision = decide(view.seen, now)
        in_the_way = await self._writer.in_the_way(view, decision)
        if in_the_way is not None:
            memory.obstacle = in_the_way
            view = replace(view, seen=replace(view.seen, wanted=in_the_way.refused, adoptable=None))
            decision = decide(view.seen, now)
        conditions = _conditions(raw)
        status = status_of(decision, view.seen, _subject(view), conditions, now)
        decision = _with_stall(decision, conditions, status)
        moved = landmark(status) != known_landmark
        if not moved:
            # `carried` only once everything is written: should the weights not be, the next look must see again that
            # somebody changed them, or nobody would ever be told.
            memory.remember(replace(decision.state, carried=state.carried))
            memory.stored = known_landmark
        loop_now = asyncio.get_running_loop().time()
        self._measure(view, decision, memory, now, loop_now)
        due = due_seconds(stored, status, loop_now - memory.written_at, self._config.status_seconds)
        write = status if due == 0.0 else None
        if due:
            self._add_later(key, due)

        def on_stored() -> None:
            # Strictly after the status is written and before anything else is: a new landmark that is remembered
            # but not stored would be acted upon and then forgotten by a kill.
            memory.written_at = loop_now
            memory.remember(decision.state)
            memory.stored = landmark(status)
            outcome = decision.state.outcome
            if outcome is not None and outcome != state.outcome:
                self._telemetry.ended(outcome.end)
            # A transition is told once it is stored: the next look finds it done and would say nothing, should a
            # later write of this one fail.
            self._tell(key, raw, decision.notes)

        known = memory.obstacle is not None
        written = await self._writer.write(view, decision, write, on_stored)
        if write is None:
            self._tell(key, raw, decision.notes)
        if memory.state is not None:
            memory.state = replace(memory.state, carried=carried(view, decision, written.route))
        memory.refusal = written.obstacle.words if isinstance(written.obstacle, Refusal) else None
        if isinstance(written.obstacle, NotOurs):
            memory.obstacle = written.obstacle
        told = (memory.job_refusal, memory.unwritten) == (written.job_refusal, written.unwritten)
        memory.job_refusal, memory.unwritten = written.job_refusal, written.unwritten
        if memory.job_refusal is not None or memory.unwritten:
            # Said at once, and tried again: a quota or a missing right is somebody's to put right, and no event tells.
            self._add_later(key, OBSTACLE_RETRY_SECONDS if told else 0.0)
        if memory.obstacle is not None:
            self._add_later(key, OBSTACLE_RETRY_SECONDS if known else 0.0)
        if memory.refusal is not None:
            self._add_later(key, 0.0)
        if moved:
            # What this look observed belongs to the state before: an old stable is a tenant to drain only from now on,
            # and our own writes, which the cache has already, wake nobody.
            self._add_later(key, 0.0)
        if decision.look_again_seconds is not None:
            self._add_later(key, decision.look_again_seconds)
        # Reading goes on from the new state without waiting for the next look.
        self._read(key, replace(view, seen=replace(view.seen, state=decision.state)), decision.state)

    def _measure(self, view: View, decision: Decision, memory: Memory, now: datetime, loop_now: float) -> None:
        """What this look says of holds and of the age of the evidence, for the operator's own metrics."""
        if view.seen.readings and isinstance(newest := view.seen.readings[-1], Reading):
            self._telemetry.lag(now.timestamp() - newest.instant)
        if memory.hold is not None:
            reason, since = memory.hold
            self._telemetry.held(reason, loop_now - since)
        reason = decision.standing.reason
        holds = decision.state.attempt is not None and reason.about.kind in ("hold", "stalled")
        memory.hold = (reason, loop_now) if holds else None

    def _tell(self, key: Key, raw: Json, notes: Sequence[Note]) -> None:
        for note in notes:
            self._recorder.tell(raw, note)
            self._telemetry.transition(note)
            logger.info(
                "transition",
                extra={"object": "/".join(key), "reason": note.reason.value, "words": note.message},
            )

    def _read(self, key: Key, view: View, state: State) -> None:
        want = want_of(view, state, self._config)
        if want is None:
            self._evidence.drop(key)
        else:
            self._evidence.want(key, want, beginning(state))

    def _memory(self, key: Key, raw: Json) -> Memory:
        memory = self._memories.get(key)
        uid = raw["metadata"].get("uid", "")
        if memory is None or memory.uid != uid:
            memory = self._memories[key] = Memory(uid=uid)
            self._evidence.drop(key)
        return memory

    def _forget(self, key: Key) -> None:
        memory = self._memories.pop(key, None)
        if memory is not None:
            self._writer.forget(memory.uid)
        self._evidence.drop(key)


def _subject(view: View) -> Subject:
    md = view.md
    hostnames = md.spec.traffic.route.hostnames
    path = getattr(md.spec.traffic.route, "path", "")
    scheme = "grpc" if md.spec.traffic.grpc_route is not None else "http"
    return Subject(
        generation=md.metadata.generation,
        url=f"{scheme}://{hostnames[0]}{path}" if hostnames else None,
        address=f"{scheme}://{md.metadata.name}.{md.metadata.namespace}.svc:{md.spec.serving.port}",
        selector=f"{LABEL_DEPLOYMENT}={md.metadata.name},{LABEL_SLOT}",  # pods of Jobs are in no slot
    )


def _with_stall(decision: Decision, before: Sequence[Condition], status: Json) -> Decision:
    """A stall that begins is an Event, whatever brought it; an end has told of itself."""
    standing = decision.standing
    if decision.notes or _stalled(before) or not any(one["type"] == STALLED for one in status["conditions"]):
        return decision
    return replace(decision, notes=(Note("Warning", standing.reason, standing.message),))


def _stalled(conditions: Sequence[Condition]) -> bool:
    return any(one.type == STALLED for one in conditions)


def _conditions(raw: Json) -> list[Condition]:
    return [Condition.model_validate(one) for one in (raw.get("status") or {}).get("conditions") or ()]
