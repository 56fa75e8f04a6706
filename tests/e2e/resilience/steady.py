"""Rollout after rollout while users send steadily; every request has to succeed.

promote    a good version goes all the way; the loser's pods are scaled down
revert     the spec goes back to stable in mid-rollout
supersede  another good version is asked for in mid-rollout, and is promoted
slow       half of the candidate's answers are late, none is an error: rolled back
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.demo.stage import Stage, ended, promoted, settled
from tests.demo.traffic import Traffic
from tests.e2e.resilience import quick

Json = dict[str, Any]
Act = Literal["promote", "revert", "supersede", "slow"]

WEIGHTS = (5, 10, 20, 30, 40, 50)
SLOW = {"SLOW_FRACTION": 0.6, "SLOW_SECONDS": 0.45}
_SECONDS_MAX = 240.0


def policy(namespace: str, weights: Sequence[int] = WEIGHTS) -> Json:
    """Return a policy of short stages. Its margin for slow answers is wide: the machine may be busy."""
    made = quick.policy(namespace, [(weight, "1s") for weight in weights], bake="2s")
    slower = {"what": "slowerThan", "objective": "300ms", "margin": {"plus": "20pp", "max": "20pp"}}
    made["spec"]["gates"].append({"name": "slow", "compare": slower})
    return made


@dataclass(slots=True)
class Log:
    """What was done so far."""

    acts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    version: int = 1


async def rollouts(stage: Stage, acts: Sequence[Act], log: Log) -> None:
    """Do one act after another, each to its very end: the loser's pods are gone."""
    for act in acts:
        await _ACTS[act](stage, log)
        await stage.until(settled, seconds=_SECONDS_MAX, what=f"all settled after {act}")
        idle = "b" if stage.deployment["status"]["stable"]["slot"] == "a" else "a"
        await stage.until_empty(idle, seconds=_SECONDS_MAX)
        log.acts[act] += 1
        print(f"  {act}: {len(stage.shares) - 1} weight changes so far", flush=True)


async def _promote(stage: Stage, log: Log) -> None:
    version = await _start(stage, log)
    await _ends(stage, log, version, "Promoted")


async def _slow(stage: Stage, log: Log) -> None:
    version = await _start(stage, log, SLOW)
    await _ends(stage, log, version, "RolledBack")


async def _revert(stage: Stage, log: Log) -> None:
    stable = stage.deployment["status"]["stable"]["version"]
    version = await _start(stage, log)
    await _at_weight(stage, version)
    await stage.apply(quick.model(stage, stable))
    await stage.until(lambda md: promoted(md, stable) and settled(md), seconds=_SECONDS_MAX, what="back to stable")
    log.ends["Reverted"] += 1


async def _supersede(stage: Stage, log: Log) -> None:
    version = await _start(stage, log)
    await _at_weight(stage, version)
    following = await _start(stage, log)
    log.ends["Superseded"] += 1
    await _ends(stage, log, following, "Promoted")


async def _start(stage: Stage, log: Log, faults: Json | None = None) -> str:
    log.version += 1
    await stage.apply(quick.model(stage, str(log.version), faults))
    return str(log.version)


async def _at_weight(stage: Stage, version: str) -> None:
    def there(md: Json) -> bool:
        status = md["status"]
        mine = (status.get("candidate") or {}).get("version") == version
        return mine and (status.get("rollout") or {}).get("weight", 0) >= WEIGHTS[1]

    await stage.until(there, seconds=_SECONDS_MAX, what=f"version {version} has weight")


async def _ends(stage: Stage, log: Log, version: str, kind: str) -> None:
    md = await stage.until(
        lambda md: ended(md, version) is not None, seconds=_SECONDS_MAX, what=f"the end of version {version}"
    )
    outcome = md["status"]["outcome"]
    assert outcome["kind"] == kind, outcome
    log.ends[kind] += 1


_ACTS = {"promote": _promote, "revert": _revert, "supersede": _supersede, "slow": _slow}


async def account(stage: Stage, traffic: Traffic, log: Log) -> str:
    """End the traffic and say what it came to.

    Raises:
        AssertionError: a request failed.
    """
    totals = await asyncio.to_thread(traffic.stop)
    failures = traffic.failures()
    changes = len(stage.shares) - 1
    words = (
        f"{totals['requests']} requests, {len(failures)} failures, {changes} weight changes,"
        f" {sum(log.ends.values())} rollouts: {dict(log.ends)}"
    )
    assert not failures, f"{words}; {failures[:5]}"
    assert set(totals["statuses"]) == {"200"}, totals
    return words
