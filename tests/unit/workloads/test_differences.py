"""Whether an apply would change anything."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.workloads import desired_deployment, differs, slot_service
from tests.unit.workloads.builders import deployment, revision

Json = dict[str, Any]


def pod(**fields: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "model", **fields}]}}}}


def test_what_is_not_there_differs() -> None:
    """An object that is missing has to be made."""
    assert differs({}, None)


def test_defaults_of_the_api_server_are_no_difference() -> None:
    """The live object holds much that nobody set."""
    md = deployment()
    desired = desired_deployment(md, revision(md), "a", 2)
    live = copy.deepcopy(desired)
    live["metadata"] |= {
        "uid": "1",
        "resourceVersion": "7",
        "annotations": {"deployment.kubernetes.io/revision": "1"},
    }
    live["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = "25%"
    template = live["spec"]["template"]["spec"]
    template |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}}
    template["containers"][0] |= {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
    }
    template["containers"][0]["readinessProbe"] |= {"successThreshold": 1, "failureThreshold": 3}
    template["containers"][0]["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    live["status"] = {"replicas": 2}
    assert not differs(desired, live)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), 3),
        (("spec", "strategy", "rollingUpdate", "maxUnavailable"), 1),
        (("metadata", "labels", "serin.dev/slot"), "b"),
        (("spec", "template", "metadata", "labels", "serin.dev/slot"), "b"),
        (("spec", "template", "spec", "containers", 0, "image"), "other:1"),
        (("spec", "template", "spec", "containers", 0, "env", 1, "value"), "3"),
        (("spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port"), 9090),
        (("metadata", "ownerReferences", 0, "controller"), False),
    ],
)
def test_a_change_of_a_field_that_we_set_is_seen(path: tuple[Any, ...], value: Any) -> None:
    """Whoever edits what is ours, the next apply puts it back."""
    md = deployment()
    desired = desired_deployment(md, revision(md), "a", 2)
    live = copy.deepcopy(desired)
    holder: Any = live
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    assert differs(desired, live)


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        pytest.param(
            pod(resources={"limits": {"memory": "1024Mi", "cpu": 0.5}}),
            pod(resources={"limits": {"memory": "1Gi", "cpu": "500m"}}),
            id="quantities",
        ),
        pytest.param(pod(args=[]), pod(), id="an empty list is dropped"),
        pytest.param(pod(tty=False), pod(), id="false is dropped"),
        pytest.param(
            pod(env=[{"name": "EMPTY", "value": ""}]),
            pod(env=[{"name": "EMPTY"}]),
            id="an empty text is dropped",
        ),
        pytest.param(
            pod(ports=[{"containerPort": 80}]),
            pod(ports=[{"containerPort": 80, "protocol": "TCP"}]),
            id="a port without protocol is TCP",
        ),
        pytest.param({"spec": {"targetPort": "80"}}, {"spec": {"targetPort": 80}}, id="int or string"),
        pytest.param(
            pod(env=[{"name": "A", "value": "1"}]),
            pod(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
            id="a variable that somebody else added, in any order",
        ),
    ],
)
def test_other_ways_of_writing_are_no_difference(desired: Json, live: Json) -> None:
    """The API server writes some values in its own way."""
    assert not differs(desired, live)


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        pytest.param(
            pod(resources={"limits": {"memory": "1G"}}),
            pod(resources={"limits": {"memory": "1Gi"}}),
            id="G, Gi",
        ),
        pytest.param(pod(env=[{"name": "A", "value": "1.0"}]), pod(env=[{"name": "A", "value": "1"}]), id="texts"),
        pytest.param(pod(args=["a", "b"]), pod(args=["a", "b", "c"]), id="an atomic list is longer"),
        pytest.param(pod(args=["a", "b"]), pod(args=["b", "a"]), id="an atomic list in another order"),
        pytest.param(
            {"spec": {"selector": {"a": "1"}}},
            {"spec": {"selector": {"a": "1", "b": "2"}}},
            id="a selector is atomic",
        ),
        pytest.param(
            {"spec": {"rules": [{"backendRefs": [{"name": "iris-a", "weight": 0}]}]}},
            {"spec": {"rules": [{"backendRefs": [{"name": "iris-a"}]}]}},
            id="an absent weight is 1, not 0",
        ),
        pytest.param(
            {"spec": {"rules": [{"backendRefs": [{"name": "iris-a"}]}]}},
            {"spec": {"rules": [{"backendRefs": [{"name": "iris-a"}, {"name": "evil"}]}]}},
            id="a backend that somebody added to our route",
        ),
        pytest.param({"spec": {"replicas": 0}}, {"spec": {"replicas": 2}}, id="zero is not two"),
    ],
)
def test_real_differences_are_seen(desired: Json, live: Json) -> None:
    """What an apply would change is never taken for noise."""
    assert differs(desired, live)


def fields(*, labels: tuple[str, ...]) -> Json:
    return {
        "f:metadata": {"f:labels": {".": {}, **{f"f:{label}": {} for label in labels}}},
        "f:spec": {
            "f:ports": {'k:{"port":8080,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:targetPort": {}}},
            "f:selector": {},
        },
    }


@pytest.mark.parametrize(
    ("managed", "want"),
    [
        pytest.param([], False, id="no managedFields: nothing is known of it"),
        pytest.param(
            [{"manager": "serin", "operation": "Apply", "fieldsV1": fields(labels=("serin.dev/slot",))}],
            False,
            id="all that we own is still wanted",
        ),
        pytest.param(
            [
                {
                    "manager": "serin",
                    "operation": "Apply",
                    "fieldsV1": fields(labels=("serin.dev/slot", "team")),
                }
            ],
            True,
            id="a label of an earlier apply is not wanted any more",
        ),
        pytest.param(
            [{"manager": "kubectl", "operation": "Apply", "fieldsV1": fields(labels=("team",))}],
            False,
            id="what others own is theirs",
        ),
        pytest.param(
            [{"manager": "serin", "operation": "Update", "fieldsV1": fields(labels=("team",))}],
            False,
            id="an apply removes nothing that an update wrote",
        ),
        pytest.param(
            [
                {
                    "manager": "serin",
                    "operation": "Apply",
                    "fieldsV1": {"f:spec": {"f:ports": {'k:{"port":9090,"protocol":"TCP"}': {".": {}}}}},
                }
            ],
            True,
            id="a port of an earlier apply is not wanted any more",
        ),
    ],
)
def test_what_an_apply_would_remove_is_a_difference(managed: list[Json], want: bool) -> None:
    """A field that we set once and do not set now goes with the next apply, which must therefore be made."""
    desired = slot_service(deployment(), "a")
    live = copy.deepcopy(desired)
    live["metadata"]["managedFields"] = managed
    live["metadata"]["labels"]["team"] = "ml"
    assert differs(desired, live) == want


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "a", "1Gi"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "env", "ports", "weight", "limits"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["spec", "data"]), JSON))
def test_nothing_differs_from_itself(thing: Json) -> None:
    """Any object, applied over itself, changes nothing."""
    assert not differs(thing, copy.deepcopy(thing))
