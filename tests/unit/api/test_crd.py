"""The CRDs: current, structural, described everywhere, and with every rule of the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from serin.api import crd
from serin.api.gates import Gate
from serin.api.model_deployment import ModelDeployment, ModelDeploymentSpec
from serin.api.resource import ApiModel
from serin.api.schema import NotStructural, Schema, structural_schema, unknown_fields
from serin.api.status import Status
from tests.unit.api.builders import action, deployment_with_plan, policy, revision

ROOT = Path(__file__).parents[3]
DEFINITIONS = {kind.name: crd.definition(kind) for kind in crd.KINDS}


def _schema(kind: str) -> Schema:
    version = DEFINITIONS[kind]["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def _nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from _nodes(schema["additionalProperties"], f"{path}.*")


ALL = [(kind, path, node) for kind in DEFINITIONS for path, node in _nodes(_schema(kind))]
SPECS = [(kind, path, node) for kind, path, node in ALL if path.startswith(".spec")]


def test_the_files_are_current() -> None:
    """`make crds` has been run."""
    assert crd.stale(ROOT / "crds") == []


def test_stale_missing_and_left_over_files_are_found(tmp_path: Path) -> None:
    """--check fails for each, and writing puts all of them right."""
    crd.write(tmp_path)
    assert crd.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "serin.dev_modeldeployments.yaml").write_text("x: 1\n")
    (tmp_path / "serin.dev_rolloutpolicies.yaml").unlink()
    (tmp_path / "serin.dev_gone.yaml").write_text("")
    names = ["serin.dev_gone.yaml", "serin.dev_modeldeployments.yaml", "serin.dev_rolloutpolicies.yaml"]
    assert crd.stale(tmp_path) == names
    assert crd.main(["--check", str(tmp_path)]) == 1
    assert crd.main([str(tmp_path)]) == 0
    assert crd.stale(tmp_path) == []


def test_a_file_is_plain_yaml() -> None:
    """No anchors: people read these files and other tools patch them."""
    for kind in crd.KINDS:
        text = crd.render(kind)
        assert "&id" not in text
        assert yaml.safe_load(text) == DEFINITIONS[kind.name]


def test_every_field_has_a_description() -> None:
    """`kubectl explain` reads well everywhere, the parts of the pod template included."""
    bare = [
        f"{kind}{path}"
        for kind, path, node in ALL
        if "description" not in node and not path.endswith(("*", "[]", ".metadata")) and path
    ]
    assert bare == []


def test_every_description_is_a_sentence() -> None:
    """It starts with a capital letter and ends with a full stop."""
    odd = [
        f"{kind}{path}: {text}"
        for kind, path, node in ALL
        if (text := node.get("description")) and not (text[0].isupper() and text.endswith((".", ".)")))
    ]
    assert odd == []


def test_every_node_is_structural() -> None:
    """Each has one type and nothing that the API server would refuse or ignore."""
    for kind, path, node in ALL:
        assert node["type"] in {"object", "array", "string", "integer", "number", "boolean"}, f"{kind}{path}"
        assert not {"title", "anyOf", "$ref", "nullable"} & node.keys(), f"{kind}{path}"
        assert not ("properties" in node and "additionalProperties" in node), f"{kind}{path}"


def test_every_list_says_how_it_merges() -> None:
    """Server-side apply of two owners depends on it; the key of a list-map is required."""
    for kind, path, node in ALL:
        if node["type"] == "array":
            assert node["x-kubernetes-list-type"] in {"map", "set", "atomic"}, f"{kind}{path}"
            keys = node.get("x-kubernetes-list-map-keys", [])
            assert set(keys) <= set(node["items"].get("required", [])), f"{kind}{path}"


def test_everything_that_a_rule_may_look_at_is_bounded() -> None:
    """The API server prices a rule by the largest object that it may see."""
    for kind, path, node in SPECS:
        # Nobody writes ModelRevisions by hand, and annotations have no rules.
        if kind == "ModelRevision" or path.endswith("annotations.*"):
            continue
        if node["type"] == "string":
            # How long a time can be the API server knows.
            assert {"maxLength", "enum"} & node.keys() or node.get("format") == "date-time", f"{kind}{path}"
        if node["type"] == "array":
            assert node["maxItems"] <= 100, f"{kind}{path}"


def _classes(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for subclass in model.__subclasses__():
        yield from _classes(subclass)


def test_no_rule_is_lost() -> None:
    """Every rule of every model that is part of a resource stands in a CRD, word for word."""
    there = {
        (validation["rule"], validation["message"])
        for _, _, node in ALL
        for validation in node.get("x-kubernetes-validations", [])
    }
    lost = [
        (model.__name__, rule.message)
        for model in _classes(ApiModel)
        if issubclass(model, ApiModel)
        for rule in model.RULES
        if (rule.cel, rule.message) not in there
    ]
    assert lost == []


def test_a_message_names_a_field_or_stands_at_one() -> None:
    """Whoever reads it knows where to look, and what to write."""
    for kind, path, node in ALL:
        for validation in node.get("x-kubernetes-validations", []):
            assert 20 < len(validation["message"]) < 250, f"{kind}{path}"
            below = validation.get("fieldPath", "").removeprefix(".")
            place: Any = node
            for step in below.split(".") if below else ():
                place = place["properties"][step]


def test_an_object_has_a_status_from_the_start() -> None:
    """`kubectl wait` and kstatus compare observedGeneration; without one an object would count as healthy."""
    for kind in ("ModelDeployment", "ModelRevision", "RolloutAction"):
        status = _schema(kind)["properties"]["status"]
        assert status["default"] == {"observedGeneration": -1}
        assert status["properties"]["observedGeneration"]["default"] == -1


def test_columns_read_what_there_is() -> None:
    """Every column's path leads to a field of the schema."""
    for kind in crd.KINDS:
        schema = _schema(kind.name)
        for column in kind.columns:
            if column.path.startswith(".metadata"):
                continue
            node: Any = schema
            for step in column.path.split("[")[0].strip(".").split("."):
                node = node["properties"][step]
    columns = [column.name.upper() for column in crd.KINDS[0].columns if not column.wide]
    assert columns == "STABLE CANDIDATE STAGE WEIGHT VERDICT REASON READY AGE".split()  # noqa: SIM905


