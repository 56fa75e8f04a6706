"""The plan of an attempt: its stages and gates with absolute numbers.

A plan is taken from the policy when the candidate's first traffic comes and kept with the attempt: an edit of the
policy in mid-rollout changes the next attempt, not this one, but for what `Plan.with_live` lets through. Rates and
margins are fractions (0.01 is one percentage point), times are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, assert_never

from serin.rollout.gates import CompareGate, Gate, HardGate, LimitGate, MarginRule, QueryGate, RateGate, what_is_read
from serin.rollout.windows import Freeze, Window


@dataclass(frozen=True, slots=True)
class Canary:
    """A share of the traffic for the candidate.

    gates: names of the gates that are judged here; None means all. Hard gates are always judged.
    advance: 'passed' wants every required gate's proof, 'notFailing' only that none fails.
    requests_min: requests of the candidate in this stage, at least.
    early: its soak ends when the evidence for the candidate is overwhelming.
    excess_failures: the stage is a step of a ramp, entered when no more than so many failures can be expected of a bad
        candidate; None for a stage that is entered when the one before is over.
    """

    name: str
    weight: int
    soak_seconds: float
    gates: tuple[str, ...] | None = None
    advance: Literal["passed", "notFailing"] = "notFailing"
    requests_min: int = 0
    excess_failures: int | None = None
    early: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """People have to agree; until then the candidate stays at the weight of the stage before.

    expires_seconds: by the clock, for it is people who are waited for. approvers: how many different ones.
    """

    name: str
    weight: int
    expires_seconds: float
    approvers: int = 1

    # All gates are judged on, and nothing else takes time.
    gates: ClassVar[tuple[str, ...] | None] = None
    soak_seconds: ClassVar[float] = 0.0
    requests_min: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Bake:
    """Full traffic less a holdback that stays on the old revision, so that the comparison goes on."""

    name: str
    soak_seconds: float
    holdback: int
    gates: tuple[str, ...] | None = None

    @property
    def weight(self) -> int:
        """The candidate's share in percent."""
        return 100 - self.holdback


Stage: TypeAlias = Canary | Approval | Bake


