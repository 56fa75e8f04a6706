"""The Job of a validate stage, and what a Job says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from serin.api.names import Slot
from serin.api.stages import Validate, Warmup
from serin.cli.main import _parser
from serin.cli.report_place import asked_place
from serin.workloads.evaluation import ANNOTATION, has_image, stage_job
from serin.workloads.jobs import Ended, Running, job_state
from tests.unit.workloads.builders import deployment

Json = dict[str, Any]

EVALUATION: Json = {
    "task": "classification",
    "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "species"}],
    "gates": [{"name": "good", "metric": "accuracy", "min": 0.9}],
    "endpoint": {"protocol": "openInference", "model": "iris"},
}


def build(template: Json | None = None, *, stable: Slot | None = "a", **more: Any) -> Json:
    """The Job of a stage with this template."""
    raw = {"evaluation": EVALUATION, **({"template": template} if template is not None else {}), **more}
    request = json.dumps(Validate.model_validate(raw).to_dict())
    return stage_job(
        deployment(),
        "evaluate",
        request,
        name="iris-v-1",
        stage="holdout",
        revision="iris-2-ab",
        attempt=3,
        candidate="b",
        stable=stable,
        image="s",
    )


def pod_of(job: Json) -> Json:
    found: Json = job["spec"]["template"]["spec"]
    return found


def test_it_belongs_to_its_deployment_and_its_pods_to_no_slot() -> None:
    """A pod with the slot's label would get users' requests, one with the revision's would count as the candidate's."""
    job = build()
    assert job["metadata"]["ownerReferences"][0]["uid"] == "uid-iris"
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "serin",
        "serin.dev/deployment": "iris",
        "serin.dev/job": "iris-v-1",
        "serin.dev/stage": "holdout",
    }


def test_both_arms_are_asked_at_their_own_services() -> None:
    config = json.loads(build()["spec"]["template"]["metadata"]["annotations"][ANNOTATION])
    assert config == {
        "task": "classification",
        "revision": "iris-2-ab",
        "attempt": 3,
        "datasets": EVALUATION["datasets"],
        "gates": EVALUATION["gates"],
        "endpoints": {
            "candidate": {"protocol": "openInference", "model": "iris", "url": "http://iris-b.ml.svc:8080"},
            "stable": {"protocol": "openInference", "model": "iris", "url": "http://iris-a.ml.svc:8080"},
        },
    }


def test_a_first_revision_is_asked_alone() -> None:
    """Gates that compare with stable are left out, and a program of the user's finds no address of it."""
    no_worse = {"name": "no-worse", "metric": "accuracy", "maxDropVersusStable": 0.01}
    job = build(stable=None, evaluation={**EVALUATION, "gates": [no_worse, *EVALUATION["gates"]]})
    config = json.loads(job["spec"]["template"]["metadata"]["annotations"][ANNOTATION])
    assert set(config["endpoints"]) == {"candidate"}
    assert config["gates"] == EVALUATION["gates"]
    names = {one["name"] for one in pod_of(job)["containers"][0]["env"]}
    assert names == {"SERIN_REVISION", "SERIN_CANDIDATE_URL"}


def test_the_configuration_is_a_file_in_the_pod() -> None:
    """By the downward API: no ConfigMap is made, so no right to any is needed."""
    pod = pod_of(build())
    (container,) = pod["containers"]
    assert container["command"] == ["serin", "evaluate"]
    assert container["args"][:2] == ["--config", "/etc/serin/evaluation/evaluation.yaml"]
    volume = next(one for one in pod["volumes"] if one["name"] == "serin-evaluation")
    (item,) = volume["downwardAPI"]["items"]
    assert item["fieldRef"]["fieldPath"] == "metadata.annotations['serin.dev/evaluation']"
    assert {"name": "serin-evaluation", "mountPath": "/etc/serin/evaluation", "readOnly": True} in container[
        "volumeMounts"
    ]


def test_a_pod_that_was_taken_away_costs_no_try() -> None:
    spec = build(deadline="90s")["spec"]
    assert spec["activeDeadlineSeconds"] == 90
    assert spec["backoffLimit"] == 2
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "Ignore"
    assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert pod_of(build())["restartPolicy"] == "Never"


def test_what_the_user_says_stands() -> None:
    """Volumes, a program of theirs, a place for reports, a sidecar."""
    mine = {
        "name": "evaluate",
        "image": "mine:1",
        "command": ["judge"],
        "args": [],
        "env": [{"name": "TOKEN", "value": "x"}],
        "volumeMounts": [{"name": "kept", "mountPath": "/reports"}],
    }
    kept = {"name": "kept", "persistentVolumeClaim": {"claimName": "reports"}}
    template = {
        "metadata": {"labels": {"team": "ml"}, "annotations": {"note": "x"}},
        "spec": {"serviceAccountName": "judge", "containers": [{"name": "side"}, mine], "volumes": [kept]},
    }
    job = build(template)
    pod = pod_of(job)
    assert pod["serviceAccountName"] == "judge"
    assert job["spec"]["template"]["metadata"]["labels"]["team"] == "ml"
    assert job["spec"]["template"]["metadata"]["annotations"]["note"] == "x"
    container = pod["containers"][1]
    assert (container["image"], container["command"], container["args"]) == ("mine:1", ["judge"], [])
    names = [one["name"] for one in container["env"]]
    assert names == ["TOKEN", "SERIN_REVISION", "SERIN_CANDIDATE_URL", "SERIN_STABLE_URL"]
    assert [one["name"] for one in pod["volumes"]] == ["kept", "serin-evaluation"]
    assert build(template) == job, "nothing of the user's own object was changed"


