"""A rollout to its very end, with no event but those that the operator asks for itself."""

from __future__ import annotations

import copy
import time

from serin.controller.config import Config
from serin.metrics.reading import Counted, Reading
from serin.stats import Counts
from tests.unit.controller.clock import run
from tests.unit.controller.desk import CONFIG, Desk
from tests.unit.controller.test_apply_order import md

INTERVAL = 15.0
GATES = [{"name": "errors", "compare": {"what": "serverErrors", "margin": {"plus": "2pp"}}}]
ROLLOUT = {"gates": GATES, "stages": [{"name": "half", "canary": {"weight": 50, "soak": "15s"}}]}


class Story:
    """Looks as long as somebody has asked for one: the last look, or the metrics while they are read for it."""

    def __init__(self) -> None:
        config = Config.model_validate({**CONFIG.model_dump(by_alias=True), "gatewayReloadSeconds": 0})
        self.desk = Desk(md(rollout=ROLLOUT), config)
        self.instant = time.time() + 60.0
        self.writes: list[str] = []
        self.reading = False

    async def look(self) -> None:
        """Look once, with the next instant's reading if one is wanted."""
        evidence = self.desk.evidence
        if self.reading:
            self.instant += INTERVAL
            moved = (self.desk.md["status"].get("rollout") or {}).get("weight", 0) > 0
            counts = Counted(Counts(500, 0), Counts(500 if moved else 0, 0))
            gates = {need.gate: counts for need in evidence.wanted[-1][0].needs}
            requests = counts.candidate.total if gates else 0
            evidence.next = (Reading(self.instant, INTERVAL, gates, 500, requests, True, moved),)
        self.desk.later.clear()
        dropped, wanted = evidence.dropped, len(evidence.wanted)
        self.writes += await self.desk.look()
        self.reading = len(evidence.wanted) > wanted and evidence.dropped == dropped

    async def until_nobody_asks(self, looks_max: int = 40) -> None:
        """Go on for as long as anything would wake the operator."""
        for _ in range(looks_max):
            await self.look()
            if not self.desk.later and not self.reading:
                return
        raise AssertionError(f"still asking after {looks_max} looks: {self.desk.md['status']}")


async def on_trial() -> tuple[Story, str]:
    """Version 1 serves; version 2 has just been applied and its pods are ready. The story, and version 2's revision."""
    told = Story()
    await told.look()
    told.desk.pods_ready("1")
    await told.until_nobody_asks()
    told.desk.user_applies({**md("2", rollout=ROLLOUT), "metadata": {**told.desk.md["metadata"], "generation": 2}})
    await told.look()
    return told, told.desk.pods_ready("2")


def test_the_old_version_is_scaled_down_without_an_event_from_outside() -> None:
    """Seen with 200 rollouts at once: 143 old versions kept their pods, for no watch had anything to tell."""

    async def story() -> None:
        told = Story()
        await told.look()
        told.desk.pods_ready("1")
        await told.until_nobody_asks()
        told.desk.user_applies({**md("2", rollout=ROLLOUT), "metadata": {**told.desk.md["metadata"], "generation": 2}})
        await told.look()

        revision = told.desk.pods_ready("2")
        await told.until_nobody_asks()
        assert told.desk.md["status"]["stable"]["revision"] == revision
        replicas = {
            name: obj["spec"]["replicas"]
            for (kind, name), obj in told.desk.kube.objects.items()
            if kind == "Deployment"
        }
        assert sorted(replicas.values()) == [0, 1]
        assert replicas[revision] == 1

    run(story())


def test_an_attempt_whose_metric_source_was_taken_away_holds_and_says_so() -> None:
    """Started again with another configuration, the operator must not wait in silence for ever."""

    async def story() -> None:
        told, _ = await on_trial()
        source = {"name": "another", "url": "http://prometheus.example:9090", "preset": "traefik"}
        again = Desk(told.desk.md, Config.model_validate({"metricSources": [source]}))
        for obj in told.desk.kube.objects.values():
            again.user_applies(obj)
        await again.look()
        promoted = again.condition("Promoted")
        assert promoted["reason"] == "MetricsUnavailable"
        assert (
            "metric source default is no longer in the operator's configuration (there: another)" in promoted["message"]
        )

    run(story())


def test_what_another_leader_has_stored_counts_and_not_what_is_remembered() -> None:
    """Two that believe they lead: seen to write their own stages over each other's, twice a second, for ever."""

    async def story() -> None:
        told, _ = await on_trial()
        while (told.desk.md["status"].get("rollout") or {}).get("weight", 0) == 0:
            await told.look()
        status = copy.deepcopy(told.desk.md["status"])
        candidate = status.pop("candidate")
        del status["rollout"]
        status["outcome"] = {
            "revision": candidate["revision"],
            "version": "2",
            "kind": "RolledBack",
            "reason": "GateFailed",
            "message": "errors",
            "at": "2026-11-22T00:00:00Z",
            "attempt": 1,
            "steps": [],
            "gates": [],
        }
        told.desk.cache.put("ModelDeployment", told.desk.kube.put({**told.desk.md, "status": status}))
        for _ in range(3):
            await told.look()
        stored = told.desk.md["status"]
        assert "candidate" not in stored
        assert stored["outcome"]["kind"] == "RolledBack"

    run(story())
