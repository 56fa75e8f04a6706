"""values.schema.json: closed, complete, and with the limits of the operator's own configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from serin.controller.config import Artifacts, Config, LeaderElection, Listen
from serin.metrics.presets import PRESETS
from serin.metrics.source import DIALECTS, MetricSource
from tests.unit.charts.helm import refused
from tests.unit.charts.objects import CHART, Json, load

VALUES = load(CHART / "values.yaml")
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
CONFIG = SCHEMA["properties"]["config"]["properties"]
SOURCE = CONFIG["metricSources"]["items"]["properties"]

# Kubernetes' own types, which the API server checks; only their outermost fields are known here.
OPEN = {
    "affinity.nodeAffinity",
    "affinity.podAffinity",
    "affinity.podAntiAffinity",
    "extraVolumes[]",
    "global",
    "networkPolicy.egress.rules[].to[]",
    "networkPolicy.metricsFrom[].namespaceSelector",
    "networkPolicy.metricsFrom[].podSelector",
}


def _objects(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every schema of an object, with its path."""
    if schema.get("type") == "object":
        yield path.removeprefix("."), schema
    for name, one in schema.get("properties", {}).items():
        yield from _objects(one, f"{path}.{name}")
    if "items" in schema:
        yield from _objects(schema["items"], f"{path}[]")


def test_no_object_takes_what_it_does_not_know() -> None:
    """Its fields are listed, or it is a map whose values have a type."""
    found = {path for path, schema in _objects(SCHEMA) if "additionalProperties" not in schema}
    assert found == OPEN
    for path, schema in _objects(SCHEMA):
        if schema.get("additionalProperties") is not False and path not in OPEN:
            assert schema["additionalProperties"].get("type"), path
            assert "properties" not in schema, path


def test_every_value_has_a_schema_and_every_schema_a_value() -> None:
    """But for Helm's own `global`, and what the operator has defaults for."""
    assert SCHEMA["properties"].keys() == VALUES.keys() | {"global"}
    for name, schema in SCHEMA["properties"].items():
        if schema.get("additionalProperties") is False and name not in {"config", "affinity"}:
            assert schema["properties"].keys() == VALUES[name].keys(), name
    for name, schema in SCHEMA["properties"]["metrics"]["properties"].items():
        assert schema["properties"].keys() == VALUES["metrics"][name].keys(), name


def test_the_schema_knows_every_field_of_the_configuration() -> None:
    """But for those that the chart sets by itself."""
    assert set(CONFIG) == _fields(Config) - {"namespaces"}
    assert set(CONFIG["leaderElection"]["properties"]) == _fields(LeaderElection) - {"namespace", "name"}
    assert set(CONFIG["listen"]["properties"]) == _fields(Listen) - {"port"}
    assert set(CONFIG["artifacts"]["properties"]) == _fields(Artifacts)
    assert set(SOURCE) == _fields(MetricSource)
    assert SOURCE["preset"]["enum"] == list(PRESETS)
    assert SOURCE["kind"]["enum"] == list(DIALECTS)


def _fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength")


@pytest.mark.parametrize(
    ("model", "properties"),
    [(Config, CONFIG), (LeaderElection, CONFIG["leaderElection"]["properties"]), (MetricSource, SOURCE)],
    ids=["config", "leaderElection", "metricSources"],
)
def test_limits_are_those_of_the_code(model: type[BaseModel], properties: Json) -> None:
    """What the chart lets pass the operator can start with, as far as one field alone says."""
    wanted = model.model_json_schema()["properties"]
    for name, schema in properties.items():
        alternatives = [wanted[name], *wanted[name].get("anyOf", ())]
        if wanted[name].get("format") == "uri":
            continue  # how long and of which scheme: below
        limits = {key: one[key] for one in alternatives for key in (*LIMITS, "pattern") if key in one}
        assert {key: schema[key] for key in (*LIMITS, "pattern") if key in schema} == limits, name


def _sets(name: str, value: Any) -> list[str]:
    return ["--set-json", f"{name}={json.dumps(value)}"]


URL = {"url": "http://prometheus:9090"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("replica", 2, "'replica' not allowed"),
        ("replicas", "two", "'/replicas'"),
        ("image.tags", "1", "at '/image'"),
        ("image.digest", "sha256:1", "'/image/digest'"),
        ("imagePullSecrets", ["registry"], "'/imagePullSecrets/0'"),
        ("config.metricSource", "x", "'metricSource' not allowed"),
        ("config.metricSources", [{}], "missing property 'url'"),
        ("config.metricSources", [{"url": "prometheus:9090"}], "'/config/metricSources/0/url'"),
        ("config.metricSources", [URL | {"preset": "nginx"}], "'/config/metricSources/0/preset'"),
        ("config.metricSources", [URL | {"intervalSeconds": 0.5}], "'/config/metricSources/0/intervalSeconds'"),
        ("config.leaderElection", {"name": "mine"}, "'name' not allowed"),
        ("namespaces", ["Shop"], "'/namespaces/0'"),
        ("logLevel", "trace", "'/logLevel'"),
        ("metrics.rules.enabled", "yes", "'/metrics/rules/enabled'"),
        ("metrics.podMonitor.interval", "often", "'/metrics/podMonitor/interval'"),
        ("networkPolicy.egress.ports", [0], "'/networkPolicy/egress/ports/0'"),
        ("networkPolicy.metricsFrom", [{"podSelectors": {}}], "'podSelectors' not allowed"),
        ("resources.limit", {"memory": "1Gi"}, "at '/resources'"),
        ("tolerations", [{"effect": "Never"}], "'/tolerations/0/effect'"),
        ("podAnnotations", {"a": 1}, "'/podAnnotations/a'"),
        ("affinity.pod", {}, "at '/affinity'"),
        ("extraVolumeMounts", [{"name": "token", "mountPath": "token"}], "'/extraVolumeMounts/0/mountPath'"),
        # What no schema can see is found by the chart itself.
        ("config.metricSources", [URL, URL], "config.metricSources[1].name: default is there twice"),
        ("config.metricSources", [URL | {"lookbackSeconds": 60}], "config.metricSources[0].lookbackSeconds"),
        ("config.metricSources", [URL | {"tenant": "ml"}], "config.metricSources[0].tenant"),
        ("config.leaderElection", {"enabled": False}, "config.leaderElection.enabled"),
        (
            "metrics",
            {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}},
            "metrics.serviceMonitor.enabled",
        ),
    ],
)
def test_a_bad_value_is_named(name: str, value: Any, words: str) -> None:
    """Before anything is applied."""
    assert words in refused(*_sets(name, value))


@pytest.mark.parametrize(
    "source",
    [
        URL | {"lookbackSeconds": 60},
        URL | {"tenant": "ml"},
        URL | {"kind": "victoriametrics", "tenant": "ml"},
        URL | {"intervalSeconds": 1.5},
        {"url": "ftp://prometheus"},
    ],
)
def test_the_operator_would_not_start_with_what_the_chart_refuses(source: Json) -> None:
    """The chart's own checks repeat rules of the code; none is stricter."""
    with pytest.raises(ValueError, match=r"lookbackSeconds|tenant|intervalSeconds|url"):
        Config.model_validate({"metricSources": [source]})
    assert refused(*_sets("config.metricSources", [source]))