def arguments(job: Json) -> dict[str, str]:
    """The options of the container evaluate."""
    container = next(one for one in pod_of(job)["containers"] if one["name"] == "evaluate")
    return dict(zip(container["args"][::2], container["args"][1::2], strict=True))


def test_a_report_goes_to_the_bucket_under_the_name_of_the_attempt() -> None:
    """With the store's credentials beside what the user's own template brings, and no folder of the pod's."""
    secret = {"secretRef": {"name": "store"}}
    own = {"name": "evaluate", "envFrom": [{"configMapRef": {"name": "mine"}}]}
    job = build({"spec": {"containers": [own]}}, report={"uri": "s3://reports/ml", "keep": 5, "envFrom": [secret]})
    told = arguments(job)
    assert told["--report-uri"] == "s3://reports/ml"
    assert told["--report-name"] == "ml/iris/iris-2-ab.3.holdout"
    assert told["--report-keep"] == "5"
    assert "--output" not in told
    (container,) = pod_of(job)["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "mine"}}, secret]
    assert [one["name"] for one in pod_of(job)["volumes"]] == ["serin-evaluation"]


def test_a_claim_is_mounted_where_the_program_looks_for_it() -> None:
    """As a whole, and to be written to: the folder in it may have to be made."""
    job = build(report={"uri": "pvc://kept/reports/ml"})
    told = arguments(job)
    (container,) = pod_of(job)["containers"]
    assert {"name": "serin-report-claim", "persistentVolumeClaim": {"claimName": "kept"}} in pod_of(job)["volumes"]
    assert {"name": "serin-report-claim", "mountPath": f"{told['--claims']}/kept"} in container["volumeMounts"]
    assert told["--report-keep"] == "20"


def test_a_slow_store_has_a_minute_that_is_not_the_evaluations() -> None:
    """The answer is there by then; a deadline that cut it off would throw a verdict away."""
    job = build(deadline="90s", report={"uri": "s3://reports/ml"})
    assert job["spec"]["activeDeadlineSeconds"] == 90 + float(arguments(job)["--report-seconds"])


def test_the_program_takes_what_the_job_tells_it() -> None:
    """Two halves of one contract: what is built here is what the command line reads, name and all."""
    for uri in ("s3://reports/ml", "pvc://kept/ml"):
        told = [word for pair in arguments(build(report={"uri": uri})).items() for word in pair]
        place = asked_place(_parser().parse_args(["evaluate", *told]))
        assert place is not None
        assert (place.uri, place.name, place.keep) == (uri, "ml/iris/iris-2-ab.3.holdout", 20)


@pytest.mark.parametrize(
    ("template", "want"),
    [
        (None, False),
        ({"spec": {"containers": [{"name": "other", "image": "x"}]}}, False),
        ({"spec": {"containers": [{"name": "evaluate", "image": "x"}]}}, True),
    ],
)
def test_a_stage_says_itself_what_runs_or_not(template: Json | None, want: bool) -> None:
    raw = {"evaluation": EVALUATION, **({"template": template} if template else {})}
    assert has_image("evaluate", json.dumps(raw)) is want


def test_a_warm_up_is_told_everything_in_seconds() -> None:
    """Its program knows no units, and has a container of its own name."""
    request = json.dumps(Warmup.model_validate({"objective": "300ms", "within": "2m"}).to_dict())
    job = stage_job(
        deployment(),
        "warmup",
        request,
        name="iris-v-2",
        stage="warm",
        revision="iris-2-ab",
        attempt=3,
        candidate="b",
        stable="a",
        image="s",
    )
    assert json.loads(job["spec"]["template"]["metadata"]["annotations"][ANNOTATION]) == {
        "revision": "iris-2-ab",
        "url": "http://iris-b.ml.svc:8080",
        "model": "iris",
        "request": None,
        "window": 20,
        "withinSeconds": 120.0,
        "timeoutSeconds": 30.0,
        "objectiveSeconds": 0.3,
    }
    assert job["spec"]["activeDeadlineSeconds"] == 240, "two minutes more, for the pod to start and to speak"
    (container,) = pod_of(job)["containers"]
    assert (container["name"], container["command"]) == ("warmup", ["serin", "warmup"])
    assert [one["name"] for one in pod_of(job)["volumes"]] == ["serin-evaluation"], "it keeps no reports"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "classification"}, "datasets is required"),
        (EVALUATION | {"revision": "x"}, "filled in by Serin"),
        (EVALUATION | {"endpoints": {}}, "filled in by Serin"),
        (EVALUATION | {"slices": ["x" * 33_000]}, "at most 32768 bytes"),
    ],
)
def test_an_evaluation_that_cannot_be_one_is_refused(wrong: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Validate.model_validate({"evaluation": wrong})


OVER = datetime(2026, 11, 21, 12, 10, tzinfo=UTC).timestamp()


def job(**conditions: str) -> Json:
    """A Job with these conditions."""
    why = {"reason": "Because", "message": "of it", "lastTransitionTime": "2026-11-21T12:10:00Z"}
    found = [{"type": kind, "status": status, **why} for kind, status in conditions.items()]
    labels = {"serin.dev/container": "evaluate"}
    return {"metadata": {"name": "iris-v-1", "labels": labels}, "status": {"conditions": found}}


def pod(message: str | None, created: str = "2026-11-21T12:00:00Z", of: str = "iris-v-1") -> Json:
    """A pod that ended with words."""
    terminated = {"exitCode": 0, **({"message": message} if message is not None else {})}
    return {
        "metadata": {"labels": {"serin.dev/job": of}, "creationTimestamp": created},
        "status": {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "evaluate", "state": {"terminated": terminated}}],
        },
    }