@dataclass(frozen=True, slots=True)
class Validation:
    """A judgement before the first request, made by a Job: on data, or of how fast a cold model gets.

    digest: of all that the Job is made from; another one is another question.
    program: which one is run.
    absolute: whether it can be asked while nothing serves; what only compares with stable cannot.
    retry_seconds: after how long it is asked again when there was nothing to judge for a reason that may pass.
    request: the stage as the policy has it, JSON. Only the policy of now is asked, so it is not stored.
    """

    name: str
    digest: str
    retry_seconds: float
    program: Literal["evaluate", "warmup"] = "evaluate"
    absolute: bool = True
    request: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in order and the gates they name.

    validations: what comes before the first stage, in order.
    alpha, beta: the chances of a wrong rollback and of a wrong promotion of one attempt.
    progress_seconds: how much measured time the attempt may take.
    windows, freezes: when it may advance; no windows are at any time.
    """

    stages: tuple[Stage, ...]
    gates: tuple[Gate, ...]
    alpha: float
    beta: float
    progress_seconds: float
    on_timeout: Literal["Rollback", "Hold"]
    on_stable_down: Literal["Hold", "Promote"]
    warm_in_seconds: float
    source: str
    preset: str
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    validations: tuple[Validation, ...] = ()

    def rate_gates(self) -> tuple[RateGate, ...]:
        """The gates that are judged on counts."""
        return tuple(gate for gate in self.gates if not isinstance(gate, HardGate))

    def hard_gates(self) -> tuple[HardGate, ...]:
        """The gates that are judged on facts."""
        return tuple(gate for gate in self.gates if isinstance(gate, HardGate))

    def needs_proof(self, index: int) -> bool:
        """Whether the stage is left only with a pass of every required gate that it judges.

        The last stage before full traffic always needs it, of all gates; bake keeps what was proven.
        """
        stage = self.stages[index]
        match stage:
            case Bake() | Approval():
                return False
            case Canary():
                return stage.advance == "passed" or self._last_canary(index)
            case _:
                assert_never(stage)

    def rises(self, index: int) -> bool:
        """Whether stage `index` is a further step of the ramp that the stage before belongs to."""
        return 0 < index < len(self.stages) and self.stages[index - 1].name == self.stages[index].name

    def judged(self, index: int) -> frozenset[str]:
        """Names of the rate gates that stage `index` judges; -1 is before any traffic.

        Full traffic is reached only through all of them, whatever a stage lists, and before any weight moves each
        of them must be measurable. Without a holdback nothing is left to compare with.
        """
        names = frozenset(gate.name for gate in self.rate_gates())
        if index < 0:
            return names
        stage = self.stages[index]
        if stage.gates is not None and not self._last_canary(index):
            names &= frozenset(stage.gates)
        if isinstance(stage, Bake) and not stage.holdback:
            names &= self.absolute()
        return names

    def absolute(self) -> frozenset[str]:
        """Names of the rate gates that need no stable to compare with."""
        return frozenset(gate.name for gate in self.gates if isinstance(gate, LimitGate))

    def required(self) -> frozenset[str]:
        """Names of the rate gates that decide."""
        return frozenset(gate.name for gate in self.rate_gates() if gate.required)

    def reads(self) -> tuple[object, ...]:
        """What is read from the metrics; plans that read the same may share what was read."""
        return (self.source, self.preset, *(what_is_read(gate) for gate in self.rate_gates()))

    def with_live(self, policy: Plan) -> Plan:
        """The snapshot with what stays live of the policy: windows, freezes, a later deadline and what happens then."""
        return dataclasses.replace(
            self,
            on_timeout=policy.on_timeout,
            progress_seconds=max(self.progress_seconds, policy.progress_seconds),
            windows=policy.windows,
            freezes=policy.freezes,
        )

    def _last_canary(self, index: int) -> bool:
        later = self.stages[index + 1 :]
        return isinstance(self.stages[index], Canary) and not any(isinstance(stage, Canary) for stage in later)

    def to_json(self) -> dict[str, Any]:
        """The snapshot that is stored with the attempt."""
        raw = _fields(self)
        raw["stages"] = [_tagged(stage) for stage in self.stages]
        raw["gates"] = [_tagged(gate) for gate in self.gates]
        raw["validations"] = [
            {name: getattr(one, name) for name in ("name", "digest", "retry_seconds", "program", "absolute")}
            for one in self.validations
        ]
        # Most policies have none of them, and a status is no place for empty words.
        if not self.validations:
            del raw["validations"]
        for name, moments in (("windows", self.windows), ("freezes", self.freezes)):
            if moments:
                raw[name] = [_listed(_fields(one)) for one in moments]
            else:
                del raw[name]
        return raw

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Plan:
        """Read a stored snapshot.

        Raises:
            ValueError: the snapshot is not one of ours.
        """
        try:
            fields = dict(raw)
            fields["stages"] = tuple(_untagged(_STAGES, stage) for stage in raw["stages"])
            fields["gates"] = tuple(_untagged(_GATES, gate) for gate in raw["gates"])
            fields["windows"] = tuple(Window(**{**one, "days": tuple(one["days"])}) for one in raw.get("windows") or ())
            fields["freezes"] = tuple(Freeze(**one) for one in raw.get("freezes") or ())
            fields["validations"] = tuple(Validation(**one) for one in raw.get("validations") or ())
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored plan: {error}") from error


_STAGES: dict[str, type[Any]] = {"canary": Canary, "approval": Approval, "bake": Bake}
_GATES: dict[str, type[Any]] = {"compare": CompareGate, "query": QueryGate, "limit": LimitGate, "hard": HardGate}
_TAGS = {kind: tag for tag, kind in (_STAGES | _GATES).items()}


def _tagged(record: Stage | Gate) -> dict[str, Any]:
    fields = {"is": _TAGS[type(record)], **_fields(record)}
    if isinstance(record, CompareGate | QueryGate):
        fields["margin"] = _fields(record.margin)
    return _listed(fields)


def _listed(fields: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, as they come back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _fields(record: Any) -> dict[str, Any]:
    """The fields of a record as they are; `dataclasses.asdict` copies all that hangs on them, at every look."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _untagged(kinds: Mapping[str, type[Any]], raw: Mapping[str, Any]) -> Any:
    fields = {name: value for name, value in raw.items() if name != "is"}
    if isinstance(fields.get("margin"), Mapping):
        fields["margin"] = MarginRule(**fields["margin"])
    if isinstance(fields.get("gates"), list):
        fields["gates"] = tuple(fields["gates"])
    return kinds[raw["is"]](**fields)
