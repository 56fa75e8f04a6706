"""Transcripts: a small language for whole rollouts, with the full output after each command.

    # prose
    command key=value ...
    more lines, where a command takes them
    ----
    what the core decided

Commands:
    policy                   the lines that follow are spec.rollout, without them it is POLICY; "policy none" names one
                             that is missing
    serving VERSION          shorthand: VERSION was deployed first and is stable
    deploy VERSION           the spec asks for this version; "deploy refused REASON TEXT" for nothing usable;
                             same=VERSION: it is the content of that one under a new label
    adopt SERVICE            spec.serving.existing
    tick [N]                 N intervals of 15 s pass, each is looked at; only looks that change something are shown,
                             and the last
    look                     a look between two intervals
    traffic KEY=VALUE ...    requests (per interval), bad=STABLE/CANDIDATE, slow=STABLE/CANDIDATE, hung=yes, history
    pods VERSION KEY=VALUE   ready, pending, crash (CrashLoop:N or OutOfMemory:N), restarts, evicted, fetching
                             (running, unavailable or refused, and TEXT behind a colon); or auto
    replicas N               spec.serving.replicas
    metrics KEY=VALUE        outage=TEXT, outage=over, unseen=ARM, missing=GATE:REASON, all=found
    route A/B                somebody writes these weights; "route conflict REASON TEXT", "route mended"
    pause, resume            spec.rollout.paused
    refuse TEXT              the API server refuses the candidate's Deployment
    job VERDICT WORDS        the running Job ends with an answer: gate "accuracy" says WORDS; with fault=REASON:EFFECT
                             it had nothing to judge; "job silent WORDS" ends without an answer, "job gone" is deleted
    act ACTION VERSION KEY=VALUE ...
                             a RolloutAction: by=ACTOR, stage, reason, verified=no, made=SECONDS (ago)
    restart                  the operator is killed and comes back with what the status holds
    status                   conditions and gates as a user sees them
    record VERSION           the revision's decision record
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from serin.api.reasons import Reason
from serin.metrics.reading import Missing
from serin.rollout.decision import Decision
from serin.rollout.observation import Refused
from serin.rollout.plan import Plan
from serin.traffic.weights import Units
from serin.workloads.fetching import Fetching, FetchState
from serin.workloads.jobs import Ended, Running
from serin.workloads.pods import Crash
from tests.unit.rollout.world import NAME, World, conflict, plan_from

SEPARATOR = "----"

POLICY = """
gates:
- {name: errors, compare: {what: serverErrors, margin: {plus: 1pp}}}
- {name: slow, compare: {what: slowerThan, objective: 300ms, margin: {plus: 2pp}}}
- {name: pods, hard: {restarts: 2, outOfMemory: true, readyWithin: 10m}}
stages:
- {name: small, canary: {weight: 10, soak: 1m}}
- {name: half, canary: {weight: 50, soak: 2m}}
- {name: bake, bake: {for: 2m, holdback: 5}}
"""


def replayed(text: str) -> str:
    """The transcript with the output that the core gives now."""
    player = _Player()
    blocks: list[str] = []
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line.strip() or line.startswith("#"):
            blocks.append(line)
            index += 1
            continue
        command = [line]
        index += 1
        while lines[index] != SEPARATOR:
            command.append(lines[index])
            index += 1
        index += 1
        while index < len(lines) and lines[index].strip():
            index += 1
        blocks += [*command, SEPARATOR, *player.run(command)]
    return "\n".join(blocks) + "\n"


def transcripts(folder: Path) -> list[Path]:
    """All transcripts of a folder."""
    return sorted(folder.glob("*.txt"))


class _Player:
    def __init__(self) -> None:
        self.world = World(plan_from(yaml.safe_load(POLICY)))
        self._shown: tuple[object, ...] = ()
        self._mended = self.world.route

    def run(self, command: list[str]) -> list[str]:
        name, *words = shlex.split(command[0])
        method: Callable[[list[str], str], list[str]] = getattr(self, f"do_{name}")
        return method(words, "\n".join(command[1:])) or ["ok"]

    def do_policy(self, words: list[str], body: str) -> list[str]:
        if words:
            self.world.policy = Refused(Reason.POLICY_NOT_FOUND, "spec.rollout.policyRef.name: there is no such policy")
            return ["missing"]
        plan = plan_from(yaml.safe_load(body or POLICY))
        self.world.policy = plan
        validations = [f"{one.name}: judged on data" for one in plan.validations]
        return [*validations, *(f"{stage.name} {stage.weight} % for {stage.soak_seconds:g} s" for stage in plan.stages)]

    def do_serving(self, words: list[str], _: str) -> list[str]:
        self.world.deploy(words[0])
        while True:
            decision = self.world.tick()
            # A first revision is judged as well, by what needs no stable.
            self.world.answer_jobs("pass")
            if decision.state.candidate is None:
                return self._looked(decision)[:1]

    def do_deploy(self, words: list[str], _: str) -> list[str]:
        if words[0] == "refused":
            self.world.wanted = Refused(_reason(words[1]), words[2])
        else:
            self.world.deploy(words[0])
            if (twin := _pairs(words[1:]).get("same")) is not None:
                self.world.same_as[words[0]] = twin
        return self._look()

    def do_adopt(self, words: list[str], _: str) -> list[str]:
        self.world.adoptable = words[0]
        return []

    def do_tick(self, words: list[str], _: str) -> list[str]:
        lines: list[str] = []
        number = int(words[0]) if words else 1
        for count in range(number):
            lines += self._look(self.world.tick(), always=count == number - 1)
        return lines

    def do_look(self, _: list[str], __: str) -> list[str]:
        return self._look()

    def do_traffic(self, words: list[str], _: str) -> list[str]:
        traffic = self.world.traffic
        for key, value in _pairs(words).items():
            if key in ("bad", "slow"):
                stable, candidate = (float(one.rstrip("%")) / 100 for one in value.split("/"))
                setattr(traffic, key, {"stable": stable, "candidate": candidate})
            elif key == "hung":
                traffic.hung = value == "yes"
            else:
                setattr(traffic, key, float(value) if key == "requests" else int(value))
        return []

    def do_pods(self, words: list[str], _: str) -> list[str]:
        pods = self.world.pods[f"{NAME}-{words[0]}"]
        if words[1:] == ["auto"]:
            pods.ready, pods.pending, pods.crash, pods.restarts, pods.evicted = None, None, None, 0, False
            pods.fetching = None
            words = words[:1]
        for key, value in _pairs(words[1:]).items():
            match key:
                case "ready" | "restarts":
                    setattr(pods, key, int(value))
                case "pending":
                    pods.pending = value
                case "fetching":
                    kind, _, text = value.partition(":")
                    pods.fetching = Fetching(_fetch_state(kind), text)
                case "evicted":
                    pods.evicted = value == "yes"
                case "crash":
                    kind, _, restarts = value.partition(":")
                    message = "was killed for want of memory" if kind == "OutOfMemory" else "exited with 1"
                    pods.restarts = int(restarts)
                    words_ = f"container model of pod {NAME}-{words[0]}-x {message}; {restarts} restarts in all"
                    pods.crash = Crash("OutOfMemory" if kind == "OutOfMemory" else "CrashLoop", int(restarts), words_)
                case _:
                    raise ValueError(key)
        if not pods.ready_now:
            pods.ready_since = None
        elif pods.ready_since is None:
            pods.ready_since = self.world.now.timestamp()
        return []

    def do_job(self, words: list[str], _: str) -> list[str]:
        jobs = self.world.jobs
        (name,) = [name for name, state in jobs.items() if isinstance(state, Running)]
        if words[0] == "gone":
            del jobs[name]
            return []
        if words[0] == "silent":
            jobs[name] = Ended("", words[1])
            return []
        verdict, said, *fault = words
        answer: dict[str, Any] = {"verdict": verdict, "report": "iris-v2-0a1b", "digest": "sha256:12"}
        if fault:
            reason, _, effect = fault[0].removeprefix("fault=").partition(":")
            answer["fault"] = {"reason": reason, "effect": effect, "message": said}
        else:
            policy = self.world.policy
            warmup = isinstance(policy, Plan) and policy.validations[0].program == "warmup"
            answer["gates"] = [{"name": "warm" if warmup else "accuracy", "verdict": verdict, "message": said}]
            if warmup:
                del answer["report"], answer["digest"]
        jobs[name] = Ended(json.dumps(answer))
        return []

    def do_replicas(self, words: list[str], _: str) -> list[str]:
        self.world.replicas = int(words[0])
        return []

    def do_metrics(self, words: list[str], _: str) -> list[str]:
        world = self.world
        for key, value in _pairs(words).items():
            match key:
                case "outage":
                    world.outage = None if value == "over" else value
                case "unseen":
                    world.unseen = {value}
                case "missing":
                    gate, _, reason = value.partition(":")
                    world.missing[gate] = Missing(_reason(reason), "as the metrics say")
                case "all":
                    world.unseen, world.missing = set(), {}
                case _:
                    raise ValueError(key)
        return []

    def do_route(self, words: list[str], _: str) -> list[str]:
        world = self.world
        if words[0] == "conflict":
            self._mended = world.route
            world.route = conflict(_reason(words[1]), words[2])
        elif words[0] == "mended":
            world.route = self._mended
        else:
            a, _, b = words[0].partition("/")
            world.edit_route(Units(int(a), int(b)))
        return []

    def do_pause(self, _: list[str], __: str) -> list[str]:
        self.world.paused = True
        return self._look()

    def do_resume(self, _: list[str], __: str) -> list[str]:
        self.world.paused = False
        return self._look()

    def do_refuse(self, words: list[str], _: str) -> list[str]:
        self.world.refusal = words[0]
        if self.world.state.candidate is not None:
            del self.world.pods[self.world.state.candidate.revision]
        return self._look()

    def do_act(self, words: list[str], _: str) -> list[str]:
        action: Any = words[0]
        pairs = _pairs(words[2:])
        act = self.world.act(
            action,
            f"{NAME}-{words[1]}",
            pairs.get("by", "ann"),
            verified=pairs.get("verified") != "no",
            stage=pairs.get("stage"),
            reason=pairs.get("reason", ""),
            created_at=self.world.now.timestamp() - float(pairs.get("made", "0")),
        )
        lines = self._look()
        answer = self.world.answer(act)
        return [f"{answer.phase} {answer.answer.value}: {answer.message}" if answer else "no answer yet", *lines]

    def do_restart(self, _: list[str], __: str) -> list[str]:
        self.world.restart()
        return []

    def do_status(self, _: list[str], __: str) -> list[str]:
        status = self.world.status
        lines = [
            f"{one['type']}={one['status']} {one['reason']}: {one['message']} ({one['lastTransitionTime'][11:19]})"
            for one in status["conditions"]
        ]
        rollout = status.get("rollout", {})
        lines += [f"{key} {rollout[key]}" for key in ("deadline", "expectedFinish") if key in rollout]
        return lines + [_gate(gate) for gate in rollout.get("gates", status.get("outcome", {}).get("gates", []))]

    def do_record(self, words: list[str], _: str) -> list[str]:
        status = self.world.records[f"{NAME}-{words[0]}"]
        lines = [f"{status['verdict']} {status['verdictReason']}, attempt {status['attempts']}"]
        for entry in status["record"]:
            head = f"{entry['at'][11:19]} #{entry['attempt']} {entry['event']}, {entry['stage']} {entry['weight']} %"
            by = f" ({entry['actor']})" if "actor" in entry else ""
            lines.append(f"{head}, {entry['reason']}: {entry['message']}{by}")
        return lines

    def _look(self, decision: Decision | None = None, *, always: bool = True) -> list[str]:
        """Show a look, and those that it asked for at once."""
        decision = decision or self.world.look()
        lines = self._looked(decision, always=always)
        while decision.look_again_seconds == 0.0:
            decision = self.world.look()
            lines += self._looked(decision, always=always)
        return lines

    def _looked(self, decision: Decision, *, always: bool = True) -> list[str]:
        state, standing = decision.state, decision.standing
        attempt = state.attempt
        weights = decision.desired.weights
        pods = " ".join(
            f"{work.slot}:{work.revision}x{work.replicas}{' (drained)' if work.surplus else ''}"
            for work in decision.desired.workloads
        )
        rollout = self.world.status.get("rollout", {})
        where = f"{rollout['stage']}, {rollout['verdict']}" if attempt is not None else "no attempt"
        route = f"a {weights.a} b {weights.b}" if weights is not None else "untouched"
        landmark = (where, route, pods, standing.phase, standing.reason)
        events = [f"    event {note.kind} {note.reason.value}: {note.message}" for note in decision.notes]
        if not always and landmark == self._shown and not events:
            return []
        self._shown = landmark
        head = f"{self.world.now:%H:%M:%S} {standing.phase}{' (stalled)' if standing.stalled else ''}"
        return [
            f"{head}: {where}; {route}; pods {pods or 'none'}",
            f"    {standing.reason.value}: {standing.message}",
            *events,
        ]


def _gate(gate: dict[str, Any]) -> str:
    line = f"gate {gate['name']}: {gate['verdict']}"
    for arm in ("stable", "candidate"):
        if arm in gate:
            line += f", {arm} {gate[arm]['bad']}/{gate[arm]['total']}"
    if gate.get("reason"):
        line += f", {gate['reason']}"
    return f"{line}: {gate.get('message', '')}"


def _fetch_state(word: Any) -> FetchState:
    state: FetchState = word
    return state


def _reason(word: Any) -> Reason:
    return Reason(word)


def _pairs(words: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition("=") for word in words)}
