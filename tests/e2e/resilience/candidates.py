"""The candidates that are rolled out while something dies: what is wrong with each, and how it has to end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from tests.e2e.resilience.stub_stage import POLICY, StubStage, policy

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One kind.

    Attributes:
        wanted: How its rollout ends in peace.
        bad_from: From which weight on it fails one request in five; None: it is good.
        validation: What a Job says of it before it has any weight; None: no Job is asked.
    """

    wanted: Literal["Promoted", "RolledBack"]
    bad_from: int | None = None
    validation: Literal["pass", "fail"] | None = None

    @property
    def policy_name(self) -> str:
        """The policy that it is rolled out by."""
        return POLICY if self.validation is None else f"validated-{self.validation}"

    def begin(self, stage: StubStage) -> None:
        """Make the next version of a stage one of these."""
        stage.new_trial(bad_from=self.bad_from)
        stage.policy_name = self.policy_name


CANDIDATES = {
    "good": Candidate("Promoted"),
    "bad": Candidate("RolledBack", bad_from=10),
    "bad-under-load": Candidate("RolledBack", bad_from=50),
    "validated": Candidate("Promoted", validation="pass"),
    "refused": Candidate("RolledBack", validation="fail"),
}


def policies(namespace: str) -> list[Json]:
    """The policies of all of them."""
    found: dict[str, Json] = {}
    for one in CANDIDATES.values():
        made = policy(namespace, one.policy_name)
        if one.validation is not None:
            made["spec"]["stages"].insert(0, _validate(one.validation))
        found[one.policy_name] = made
    return list(found.values())


def _validate(verdict: str) -> Json:
    """A stage whose Job is a program that says always the same."""
    answer = {"verdict": verdict, "gates": [{"name": "good", "verdict": verdict, "message": f"says {verdict}"}]}
    said = f"sleep 1; echo '{json.dumps(answer)}' > /dev/termination-log"
    container = {"name": "evaluate", "image": "demo.local/evaluate", "command": ["sh", "-c", said]}
    evaluation = {
        "task": "classification",
        "classes": [0, 1],
        "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "class", "features": ["length"]}],
        "endpoint": {"protocol": "openInference", "model": "iris", "answer": {"prediction": "class"}},
        "gates": [{"name": "good", "metric": "accuracy", "min": 0.8}],
    }
    template = {"spec": {"containers": [container]}}
    return {"name": "holdout", "validate": {"evaluation": evaluation, "template": template}}
