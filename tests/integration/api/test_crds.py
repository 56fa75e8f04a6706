"""The CRDs on a real API server: accepted, explained, filled in, scaled, waited for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from serin.api.quantities import TEXT_MAX, Seconds
from tests.cluster import Cluster, ClusterError
from tests.integration.api.conftest import ROOT, Api
from tests.unit.api.builders import deployment, deployment_with_plan, policy, revision

KINDS = ("modeldeployments", "modelrevisions", "rolloutpolicies")


def test_the_crds_are_accepted_without_a_remark(cluster: Cluster) -> None:
    """Structural, named without conflict, and every rule within the API server's cost limits."""
    for kind in KINDS:
        crd = json.loads(cluster.kubectl("get", "crd", f"{kind}.serin.dev", "-o", "json"))
        conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("path", sorted((ROOT / "manifests" / "samples").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_sample_is_accepted(cluster: Cluster, path: Any) -> None:
    """Strictly: no unknown field, no rule broken."""
    if "ml" not in cluster.kubectl("get", "namespaces"):
        cluster.kubectl("create", "namespace", "ml")
    answer = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert "created" in answer
    assert "Warning" not in answer


@pytest.mark.parametrize("kind", ["md", "mrev", "rp"])
def test_every_field_is_explained(cluster: Cluster, kind: str) -> None:
    """`kubectl explain` has words for each field, however deep."""
    for path in _paths(cluster.kubectl("explain", kind, "--recursive"), kind):
        words = cluster.kubectl("explain", path)
        assert "DESCRIPTION:" in words, path
        assert "<empty>" not in words, path
        assert "<no description>" not in words, path


def _paths(tree: str, kind: str) -> list[str]:
    """A dozen paths of the tree, the deepest first: explaining all of them would take a minute."""
    paths: list[tuple[str, ...]] = []
    way: list[str] = []
    for line in tree.partition("FIELDS:")[2].splitlines():
        name = line.split("\t")[0].strip()
        if "\t" not in line or not name:
            continue
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        way = [*way[:depth], name]
        paths.append(tuple(way))
    paths = [path for path in paths if path[0] in {"spec", "status"}]
    deepest = sorted(paths, key=len, reverse=True)[:12]
    assert deepest, f"no fields in {tree}"
    return [".".join((kind, *path)) for path in deepest]


def test_explain_reads_well(cluster: Cluster) -> None:
    """The words are the models' own."""
    answer = cluster.kubectl("explain", "md.spec.rollout.stages.canary.soak")
    assert "How long the stage lasts at least. Time without metrics and time on hold" in answer
    assert "A ModelDeployment serves a machine-learning model" in cluster.kubectl("explain", "md")


def test_the_smallest_resource_is_filled_in(api: Api) -> None:
    """Defaults stand in the stored object, so that people and tools see what holds."""
    stored = api.apply(deployment())
    assert stored["spec"]["serving"]["replicas"] == 1
    assert stored["spec"]["serving"]["protocol"] == "open-inference"
    assert stored["spec"]["traffic"]["httpRoute"]["path"] == "/"
    assert stored["spec"]["deletionPolicy"] == "Delete"
    assert stored["status"] == {"observedGeneration": -1}


def test_the_pod_template_is_kept_as_it_is(api: Api) -> None:
    """Fields that the partial schema does not name are stored, not pruned."""
    raw = deployment()
    pod = raw["spec"]["serving"]["template"]["spec"]
    pod |= {"terminationGracePeriodSeconds": 60, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    pod["containers"][0] |= {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    assert api.apply(raw)["spec"]["serving"]["template"]["spec"] == pod


def test_scale_sets_replicas(api: Api) -> None:
    """`kubectl scale` and autoscalers work on the resource itself, and read pods and selector from its status."""
    api.apply(deployment())
    status = {"status": {"replicas": 3, "selector": "serin.dev/deployment=iris"}}
    api.patch("md", "iris", status, "--subresource=status")
    api.kubectl("scale", "md", "iris", "--replicas=5")
    assert api.get("md", "iris")["spec"]["serving"]["replicas"] == 5
    scale = json.loads(
        api.kubectl("get", "--raw", f"/apis/serin.dev/v1alpha1/namespaces/{api.namespace}/modeldeployments/iris/scale")
    )
    assert scale["status"] == {"replicas": 3, "selector": "serin.dev/deployment=iris"}


def _ready(generation: int) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
        "observedGeneration": generation,
    }
    return {"status": {"observedGeneration": generation, "conditions": [condition]}}


def _wait(api: Api) -> str:
    return api.kubectl("wait", "md/iris", "--for=condition=Ready", "--timeout=1s")


def test_wait_does_not_return_on_an_old_true(api: Api) -> None:
    """Ready=True about the old spec does not answer for the new one."""
    api.apply(deployment())
    api.patch("md", "iris", _ready(1), "--subresource=status")
    assert "condition met" in _wait(api)
    api.patch("md", "iris", {"spec": {"model": {"version": "3"}}})
    with pytest.raises(ClusterError, match="timed out"):
        _wait(api)
    api.patch("md", "iris", _ready(2), "--subresource=status")
    assert "condition met" in _wait(api)


def test_a_write_of_the_status_leaves_the_spec_alone(api: Api) -> None:
    """Status is a subresource: its writer cannot change the spec, and its writes are no new generation."""
    api.apply(deployment())
    api.patch("md", "iris", _ready(1) | {"spec": {"model": {"version": "9"}}}, "--subresource=status")
    stored = api.get("md", "iris")
    assert stored["spec"]["model"]["version"] == "2"
    assert stored["metadata"]["generation"] == 1


def test_what_a_rollout_remembers_is_kept(api: Api) -> None:
    """Evidence and plan hold whatever the operator puts there."""
    api.apply(deployment())
    private = {"evidence": {"gates": [{"name": "errors", "rate": {"x": [1, 2.5]}}]}, "plan": {"new": True}}
    api.patch("md", "iris", {"status": {"rollout": {"attempt": 1} | private}}, "--subresource=status")
    stored = api.get("md", "iris")["status"]["rollout"]
    assert {name: stored[name] for name in private} == private


def test_columns_say_how_a_rollout_stands(api: Api) -> None:
    """`kubectl get md` is the first thing that people look at."""
    api.apply(deployment())
    status = _ready(1)["status"]
    status["conditions"] += [{**status["conditions"][0], "type": "Promoted", "status": "False", "reason": "RollingOut"}]
    status |= {
        "stable": {"revision": "iris-1-x", "version": "1", "slot": "a"},
        "candidate": {"revision": "iris-2-y", "version": "2", "slot": "b"},
        "rollout": {"stage": "half", "weight": 50, "verdict": "undecided"},
    }
    api.patch("md", "iris", {"status": status}, "--subresource=status")
    header, row = api.kubectl("get", "md").splitlines()
    assert header.split() == "NAME STABLE CANDIDATE STAGE WEIGHT VERDICT REASON READY AGE".split()  # noqa: SIM905
    assert row.split()[:-1] == ["iris", "1", "2", "half", "50", "undecided", "RollingOut", "True"]


def test_two_owners_share_a_list_by_name(api: Api) -> None:
    """With server-side apply one team can own a gate of a policy that another team owns."""
    api.apply(policy(), "--server-side", "--field-manager=platform")
    own = policy()
    own["spec"] = {"gates": [{"name": "extra", "hard": {"restarts": 0}}]}
    stored = api.apply(own, "--server-side", "--field-manager=team")
    assert [gate["name"] for gate in stored["spec"]["gates"]] == ["errors", "slow", "slo", "unsold", "pods", "extra"]


def test_the_largest_plan_is_within_the_cost_of_one_request(api: Api) -> None:
    """16 gates and 16 stages that list all of them: rules are priced when they run, too."""
    names = [f"g{number:02}-{'x' * 59}" for number in range(16)]
    gates = [
        {"name": name, "compare": {"what": "serverErrors", "margin": {"plus": "0.2pp"}, "tolerance": "0.05pp"}}
        for name in names
    ]
    stages: list[dict[str, Any]] = [
        {"name": f"s{number}", "canary": {"weight": 5 * number + 1, "soak": "1m", "gates": names}}
        for number in range(15)
    ]
    stages.append({"name": "bake", "bake": {"for": "1h", "gates": names}})
    raw = deployment_with_plan()
    raw["spec"]["rollout"] |= {"gates": gates, "stages": stages}
    assert len(api.apply(raw)["spec"]["rollout"]["stages"]) == 16


_CHANGES: dict[str, Any] = {
    "the hash": [{"op": "replace", "path": "/spec/contentHash", "value": "sha256:1"}],
    "the version": [{"op": "replace", "path": "/spec/model/version", "value": "3"}],
    "a training parameter": [{"op": "replace", "path": "/spec/model/lineage/parameters", "value": {"trees": "9"}}],
    "a field of the pod": [
        {"op": "replace", "path": "/spec/serving/template/spec/terminationGracePeriodSeconds", "value": 31}
    ],
    "one more field of the pod": [{"op": "add", "path": "/spec/serving/template/spec/hostNetwork", "value": True}],
    # A rule on an object that declares some of its fields lets these three pass: their number stays the same.
    "one field of the pod for another": [
        {"op": "remove", "path": "/spec/serving/template/spec/terminationGracePeriodSeconds"},
        {"op": "add", "path": "/spec/serving/template/spec/hostNetwork", "value": True},
    ],
    "one field of a container for another": [
        {"op": "remove", "path": "/spec/serving/template/spec/containers/0/env"},
        {"op": "add", "path": "/spec/serving/template/spec/containers/0/command", "value": ["sh"]},
    ],
    "the value of a variable": [
        {"op": "replace", "path": "/spec/serving/template/spec/containers/0/env/0/value", "value": "2"}
    ],
    "the whole template": [{"op": "remove", "path": "/spec/serving/template"}],
    "the template's pod": [{"op": "replace", "path": "/spec/serving/template", "value": {"metadata": {}}}],
    "the whole spec": [{"op": "remove", "path": "/spec"}],
    "the spec by null": {"spec": None},
}


def test_a_revision_never_changes(api: Api) -> None:
    """Whatever is changed in its spec, in whatever way, is refused, and the words say how it is done instead."""
    stored = api.apply(revision())
    for what, patch in _CHANGES.items():
        with pytest.raises(ClusterError) as refusal:
            api.patch("mrev", "iris-2-abcde", patch)
        words = str(refusal.value)
        assert "spec of a ModelRevision never changes" in words or "Required value" in words, what
    assert api.get("mrev", "iris-2-abcde")["spec"] == stored["spec"]


def test_the_status_of_a_revision_does_change(api: Api) -> None:
    """Immutability is the spec's; what became of a revision is written down later."""
    api.apply(revision())
    entry = {"at": "2026-11-21T12:00:00Z", "event": "Promoted", "numbers": {"gates": [{"name": "errors"}]}}
    status = {"verdict": "Stable", "wasStable": True, "record": [entry], "recordTotals": {"Promoted": 1}}
    api.patch("mrev", "iris-2-abcde", {"status": status}, "--subresource=status")
    stored = api.get("mrev", "iris-2-abcde")["status"]
    assert stored["record"][0]["numbers"] == entry["numbers"]
    assert stored["recordTotals"] == {"Promoted": 1}


def test_what_a_revisions_files_are_is_written_once(api: Api) -> None:
    """Not even whoever may write the status can make its pods fetch others, and all else in it can be written."""
    api.apply(revision())
    first, other = ({"digest": f"sha256:{digit * 64}", "uri": "s3://b/i?versionId=1"} for digit in "12")
    api.patch("mrev", "iris-2-abcde", {"status": {"artifact": first}}, "--subresource=status")
    for change in ({"artifact": other}, {"artifact": {"uri": "s3://b/j"}}, {"artifact": None}):
        with pytest.raises(ClusterError, match=r"status.artifact never changes"):
            api.patch("mrev", "iris-2-abcde", {"status": change}, "--subresource=status")
    api.patch("mrev", "iris-2-abcde", {"status": {"verdict": "Stable"}}, "--subresource=status")
    stored = api.get("mrev", "iris-2-abcde")["status"]
    assert (stored["artifact"], stored["verdict"]) == (first, "Stable")


_BATCH = 16
_TEXTS = st.one_of(
    st.text(alphabet="0123456789.hms -", max_size=12),
    st.from_regex(r"([0-9]{1,6}(\.[0-9]{1,4})?(h|m|s|ms)){1,5}", fullmatch=True).map(lambda text: text[:TEXT_MAX]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=TEXT_MAX),
)


@settings(max_examples=25, deadline=None, phases=[Phase.generate])  # shrinking would ask the server for minutes
@given(texts=st.lists(_TEXTS, min_size=_BATCH, max_size=_BATCH))
def test_the_api_server_and_the_models_accept_the_same_durations(cluster: Cluster, texts: list[str]) -> None:
    """There is one accept set: 400 texts, of which the API server names those that it refuses."""
    gates = [
        {"name": f"g{index}", "compare": {"what": "slowerThan", "objective": text}} for index, text in enumerate(texts)
    ]
    raw = policy(gates=gates, stages=[{"name": "s", "canary": {"weight": 1, "soak": "1m"}}])
    try:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(raw))
        refused: set[int] = set()
    except ClusterError as error:
        words = str(error)
        refused = {index for index in range(_BATCH) if f"spec.gates[{index}].compare.objective" in words}
        assert refused, words
    assert refused == {index for index, text in enumerate(texts) if not Seconds.accepts(text)}