def test_a_job_without_a_final_condition_runs() -> None:
    """A pod of it may have failed, or its node may be gone: Kubernetes starts another."""
    assert job_state(job(), [pod("an answer")]) == Running()
    assert job_state(job(), []) == Running()
    assert job_state(job(SuccessCriteriaMet="True", Complete="False"), [pod("an answer")]) == Running()


def test_a_pod_that_no_node_takes_says_why_the_job_waits() -> None:
    """A claim that is not there is what the scheduler says of it; of an earlier pod it says nothing."""
    why = 'persistentvolumeclaim "kept" not found'
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    first, second = pod(None), pod(None, created="2026-11-21T12:05:00Z")
    first["status"] = {"phase": "Pending", "conditions": [unplaced]}
    assert job_state(job(), [first]) == Running(why)
    assert job_state(job(), [second, first]) == Running()
    first["status"]["conditions"] = [unplaced | {"message": "x" * 5000}]
    assert job_state(job(), [first]) == Running("x" * 300)


def test_the_last_pod_that_said_something_is_the_answer() -> None:
    pods = [
        pod("second", "2026-11-21T12:05:00Z"),
        pod("first"),
        pod(None, "2026-11-21T12:09:00Z"),
        pod("x", of="other"),
    ]
    assert job_state(job(Complete="True"), pods) == Ended("second", at=OVER, heard=True)
    assert job_state(job(Failed="True"), pods) == Ended("second", "Because: of it", at=OVER, heard=True)


def test_of_a_pod_only_the_programs_own_container_speaks() -> None:
    """A proxy that was injected, or a helper of the template, says what it likes at its end."""

    def saying(name: str, message: str) -> Json:
        return {"name": name, "state": {"terminated": {"exitCode": 0, "message": message}}}

    sidecar, own = saying("warmup", '{"verdict": "pass"}'), saying("evaluate", "mine")
    loud = pod(None)
    loud["status"]["containerStatuses"] = [sidecar, own]
    assert job_state(job(Complete="True"), [loud]) == Ended("mine", at=OVER)
    loud["status"] |= {"containerStatuses": [sidecar], "initContainerStatuses": [own]}
    assert job_state(job(Complete="True"), [loud]) == Ended("", at=OVER), "a sidecar of Kubernetes' own is none either"


def test_of_a_job_that_does_not_say_who_speaks_only_the_container_that_its_question_names_does() -> None:
    """An older operator has made it. A container of another name is believed no more than beside a label."""
    old, loud = job(Complete="True"), pod("mine")
    del old["metadata"]["labels"]
    sidecar = {"name": "warmup", "state": {"terminated": {"exitCode": 0, "message": '{"verdict": "pass"}'}}}
    loud["status"]["containerStatuses"].insert(0, sidecar)
    assert job_state(old, [loud], "evaluate") == Ended("mine", at=OVER)
    assert job_state(old, [loud]) == Ended("", at=OVER), "nobody knows who speaks"
    loud["status"]["containerStatuses"] = [sidecar]
    assert job_state(old, [loud], "evaluate") == Ended("", at=OVER)
    assert job_state(job(Complete="True"), [loud], "warmup") == Ended("", at=OVER), "the Job's own word goes before"


def test_the_job_says_which_container_speaks() -> None:
    """By its label, for of a Job nothing else is remembered."""
    assert build()["metadata"]["labels"]["serin.dev/container"] == "evaluate"


def test_a_job_can_be_over_before_its_pod_has_been_heard() -> None:
    """They come by two watches; on a busy machine the pod's was seconds behind, and a pass was taken for silence."""
    running = {"metadata": pod(None)["metadata"], "status": {"phase": "Running"}}
    for pods in ([], [running], [pod("x", of="other")]):
        assert job_state(job(Complete="True"), pods) == Ended("", at=OVER, heard=False)
    assert job_state(job(Complete="True"), [pod(None)]) == Ended("", at=OVER, heard=True), "it has nothing to say"
