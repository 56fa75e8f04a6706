"""A container's variables and command, from its specification."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.agent.environment import (
    ConfigError,
    Sources,
    command,
    expand,
    field,
    references,
    resource,
    variables,
)

NOTHING = Sources(configmaps={}, secrets={})
POD: dict[str, Any] = {
    "metadata": {
        "name": "iris-0",
        "namespace": "ml",
        "uid": "u1",
        "labels": {"app": "iris", "tier": 'a"b'},
        "annotations": {"note": "n"},
    },
    "spec": {"nodeName": "local", "serviceAccountName": "robot", "containers": []},
}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("$(A)$(B)", "12"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_expansion(text: str, want: str) -> None:
    """Only `$(NAME)` of a known name is replaced, and a doubled dollar keeps it from being so."""
    assert expand(text, {"A": "1", "B": "2"}) == want


def test_later_variables_see_earlier_ones_only() -> None:
    """A variable may refer to those above it; to one below it is text."""
    container = {"env": [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "x$(A)"}]}
    seen = variables(container, POD, "10.244.0.1", NOTHING)
    assert (seen["A"], seen["B"]) == ("$(B)", "x$(B)")


def test_env_overrides_env_from() -> None:
    """A variable given by name wins over the same name from a whole ConfigMap; prefixes apply to the latter."""
    sources = Sources(configmaps={"c": {"A": "from", "B": "from"}}, secrets={})
    container = {
        "envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "P_", "configMapRef": {"name": "c"}}],
        "env": [{"name": "A", "value": "own"}],
    }
    seen = variables(container, POD, "", sources)
    assert (seen["A"], seen["B"], seen["P_A"]) == ("own", "from", "from")


@pytest.mark.parametrize("optional", [True, False])
def test_missing_key(optional: bool) -> None:
    """A missing key leaves an optional variable out and holds a container that requires it."""
    reference = {"name": "s", "key": "k", "optional": optional}
    container = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": reference}}]}
    if optional:
        assert "A" not in variables(container, POD, "", NOTHING)
    else:
        with pytest.raises(ConfigError, match="key 'k' of secret 's' not found"):
            variables(container, POD, "", NOTHING)


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("metadata.name", "iris-0"),
        ("metadata.namespace", "ml"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "iris"),
        ("metadata.labels['absent']", ""),
        ("metadata.annotations['note']", "n"),
        ("metadata.labels", 'app="iris"\ntier="a\\"b"'),
        ("status.podIP", "10.244.0.9"),
        ("spec.nodeName", "local"),
        ("spec.serviceAccountName", "robot"),
    ],
)
def test_fields(path: str, want: str) -> None:
    """The downward API gives the pod's own facts."""
    assert field(path, POD, "10.244.0.9") == want


@pytest.mark.parametrize(
    ("reference", "want"),
    [
        ({"resource": "limits.memory"}, str(512 << 20)),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "512"),
        ({"resource": "requests.cpu"}, "1"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "requests.memory"}, "0"),
        ({"resource": "limits.cpu"}, "64"),
    ],
)
def test_resources(reference: dict[str, str], want: str) -> None:
    """Limits and requests are divided and rounded up; a limit nobody set is the whole node."""
    container = {"name": "c", "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "250m"}}}
    assert resource(reference, container, POD) == want


def test_command_needs_a_program() -> None:
    """Arguments alone need an image's entry point, which nobody has here."""
    assert command({"command": ["run", "$(A)"], "args": ["$(B)"]}, {"A": "1"}) == ["run", "1", "$(B)"]
    with pytest.raises(ConfigError, match="no command"):
        command({"args": ["x"]}, {})


def test_references_name_what_to_fetch() -> None:
    """Everything the environment mentions is found, each once."""
    container = {
        "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}},
            {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "c", "key": "k"}}},
        ],
    }
    assert references(container) == {("configmaps", "a"), ("secrets", "b"), ("secrets", "c")}
