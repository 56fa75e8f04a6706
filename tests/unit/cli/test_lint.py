"""`lint`: what would be refused, what will not do what was meant, and nothing about what is well."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serin.cli.files import read_manifests
from serin.cli.job_faults import job_faults
from serin.plugin.advice import Setting, advise
from serin.plugin.findings import Lint, exit_code, render_findings
from serin.plugin.manifests import Document, Finding, Subject, check, documents, ours
from serin.plugin.projection import Traffic
from tests.unit.api.bad_resources import BAD, BAD_ACTIONS, Bad
from tests.unit.api.builders import action, deployment, policy
from tests.unit.docs.pages import ROOT

Raw = dict[str, Any]

GOOD: Raw = {
    "gates": [
        {"name": "errors", "compare": {"what": "serverErrors"}},
        {"name": "pods", "hard": {"restarts": 2}},
    ],
    "stages": [
        {"name": "small", "canary": {"weight": 10, "soak": "2m"}},
        {"name": "half", "canary": {"weight": 50, "soak": "5m"}},
        {"name": "bake", "bake": {"for": "30m"}},
    ],
}


def good(**rollout: Any) -> Raw:
    """A ModelDeployment with which nothing is wrong; keyword arguments replace parts of spec.rollout."""
    raw = deployment(rollout=GOOD | rollout)
    container = raw["spec"]["serving"]["template"]["spec"]["containers"][0]
    container["image"] = f"registry.example/iris@sha256:{'0' * 64}"
    return raw


def linted(*raws: Raw, setting: Setting | None = None) -> list[Finding]:
    """All findings about some objects, written as YAML and read again."""
    text = yaml.safe_dump_all(raws)
    found = list(documents("some.yaml", text))
    results = list(check([one for one in found if isinstance(one, Document) and ours(one)]))
    findings = [one for one in [*found, *results] if isinstance(one, Finding)]
    return findings + [
        one for result in results if isinstance(result, Subject) for one in advise(result, setting or Setting())
    ]


def said(*raws: Raw, setting: Setting | None = None) -> list[str]:
    """The findings as 'level field: message'."""
    return [f"{one.level} {one.field}: {one.message}" for one in linted(*raws, setting=setting)]


def test_there_is_nothing_to_say_about_what_is_well() -> None:
    assert said(good(), setting=Setting(traffic=Traffic(100.0, 0.001, {}), preset="traefik")) == []


REFUSED = [one for one in [*BAD, *BAD_ACTIONS] if not one.server_words.startswith("Too long")]


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_what_the_api_server_refuses_is_an_error(bad: Bad) -> None:
    """The table that the API server is tried with too."""
    findings = linted(bad.raw())
    assert "error" in {one.level for one in findings}
    assert any(bad.field in f"{one.field}.{one.message}" for one in findings)


@pytest.mark.parametrize("path", sorted((ROOT / "manifests" / "samples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_samples_have_no_error(path: Any) -> None:
    raws = [raw for raw in yaml.safe_load_all(path.read_text()) if raw]
    assert [one for one in said(*raws) if one.startswith("error")] == []


def test_what_a_job_could_not_be_made_of_is_an_error_at_its_field() -> None:
    """The API server takes any evaluation and any template of a Job; here it is said before it is applied."""
    evaluation = {"task": "regression", "datasets": [], "gates": 5, "endpoint": {}}
    stages = [{"name": "holdout", "validate": {"evaluation": evaluation}}, *GOOD["stages"]]
    words = "error spec.rollout.stages[0].validate.evaluation.gates: must be a list of objects"
    assert any(one.startswith(words) for one in said(good(stages=stages)))


@pytest.mark.parametrize("ends", ["[]", "{}"])
def test_a_file_that_is_nested_too_deep_is_an_error_with_its_name(tmp_path: Path, ends: str) -> None:
    """And no traceback; the documents before it are read."""
    opening = "[" if ends == "[]" else "{a: "
    path = tmp_path / "deep.yaml"
    path.write_text("kind: Other\n---\n" + opening * 3000 + ends[1] * 3000)
    found, faults = read_manifests([str(path)])
    assert [one.kind for one in found] == ["Other"]
    assert [(one.level, one.file, one.line) for one in faults] == [("error", str(path), 3)]
    assert "nested too deep" in faults[0].message


def test_an_unknown_field_is_an_error_at_its_path() -> None:
    """The API server prunes it without a word when validation is not strict."""
    raw = good()
    raw["spec"]["serving"]["replica"] = 3
    assert said(raw) == ["error spec.serving.replica: there is no such field; correct or remove it"]


@pytest.mark.parametrize(
    ("rollout", "want"),
    [
        (
            {"stages": [{"name": "small", "canary": {"weight": 10, "soak": "10s"}}, *GOOD["stages"][1:]]},
            (
                "warning stage small: its soak of 10 s is shorter than a scrape interval (15 s): it is over before a"
                " sample of it can be seen; take 45 s or more"
            ),
        ),
        (
            {"timeouts": {"progress": "30m"}},
            (
                "error spec.rollout.timeouts.progress: timeouts.progress, 30m, is over before the soaks are (37m"
                " together), so that no rollout could end; give it more, or soak for less"
            ),
        ),
        (
            {"gates": [GOOD["gates"][0] | {"required": False}, GOOD["gates"][1]]},
            "warning gates: no gate that counts is required: any candidate that stays up is promoted; require one",
        ),
        (
            {"gates": GOOD["gates"][:1]},
            (
                "advice gates: no hard gate is required: a candidate that crashes is only found by its failed requests;"
                " add one"
            ),
        ),
        (
            {"stages": [{"name": "s", "canary": {"weight": 10, "soak": "2m", "gates": ["pods"]}}, *GOOD["stages"][1:]]},
            "warning stage s: no required gate that counts is looked at here: a bad candidate gets through it unseen",
        ),
        (
            {"stages": GOOD["stages"][:2]},
            "advice stages: there is no bake: the old revision goes as soon as the last canary stage has passed",
        ),
        (
            {"stages": [*GOOD["stages"][:2], {"name": "bake", "bake": {"for": "30m", "holdback": 0}}]},
            (
                "advice stage bake: with holdback 0 nothing is left to compare with: only limits and hard gates are"
                " judged in it"
            ),
        ),
        (
            {"stages": GOOD["stages"][1:]},
            (
                "advice stage half: the first 50 % of the requests go to a candidate that nothing is known about; begin"
                " with less, or let excessFailures find the weight"
            ),
        ),
        (
            {"paused": True},
            "warning spec.rollout.paused: it is paused: no rollout will advance until this manifest says otherwise",
        ),
    ],
)
def test_each_thing_that_will_not_do_what_was_meant_is_said(rollout: Raw, want: str) -> None:
    """And nothing else is."""
    assert said(good(**rollout)) == [want]


def test_the_last_canary_stage_looks_at_all_gates_whatever_it_lists() -> None:
    stages = [GOOD["stages"][0], {"name": "half", "canary": {"weight": 50, "soak": "5m", "gates": ["pods"]}}]
    assert said(good(stages=[*stages, GOOD["stages"][2]])) == []


def test_an_approval_stage_has_no_soak_that_could_be_too_short() -> None:
    """It waits for people; the stage before it has had its samples."""
    sign_off = {"name": "sign-off", "approval": {"expires": "24h"}}
    assert said(good(stages=[*GOOD["stages"][:2], sign_off, GOOD["stages"][2]])) == []


def test_a_stage_before_the_first_request_has_no_soak_either() -> None:
    """And it is no reason to call the first canary stage something else than the first step."""
    warm = {"name": "warm", "warmup": {}}
    assert said(good(stages=[warm, *GOOD["stages"]])) == []
    big = {"name": "big", "canary": {"weight": 60, "soak": "5m"}}
    (advice,) = said(good(stages=[warm, big, GOOD["stages"][2]]))
    assert "the first 60 % of the requests" in advice


def test_there_is_nothing_to_say_about_an_act_that_can_be_made() -> None:
    assert said(action()) == []
    unnamed = action() | {"metadata": {"generateName": "iris-approve-"}}
    assert said(unnamed) == []


def test_an_unknown_field_of_an_act_is_an_error_too() -> None:
    """`stages` for `stage` would approve whatever stage waits."""
    assert said(action(stages="sign-off")) == ["error spec.stages: there is no such field; correct or remove it"]


def test_a_margin_is_held_against_the_traffic_when_that_is_known() -> None:
    slow = Setting(traffic=Traffic(0.1, 0.001, {}))
    (finding,) = said(good(), setting=slow)
    assert finding.startswith("warning gates: this traffic can never resolve the margin: at 0.1 requests/s gate errors")
    assert "points would do" in finding
    assert said(good()) == []


@pytest.mark.parametrize("where", ["the policy", "what auto stands for"])
def test_a_gate_without_data_is_an_error(where: str) -> None:
    gates = [{"name": "client", "compare": {"what": "clientErrors"}}, *GOOD["gates"]]
    metrics = {"metrics": {"preset": "triton"}} if where == "the policy" else {}
    (finding,) = said(good(gates=gates, **metrics), setting=Setting(preset="triton"))
    assert finding.startswith("error gate client: has no data with the preset triton: ")


def test_a_preset_that_there_is_not_is_an_error() -> None:
    (finding,) = said(good(metrics={"preset": "nginx"}))
    assert finding.startswith("error metrics.preset: there is no preset nginx; there are ")


def test_a_query_that_is_no_counter_is_an_error() -> None:
    query = {"total": "sum(rate(a{${arm}}[5m]))", "bad": "b{${arm}}"}
    (finding,) = said(good(gates=[{"name": "unsold", "query": query}, *GOOD["gates"]]))
    assert finding.startswith("error gate unsold: query.total gives no data: ")


def test_an_image_without_a_digest_is_advised_upon() -> None:
    raw = good()
    raw["spec"]["serving"]["template"]["spec"]["containers"][0]["image"] = "registry.example/iris:3"
    (finding,) = said(raw)
    assert finding.startswith("advice container model: registry.example/iris:3 may become another image")


def test_a_server_without_a_readiness_probe_where_none_is_made_up() -> None:
    raw = good()
    assert said(raw) == []  # the Open Inference Protocol has an endpoint of its own
    raw["spec"]["serving"]["protocol"] = "http"
    (finding,) = said(raw)
    assert finding.startswith("warning spec.serving.template: no container has a readinessProbe")
    raw["spec"]["serving"]["template"]["spec"]["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": "/", "port": 1}
    }
    assert said(raw) == []


def test_a_policy_is_taken_from_the_same_files_and_namespace() -> None:
    md = good()
    md["spec"]["rollout"] = {"policyRef": {"name": "careful"}}
    careful = policy(
        stages=[{"name": "one", "canary": {"weight": 1, "soak": "5s"}}, GOOD["stages"][2]], gates=GOOD["gates"]
    )
    (finding,) = linted(md, careful)
    assert (finding.object, finding.field) == ("ModelDeployment iris", "stage one")
    careful["metadata"]["namespace"] = "elsewhere"
    levels = [(one.level, one.object) for one in linted(md, careful)]
    assert levels == [("advice", "ModelDeployment iris"), ("warning", "RolloutPolicy careful")]


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"apiVersion": "serin.dev/v1"}, "error apiVersion: must be serin.dev/v1alpha1, not serin.dev/v1"),
        ({"kind": "ModelDeploy"}, "error kind: there is no such kind; there are "),
        ({"kind": "ModelRevision"}, "warning kind: revisions are made by Serin from a ModelDeployment; remove it"),
    ],
)
def test_an_object_of_serins_group_is_never_passed_over(changes: Raw, want: str) -> None:
    (finding,) = said(good() | changes)
    assert finding.startswith(want)


def test_other_objects_are_passed_over() -> None:
    assert said({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}, good()) == []


def test_objects_in_a_list_are_found() -> None:
    raw = good(paused=True)
    assert len(said({"apiVersion": "v1", "kind": "List", "items": [raw, raw]})) == 2


def test_text_that_is_no_yaml_is_an_error_with_its_line() -> None:
    first, fault = documents("some.yaml", "a: 1\n---\nb: [\n")
    assert isinstance(first, Document)
    assert isinstance(fault, Finding)
    assert (fault.level, fault.line) == ("error", 4)


def test_findings_are_printed_by_file_and_line_with_a_sum() -> None:
    some = [
        Finding("advice", "b.yaml", 1, "ModelDeployment x", "f", "m"),
        Finding("warning", "a.yaml", 9, "ModelDeployment y", "f", "m"),
        Finding("error", "a.yaml", 9, "ModelDeployment y", "f", "m"),
    ]
    assert render_findings(Lint(2, tuple(some))).plain.splitlines() == [
        "a.yaml:9: error: ModelDeployment y: f: m",
        "a.yaml:9: warning: ModelDeployment y: f: m",
        "b.yaml:1: advice: ModelDeployment x: f: m",
        "2 objects: 1 error, 1 warning, 1 advice",
    ]


@pytest.mark.parametrize(
    ("level", "strict", "code"),
    [("error", False, 1), ("warning", False, 0), ("warning", True, 1), ("advice", True, 0)],
)
def test_only_what_would_be_refused_fails_unless_strict(level: Any, strict: bool, code: int) -> None:
    assert exit_code(Lint(1, (Finding(level, "", 1, "", "", ""),)), strict=strict) == code


# --- what a Job would refuse ------------------------------------------------------------------------------------------

EVALUATION: Raw = {
    "task": "classification",
    "classes": [0, 1],
    "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "class"}],
    "endpoint": {"protocol": "openInference", "model": "iris", "answer": {"prediction": "class"}},
    "gates": [{"name": "good", "metric": "accuracy", "maxDropVersusStable": 0.01}],
}


def jobs(*raws: Raw) -> list[str]:
    """What is said of the Jobs, as 'level field: message'."""
    results = check([one for one in documents("some.yaml", yaml.safe_dump_all(raws)) if isinstance(one, Document)])
    found = [one for result in results if isinstance(result, Subject) for one in job_faults(result)]
    return [f"{one.level} {one.field}: {one.message}" for one in found]


def of_uri(uri: str, **model: Any) -> Raw:
    """A ModelDeployment of this uri."""
    raw = good()
    raw["spec"]["model"] |= {"uri": uri, **model}
    return raw


def judged(evaluation: Raw, **validate: Any) -> Raw:
    """A ModelDeployment whose first stage asks for this evaluation."""
    return good(stages=[{"name": "holdout", "validate": {"evaluation": evaluation, **validate}}, *GOOD["stages"]])


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://", "write s3://bucket/key"),
        ("models:/iris@champion@x", "write models:/name/3 for a version"),
        ("ftp://store/iris", "the scheme 'ftp' is not supported"),
        ("https://store/iris?token=x", "it holds a credential"),
    ],
)
def test_a_uri_that_no_fetch_can_read_is_said(uri: str, words: str) -> None:
    """Only where one is asked for: without, it is the container's to read."""
    (found,) = jobs(of_uri(uri, fetch={}))
    assert found.startswith("error spec.model.uri: ")
    assert words in found
    assert jobs(of_uri(uri)) == []


