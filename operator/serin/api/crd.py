"""The CustomResourceDefinitions of Serin, made from its models.

    python -m serin.api.crd [--check] [directory]

writes one YAML file per kind into the directory (`crds` when not given); with --check it only says whether
they are current.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import ModelRevision
from serin.api.names import GROUP, VERSION
from serin.api.resource import ApiModel
from serin.api.rollout_action import RolloutAction
from serin.api.rollout_policy import RolloutPolicy
from serin.api.schema import Schema, structural_schema

_HEADER = "# Generated from the models in operator/serin/api by `make crds`. Do not edit.\n"

_API_VERSION_WORDS = "The version of the API that this object is written in: serin.dev/v1alpha1."
_KIND_WORDS = "The kind of this object."


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False
    """Shown only with -o wide."""

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of additionalPrinterColumns."""
        entry = {"name": self.name, "type": self.type, "description": self.description, "jsonPath": self.path}
        return entry | ({"priority": 1} if self.wide else {})


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CRD says beside its schema."""

    model: type[ApiModel]
    plural: str
    short: str
    columns: tuple[Column, ...]
    scale: bool = False

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.model.__name__

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{GROUP}_{self.plural}.yaml"


def _condition(kind: str, part: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


_AGE = Column("Age", ".metadata.creationTimestamp", "Time since it was created.", "date")

KINDS = (
    Kind(
        ModelDeployment,
        "modeldeployments",
        "md",
        (
            Column("Stable", ".status.stable.version", "The version that serves by default."),
            Column("Candidate", ".status.candidate.version", "The version on trial."),
            Column("Stage", ".status.rollout.stage", "The stage of the rollout."),
            Column(
                "Weight",
                ".status.rollout.weight",
                "The candidate's share of the traffic in percent.",
                "integer",
            ),
            Column("Verdict", ".status.rollout.verdict", "All required gates together: pass, fail or undecided."),
            Column("Reason", _condition("Promoted", "reason"), "Why the rollout stands where it stands."),
            Column("Ready", _condition("Ready", "status"), "Whether the stable revision serves."),
            _AGE,
            Column("Phase", ".status.phase", "The same in one word.", wide=True),
            Column("Waiting", ".status.rollout.waitingFor", "What the next step waits for.", wide=True),
            Column("URL", ".status.url", "Where clients reach the model.", wide=True),
        ),
        scale=True,
    ),
    Kind(
        ModelRevision,
        "modelrevisions",
        "mrev",
        (
            Column("Deployment", ".spec.deployment", "The ModelDeployment that it belongs to."),
            Column("Version", ".spec.model.version", "The model's version."),
            Column("Verdict", ".status.verdict", "What became of it."),
            Column("Reason", ".status.verdictReason", "Why."),
            Column("Attempts", ".status.attempts", "How often it was tried.", "integer"),
            _AGE,
            Column("Digest", ".spec.model.digest", "The digest of the model's files.", wide=True),
        ),
    ),
    Kind(
        RolloutAction,
        "rolloutactions",
        "ra",
        (
            Column("Deployment", ".spec.deployment", "The ModelDeployment that it is about."),
            Column("Action", ".spec.action", "What to do."),
            Column("Revision", ".spec.revision", "The revision that it is about."),
            Column("Actor", ".spec.actor", "Who says so."),
            Column("Phase", ".status.phase", "What became of it."),
            Column("Reason", ".status.reason", "What was done, or why not."),
            _AGE,
            Column("Message", ".status.message", "The same in a sentence.", wide=True),
        ),
    ),
    Kind(
        RolloutPolicy,
        "rolloutpolicies",
        "rp",
        (
            Column("Source", ".spec.metrics.source", "Where the numbers come from."),
            Column("Preset", ".spec.metrics.preset", "How they are named there."),
            Column("False-rollback", ".spec.risk.falseRollback", "The accepted chance of a wrong rollback."),
            Column("False-promotion", ".spec.risk.falsePromotion", "The accepted chance of a wrong promotion."),
            Column("Timeout", ".spec.timeouts.progress", "How long a rollout may take."),
            _AGE,
        ),
    ),
)


class _Dumper(yaml.SafeDumper):
    """YAML for people: nothing by reference, paragraphs as paragraphs."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _paragraphs(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if "\n" in text else None)


_Dumper.add_representer(str, _paragraphs)


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    schema = _root_schema(kind)
    has_status = "status" in schema["properties"]
    subresources: dict[str, Any] = {"status": {}} if has_status else {}
    if kind.scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.serving.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column.as_dict() for column in kind.columns],
        "schema": {"openAPIV3Schema": schema},
    }
    if subresources:
        version["subresources"] = subresources
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["serin"],
            },
            "versions": [version],
        },
    }


def _root_schema(kind: Kind) -> Schema:
    """Return the schema of a whole object.

    The root is not the model's own: metadata belongs to the API server, and `spec` is required so that it
    cannot be taken away (with a rule on spec alone, null would empty a ModelRevision).
    """
    whole = structural_schema(kind.model)
    properties: dict[str, Schema] = {
        "apiVersion": {"type": "string", "description": _API_VERSION_WORDS},
        "kind": {"type": "string", "description": _KIND_WORDS},
        "metadata": {"type": "object"},
        "spec": whole["properties"]["spec"],
    }
    if "status" in whole["properties"]:
        # The default is there from the first moment: `kubectl wait` and kstatus compare observedGeneration
        # with generation,
        # and an object without status would count as healthy.
        properties["status"] = whole["properties"]["status"] | {"default": {"observedGeneration": -1}}
    root: Schema = {
        "type": "object",
        "description": whole["description"],
        "required": ["spec"],
        "properties": properties,
    }
    if "x-kubernetes-validations" in whole:
        root["x-kubernetes-validations"] = whole["x-kubernetes-validations"]
    return root


@cache
def render(kind: Kind) -> str:
    """Return the file of a kind."""
    return _HEADER + yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def stale(directory: Path) -> list[str]:
    """Return the names of the files that are not what the models say, those of kinds that are gone too."""
    wanted = {kind.file: render(kind) for kind in KINDS}
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob(f"{GROUP}_*.yaml")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(directory: Path) -> list[str]:
    """Write the files that are not current and return their names."""
    wanted = {kind.file: render(kind) for kind in KINDS}
    changed = stale(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (directory / name).write_text(wanted[name], encoding="utf-8")
        else:
            (directory / name).unlink()
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m serin.api.crd", description="Write the CRDs of Serin.")
    parser.add_argument("--check", action="store_true", help="only say whether they are current; 1 when they are not")
    parser.add_argument("directory", nargs="?", type=Path, default=Path("crds"))
    options = parser.parse_args(arguments)
    if options.check:
        names = stale(options.directory)
        for name in names:
            sys.stderr.write(f"{options.directory / name} is stale; run `make crds`\n")
        return 1 if names else 0
    for name in write(options.directory):
        sys.stdout.write(f"{options.directory / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