def test_names_are_those_that_people_type() -> None:
    """md, mrev, ra and rp; `kubectl get serin` lists all of them."""
    names = {kind: definition["spec"]["names"] for kind, definition in DEFINITIONS.items()}
    assert {kind: name["shortNames"] for kind, name in names.items()} == {
        "ModelDeployment": ["md"],
        "ModelRevision": ["mrev"],
        "RolloutAction": ["ra"],
        "RolloutPolicy": ["rp"],
    }
    assert all(name["categories"] == ["serin"] for name in names.values())


def test_what_is_private_to_the_operator_is_open() -> None:
    """An upgrade can remember more without the API server dropping it."""
    rollout = _schema("ModelDeployment")["properties"]["status"]["properties"]["rollout"]["properties"]
    for name in ("evidence", "plan"):
        assert rollout[name]["x-kubernetes-preserve-unknown-fields"] is True
    assert rollout["steps"]["items"]["x-kubernetes-preserve-unknown-fields"] is True


def test_defaults_are_those_of_the_models() -> None:
    """What the API server fills in is what an empty object means in Python."""
    spec = _schema("RolloutPolicy")["properties"]["spec"]["properties"]
    assert spec["timeouts"]["default"] == {"progress": "4h", "onTimeout": "Rollback"}
    margin = spec["gates"]["items"]["properties"]["compare"]["properties"]["margin"]
    assert margin["default"] == {"plus": "0.2pp", "ofStable": "25%", "max": "2pp"}
    assert {name: child["default"] for name, child in margin["properties"].items()} == margin["default"]


def test_a_model_that_cannot_be_said_is_refused() -> None:
    """A check that the API server would not make is an error when the CRDs are generated."""

    class Either(ApiModel):
        value: int | str

    with pytest.raises(NotStructural, match=r"Either\.value"):
        structural_schema(Either)


@pytest.mark.parametrize("raw", [deployment_with_plan(), policy(), revision(), action()], ids=lambda raw: raw["kind"])
def test_what_the_models_know_the_schema_knows(raw: dict[str, Any]) -> None:
    """Nothing of a full resource would be pruned."""
    assert unknown_fields(_schema(raw["kind"])["properties"]["spec"], raw["spec"]) == []


def test_what_would_be_pruned_is_found() -> None:
    """A field that is not in the schema is named with its path; private objects may hold anything."""
    schema = structural_schema(Status)
    value = {"phase": "Canary", "rollout": {"evidence": {"x": 1}, "gates": [{"name": "a", "typo": 1}]}, "new": 1}
    assert unknown_fields(schema, value) == ["rollout.gates[0].typo", "new"]


def test_a_field_keeps_its_own_words_and_the_types_explanation() -> None:
    """The first paragraph is the field's, what follows is the type's."""
    compare = structural_schema(Gate)["properties"]["compare"]["properties"]["margin"]["description"]
    assert compare == (
        "How much worse the candidate may be and still be promoted.\n\n"
        "It is plus + ofStable x stable's own rate, and at most max."
    )


def test_the_root_is_described() -> None:
    """`kubectl explain md` starts with what it is."""
    assert _schema("ModelDeployment")["description"].startswith("A ModelDeployment serves a machine-learning model")
    assert ModelDeployment.model_fields["spec"].annotation is ModelDeploymentSpec