def test_a_uri_that_can_be_read_is_well() -> None:
    """Plain http, too: whether it is good enough is in the operator's configuration."""
    for uri in ("s3://models/iris/2/", "models:/iris@champion", "http://store/iris"):
        assert jobs(of_uri(uri, fetch={})) == []


def test_an_evaluation_that_can_be_read_is_well() -> None:
    assert jobs(judged(EVALUATION)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"datasets": 7}, "evaluation.datasets: "),
        ({"asking": []}, "evaluation.asking: "),
        (
            {"gates": [{"name": "good", "metric": "acuracy", "min": 0.9}]},
            "evaluation: gates: good: acuracy is no measure",
        ),
        ({"endpoint": {"protocol": "carrierPigeon", "model": "iris"}}, "evaluation.endpoint.protocol: "),
    ],
)
def test_an_evaluation_that_the_program_would_refuse_is_said_once(changes: Raw, words: str) -> None:
    """With its field, as the manifest has it; of a program of one's own it may be what is wanted."""
    (found,) = jobs(judged(EVALUATION | changes))
    assert found.startswith(f"error stage holdout: {words}")
    template = {"spec": {"containers": [{"name": "evaluate", "image": "mine:1"}]}}
    assert jobs(judged(EVALUATION | changes, template=template)) == [found.replace("error", "warning", 1)]


def test_without_the_extra_an_evaluation_is_said_not_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin alone has no reader for it."""
    monkeypatch.setitem(sys.modules, "serin.evaluate.config", None)
    assert jobs(judged(EVALUATION | {"datasets": 7})) == [
        "advice stage holdout: its evaluation was not read; `pip install 'serin[evaluate]'` lets lint do it"
    ]
