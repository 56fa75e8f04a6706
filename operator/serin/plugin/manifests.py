"""`lint`: manifests checked offline by the API's own models: what the API server, or the operator, would refuse.

Line numbers are those of the documents in their files, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml

from serin.api import crd
from serin.api.model_deployment import ModelDeployment
from serin.api.names import API_VERSION, GROUP
from serin.api.parse import InvalidSpec, parse_model_deployment, parse_rollout_action, parse_rollout_policy
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.api.rollout_action import RolloutAction
from serin.api.rollout_policy import RolloutPolicy
from serin.api.schema import Schema, unknown_fields

Level = Literal["error", "warning", "advice"]


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file, and the line that it begins at."""

    file: str
    line: int
    raw: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.raw.get("kind") or "?")

    @property
    def name(self) -> str:
        """Its name."""
        metadata = self.raw.get("metadata")
        return str(metadata.get("name") or "?") if isinstance(metadata, Mapping) else "?"

    @property
    def namespace(self) -> str:
        """Its namespace; empty when the manifest leaves that to kubectl."""
        metadata = self.raw.get("metadata")
        return str(metadata.get("namespace") or "") if isinstance(metadata, Mapping) else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that will be refused (error), will not do what was meant (warning), or could be better (advice)."""

    level: Level
    file: str
    line: int
    object: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A ModelDeployment with the policy that it goes by, or a policy by itself (md is None)."""

    document: Document
    md: ModelDeployment | None
    policy: ResolvedPolicy

    def finding(self, level: Level, field: str, message: str) -> Finding:
        """A finding about it."""
        return finding(self.document, level, field, message)


def finding(document: Document, level: Level, field: str, message: str) -> Finding:
    """A finding about a document."""
    return Finding(level, document.file, document.line, f"{document.kind} {document.name}", field, message)


def documents(file: str, text: str) -> Iterator[Document | Finding]:
    """The objects of a file, lists taken apart; a finding where it is no YAML, or too deep."""
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # noqa: S101 - there is one, says check_node
            line = node.start_mark.line + 1
            raw = loader.construct_document(node)
            items = raw.get("items") if isinstance(raw, dict) and raw.get("kind") == "List" else [raw]
            yield from (Document(file, line, one) for one in items or () if isinstance(one, dict))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = " ".join(str(getattr(error, "problem", None) or error).split())
        yield Finding("error", file, mark.line + 1 if mark is not None else 1, "", "", f"is no YAML: {words}")
    except RecursionError:
        yield Finding("error", file, loader.line + 1, "", "", "is nested too deep to be read; no object of Serin is")
    finally:
        loader.dispose()


def ours(document: Document) -> bool:
    """Whether an object is of Serin's group, in whatever version."""
    return str(document.raw.get("apiVersion") or "").partition("/")[0] == GROUP


def check(found: Sequence[Document]) -> Iterator[Finding | Subject]:
    """Check the objects of Serin: a finding for each fault, and what can be advised upon for those without."""
    good: list[tuple[Document, ModelDeployment]] = []
    policies: list[tuple[Document, RolloutPolicy]] = []
    for document in found:
        faults = list(_faults(document))
        yield from faults
        if any(fault.level == "error" for fault in faults):
            continue
        parsed = _parse(document)
        match parsed:
            case ModelDeployment():
                good.append((document, parsed))
            case RolloutPolicy():
                policies.append((document, parsed))
            case InvalidSpec():
                yield finding(document, "error", parsed.field, parsed.message)
            case RolloutAction() | None:
                pass  # an act goes by no policy: there is nothing to advise
    used = set()
    for document, md in good:
        subject = _resolve(document, md, policies)
        yield subject
        if md.spec.rollout.policy_ref is not None:
            used.add((document.namespace, md.spec.rollout.policy_ref.name))
    for document, policy in policies:
        if (document.namespace, document.name) not in used:
            yield _alone(document, policy)


def _faults(document: Document) -> Iterator[Finding]:
    version = document.raw.get("apiVersion")
    if version != API_VERSION:
        yield finding(document, "error", "apiVersion", f"must be {API_VERSION}, not {version}")
    elif document.kind not in _specs():
        yield finding(document, "error", "kind", f"there is no such kind; there are {', '.join(_specs())}")
    elif document.kind == "ModelRevision":
        yield finding(document, "warning", "kind", "revisions are made by Serin from a ModelDeployment; remove it")
    else:
        for path in unknown_fields(_specs()[document.kind], document.raw.get("spec"), "spec"):
            yield finding(document, "error", path, "there is no such field; correct or remove it")


@cache
def _specs() -> dict[str, Schema]:
    versions = {kind.name: crd.definition(kind)["spec"]["versions"][0] for kind in crd.KINDS}
    return {name: one["schema"]["openAPIV3Schema"]["properties"]["spec"] for name, one in versions.items()}


def _parse(document: Document) -> ModelDeployment | RolloutPolicy | RolloutAction | InvalidSpec | None:
    match document.kind:
        case "ModelDeployment":
            return parse_model_deployment(document.raw)
        case "RolloutPolicy":
            return parse_rollout_policy(document.raw)
        case "RolloutAction":
            return parse_rollout_action(_named(document.raw))
        case _:
            return None


def _named(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """With a name: an act is made once, so it may leave its name to the API server (generateName)."""
    metadata = raw.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("generateName") and not metadata.get("name"):
        return {**raw, "metadata": {**metadata, "name": metadata["generateName"]}}
    return raw


def _resolve(
    document: Document, md: ModelDeployment, policies: Sequence[tuple[Document, RolloutPolicy]]
) -> Subject | Finding:
    reference = md.spec.rollout.policy_ref
    named = None
    if reference is not None:
        same = (one for at, one in policies if at.name == reference.name and at.namespace == document.namespace)
        named = next(same, None)
        if named is None:
            words = f"RolloutPolicy {reference.name} is not among these files, so how it rolls out was not checked"
            return finding(document, "advice", "spec.rollout.policyRef.name", words)
    resolved = resolve_policy(md.spec.rollout, named)
    if isinstance(resolved, InvalidSpec):
        return finding(document, "error", resolved.field, resolved.message)
    return Subject(document, md, resolved)


def _alone(document: Document, policy: RolloutPolicy) -> Subject | Finding:
    """A policy that no deployment of these files uses, as one would that says nothing itself."""
    from serin.api.model_deployment import PolicyRef, Rollout

    resolved = resolve_policy(Rollout(policy_ref=PolicyRef(name=policy.metadata.name)), policy)
    if isinstance(resolved, InvalidSpec):
        return finding(document, "error", "spec.stages", resolved.message)
    return Subject(document, None, resolved)
