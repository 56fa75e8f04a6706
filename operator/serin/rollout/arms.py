"""What the pods of an arm mean for a rollout: facts of serin.workloads.pods become a fault, an incident or a wait.

    a container ends by itself            a fault of the candidate, by the hard gates' limits
    the same on stable since the start    a shared incident, nobody's fault
    no node, or taken away                a wait
    the model's files are not what was
    pinned, or are dangerous              a fault of the candidate, whatever its gates say
    the store of the files is away        a wait

Pure functions of what was observed.
"""

from __future__ import annotations

from serin.api.reasons import Reason
from serin.rollout.gates import HardGate
from serin.rollout.observation import Observation
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, Placed
from serin.workloads.capacity import replicas_needed
from serin.workloads.pods import ArmHealth


def hard_fault(gate: HardGate, health: ArmHealth | None) -> str | None:
    """What a hard gate finds wrong with an arm's pods, in words; None when nothing.

    With `restarts` 2, two restarts are let pass: a container that is down after its second has ended three times.
    """
    if health is None:
        return None
    crash = health.crash
    if crash is not None and crash.kind == "OutOfMemory" and gate.out_of_memory:
        return crash.message
    if gate.restarts is None:
        return None
    if crash is not None and crash.kind == "CrashLoop" and crash.restarts >= gate.restarts:
        return crash.message
    return f"{health.restarts} restarts, {gate.restarts} are let pass" if health.restarts > gate.restarts else None


def first_fault(plan: Plan, health: ArmHealth | None) -> tuple[HardGate, str] | None:
    """The first required hard gate that finds a fault, and the fault; gates that are not required only inform."""
    for gate in plan.hard_gates():
        fault = hard_fault(gate, health) if gate.required else None
        if fault is not None:
            return gate, fault
    return None


def shared_fault(attempt: Attempt, candidate: ArmHealth | None, stable: ArmHealth | None) -> str | None:
    """The candidate's fault, when stable has got the same one since the attempt began.

    Stable's crash of last week is no excuse, so only restarts beyond those that it had at the start count.
    """
    found = first_fault(attempt.plan, candidate)
    if found is None or stable is None or stable.restarts <= attempt.stable_restarts:
        return None
    gate, fault = found
    return fault if hard_fault(gate, stable) is not None else None


def ready_within(plan: Plan) -> float | None:
    """The shortest time that a required hard gate gives pods to become ready; None when none does."""
    limits = [gate.ready_within_seconds for gate in plan.hard_gates() if gate.required]
    return min((limit for limit in limits if limit is not None), default=None)


def answers_in(health: ArmHealth | None, now: float, reload_seconds: float) -> float | None:
    """In how many seconds an arm can surely answer what a gateway sends it; 0 is now, None is not known.

    A gateway learns of an endpoint a moment after the pod is Ready. Weight before that is answered with 503 by the
    gateway itself, and no series of the arm counts it.
    """
    if health is None or health.ready <= 0:
        return None
    return max(0.0, (health.ready_since or 0.0) + reload_seconds - now)


def is_down(placed: Placed, seen: Observation) -> bool:
    """Whether a revision that should serve has no ready endpoint. Of an adopted Service's pods nothing is known."""
    if placed.adopted is not None or seen.replicas <= 0:
        return False
    health = seen.health.get(placed.revision)
    return health is None or health.ready <= 0


def pods_needed(replicas: int, weight: int) -> int:
    """Pods that have to be ready before this share of the traffic; at least one, also of a deployment scaled to 0."""
    return max(1, replicas_needed(replicas, weight))


def has_pods(health: ArmHealth | None, replicas: int, weight: int) -> bool:
    """Whether so many of a revision's pods are ready as this share of the traffic needs."""
    return health is not None and health.ready >= pods_needed(replicas, weight)


def blocked(health: ArmHealth | None) -> tuple[Reason, str] | None:
    """Why pods cannot start although the model may be good: no node takes them, or its files cannot be fetched."""
    if health is None:
        return None
    if health.pending_message is not None:
        return Reason.INSUFFICIENT_CAPACITY, health.pending_message
    if health.fetching is not None and health.fetching.state == "unavailable":
        return Reason.ARTIFACT_UNAVAILABLE, health.fetching.message
    return None


def storeless(health: ArmHealth | None) -> str | None:
    """Why no pod is ready, when that is because the model's files cannot be fetched just now."""
    found = blocked(health)
    if found is None or found[0] is not Reason.ARTIFACT_UNAVAILABLE or health is None or health.ready > 0:
        return None
    return found[1]


def refused(health: ArmHealth | None) -> str | None:
    """What is wrong with the files that were fetched; None when nothing is known to be."""
    fetching = health.fetching if health is not None else None
    return fetching.message if fetching is not None and fetching.state == "refused" else None


def excused(health: ArmHealth | None) -> bool:
    """Whether being unready is not the model's doing: it is blocked, or its files are on their way.

    A large model takes longer to come than any model may take to get ready, and is no worse for it.
    """
    return blocked(health) is not None or (health is not None and health.fetching is not None)


def readiness(health: ArmHealth | None) -> str:
    """How far an arm's pods are, with what keeps them: '1 of 2 ready, 0/3 nodes are available'."""
    if health is None:
        return "no pods yet"
    words = f"{health.ready} of {health.desired} ready"
    if health.pending_message:
        words += f", {health.pending_message}"
    elif health.fetching is not None:
        words += f", {health.fetching.message}"
    elif health.cannot_start:
        words += f", {health.cannot_start}"
    elif health.crash is not None:
        words += f", {health.crash.message}"
    elif health.evicted:
        words += ", pods were taken away by the cluster"
    return words
