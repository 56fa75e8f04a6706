"""The Job that pins a uri, and what is made of its words."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from serin.api.model_revision import ModelRevision, PinnedArtifact
from serin.cli.main import main
from serin.workloads import Fetcher, desired_deployment, desired_revision
from serin.workloads.fetch import fetched_pin
from serin.workloads.fetching import Fetching
from serin.workloads.jobs import LABEL_JOB
from serin.workloads.resolve import Artifact, is_unpinned, resolution, resolve_job, resolve_name
from tests.unit.workloads.builders import deployment, revision

Json = dict[str, Any]
DIGEST = f"sha256:{'1' * 64}"
FETCHER = Fetcher("serin-artifacts:1", ("serin",), allow_http=True)
RESOLVED = {"outcome": "resolved", "uri": "oci://r/iris@sha256:2", "digest": DIGEST, "size": 7, "media": "directory"}
NAME = "iris-r-0123456789"


def job(condition: str | None = None) -> Json:
    conditions = [{"type": condition, "status": "True", "reason": "R", "message": "M"}] if condition else []
    labels = {"serin.dev/container": "serin-resolve"}
    return {"metadata": {"name": NAME, "labels": labels}, "status": {"conditions": conditions}}


def pod(message: str | None, code: int = 0, at: str = "2026-11-28T09:00:00Z", of: str = NAME) -> Json:
    """A pod of the Job that has ended."""
    ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "message": message}
    return {
        "metadata": {"name": "p", "creationTimestamp": at, "labels": {LABEL_JOB: of}},
        "status": {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "serin-resolve", "state": {"terminated": ended}}],
        },
    }


def failed(reason: str, field: str = "spec.model.uri") -> str:
    return json.dumps({"outcome": "failed", "reason": reason, "field": field, "message": "words", "retry": False})


def state(found: Artifact | Fetching) -> str:
    return found.state if isinstance(found, Fetching) else "resolved"


def test_the_job_asks_as_whom_and_with_what_the_pods_will_fetch() -> None:
    """Service account, credentials, limits and cache of the model; none of its labels, which selectors may match."""
    spec = {"serviceAccountName": "reader", "nodeSelector": {"gpu": "no"}, "containers": [{"name": "m", "image": "i"}]}
    md = deployment(
        uri="s3://models/$(HOME)/2",
        template={"metadata": {"labels": {"app": "shop"}}, "spec": spec},
        fetch={
            "cache": {"hostPath": {"path": "/cache"}, "sizeLimit": "2Gi"},
            "envFrom": [{"secretRef": {"name": "store"}}],
            "maxBytes": "1Gi",
            "timeout": "10m",
        },
    )
    made = resolve_job(md, revision(md), NAME, FETCHER)
    template = made["spec"]["template"]
    assert "app" not in template["metadata"]["labels"]
    assert "serin.dev/revision" not in template["metadata"]["labels"]
    assert template["spec"]["serviceAccountName"] == "reader"
    assert template["spec"]["nodeSelector"] == {"gpu": "no"}
    (container,) = template["spec"]["containers"]
    assert container["command"] == ["serin", "artifact", "resolve"]
    assert container["args"] == [
        *("--cache", "/mnt/serin/cache", "--cache-bytes", "2Gi", "--max-bytes", "1Gi", "--timeout", "600"),
        *("--allow-http", "s3://models/$$(HOME)/2"),
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert [one["name"] for one in template["spec"]["volumes"]] == ["serin-model-cache"]
    assert made["spec"]["activeDeadlineSeconds"] == 900


def test_another_attempt_asks_again_under_another_name() -> None:
    assert resolve_name("iris", "iris-2-abcde", 1) == resolve_name("iris", "iris-2-abcde", 1)
    assert len({resolve_name("iris", "iris-2-abcde", attempt) for attempt in (1, 2, 3)}) == 3


def test_pods_fetch_what_was_pinned_and_nobody_vouches_for_it() -> None:
    """So pickles stay refused; and a Deployment alone still tells by which digest it fetches."""
    md = deployment(uri="s3://models/iris/2", fetch={})
    raw = desired_revision(md)
    assert is_unpinned(raw)
    raw["status"] = {"artifact": {"digest": DIGEST}}
    assert not is_unpinned(raw)
    built = desired_deployment(md, ModelRevision.model_validate(raw), "b", 1, fetcher=FETCHER)
    pod = built["spec"]["template"]["spec"]
    args = pod["initContainers"][0]["args"]
    assert args[args.index("--resolved-digest") + 1] == DIGEST
    assert "--digest" not in args
    assert {"name": "SERIN_MODEL_DIGEST", "value": DIGEST} in pod["containers"][0]["env"]
    assert fetched_pin(built) == PinnedArtifact(digest=DIGEST)


@pytest.mark.parametrize(
    ("sentence", "uri", "asked_for"),
    [
        ("an alias became a version", "models:/iris/3", "models:/iris/3"),
        ("the source has no better name", "models:/iris@champion", None),
        ("it was cut to fit into the Job's answer", "models:/iri…", None),
        ("nothing of it is a variable to the kubelet", "models:/$(AWS_SECRET)/3", "models:/$$(AWS_SECRET)/3"),
        ("an older operator kept the digest alone", None, None),
    ],
)
def test_pods_read_what_the_uri_meant_when_it_was_pinned(sentence: str, uri: str | None, asked_for: str | None) -> None:
    """An alias that moved would else leave a new pod of what serves without its files."""
    raw = desired_revision(md := deployment(uri="models:/iris@champion", fetch={}))
    raw["status"] = {"artifact": {"digest": DIGEST, "uri": uri}}
    built = desired_deployment(md, ModelRevision.model_validate(raw), "b", 1, fetcher=FETCHER)
    args = built["spec"]["template"]["spec"]["initContainers"][0]["args"]
    assert (args[args.index("--resolved-uri") + 1] if "--resolved-uri" in args else None) == asked_for, sentence
    assert args[-1] == "models:/iris@champion"
    assert fetched_pin(built) == PinnedArtifact(digest=DIGEST, uri=uri if asked_for else None), "the record can be lost"


@pytest.mark.parametrize("model", [{}, {"uri": "s3://m/2"}, {"uri": "s3://m/2", "digest": DIGEST, "fetch": {}}])
def test_nothing_else_is_asked_for(model: Json) -> None:
    """Not what is in the image, what the container fetches itself, or what somebody pinned."""
    assert not is_unpinned(desired_revision(deployment(**model)))


def test_an_answer_is_taken_with_what_it_says_for_the_record() -> None:
    found = resolution(NAME, job("Complete"), [pod(json.dumps(RESOLVED))])
    assert found == Artifact(DIGEST, "oci://r/iris@sha256:2", 7, "directory")
    assert isinstance(found, Artifact)
    assert found.to_status() == {
        "digest": DIGEST,
        "uri": "oci://r/iris@sha256:2",
        "sizeBytes": 7,
        "mediaType": "directory",
    }


@pytest.mark.parametrize(
    ("sentence", "live", "pods", "expected"),
    [
        ("it is not there yet", None, [], "running"),
        ("it has just begun", job(), [], "running"),
        ("a success before its Job has ended", job(), [pod(json.dumps(RESOLVED))], "running"),
        ("its pod is not seen yet", job("Complete"), [], "running"),
        ("the pod of another Job", job("Complete"), [pod(json.dumps(RESOLVED), of="other")], "running"),
        ("a try failed, others follow", job(), [pod(failed("SourceUnavailable"), 75)], "unavailable"),
        ("it gave up", job("Failed"), [pod(failed("SourceUnavailable"), 75)], "unavailable"),
        ("nothing is there", job("Failed"), [pod(failed("ArtifactNotFound"), 1)], "unavailable"),
        ("it is too large", job("Failed"), [pod(failed("TooLarge"), 1)], "refused"),
        ("it was killed", job("Failed"), [pod(None, 137)], "unavailable"),
        ("it babbled", job("Complete"), [pod("hello")], "unavailable"),
        ("a success in words that failed in deed", job("Failed"), [pod(json.dumps(RESOLVED), 0)], "unavailable"),
        ("no digest", job("Complete"), [pod(json.dumps(RESOLVED | {"digest": "md5:1"}))], "unavailable"),
        ("a digest that is none", job("Complete"), [pod(json.dumps(RESOLVED | {"digest": "sha256:x"}))], "unavailable"),
    ],
)
def test_what_is_no_answer(sentence: str, live: Json | None, pods: list[Json], expected: str) -> None:
    """Whatever cannot be read is no artifact, and nothing against the model."""
    assert state(resolution(NAME, live, pods)) == expected, sentence


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """A claim in which a training job left a pickle."""
    (tmp_path / "claims" / "models").mkdir(parents=True)
    (tmp_path / "claims" / "models" / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    return tmp_path / "claims"


@pytest.mark.parametrize(("allowed", "reason"), [(False, "Unsafe"), (True, None)])
@pytest.mark.parametrize("program", ["the Job that pins", "the init container that fetches"])
def test_pickles_that_nobody_pinned_are_taken_where_an_administrator_allows_them(
    tmp_path: Path, claims: Path, program: str, allowed: bool, reason: str | None
) -> None:
    """The command lines that the operator builds, run: both programs go by artifacts.allowPickles alone."""
    md = deployment(uri="pvc://models/model.pkl", fetch={})
    fetcher = Fetcher("serin-artifacts:1", ("serin",), allow_pickles=allowed)
    if program == "the Job that pins":
        (container,) = resolve_job(md, revision(md), NAME, fetcher)["spec"]["template"]["spec"]["containers"]
    else:
        raw = desired_revision(md)
        pickled = (claims / "models" / "model.pkl").read_bytes()
        raw["status"] = {"artifact": {"digest": f"sha256:{hashlib.sha256(pickled).hexdigest()}"}}
        built = desired_deployment(md, ModelRevision.model_validate(raw), "b", 1, fetcher=fetcher)
        container = built["spec"]["template"]["spec"]["initContainers"][0]
    here = {"/mnt/serin/model": tmp_path / "model", "/mnt/serin/claims": claims}
    log = tmp_path / "termination-log"
    words = [*container["command"][1:], "--termination-log", str(log), *container["args"]]
    code = main([str(here.get(word, word)) for word in words])
    said = json.loads(log.read_text())
    assert (code, said.get("reason")) == (1 if reason else 0, reason)
    if reason:
        assert "artifacts.allowPickles" in said["message"]


def test_a_job_of_an_older_operator_is_heard_by_the_name_of_its_only_container() -> None:
    """It does not say which container answers, and all of its pod that is not injected is ours."""
    old = job("Complete")
    del old["metadata"]["labels"]
    assert state(resolution(NAME, old, [pod(json.dumps(RESOLVED))])) == "resolved"
    loud = pod(json.dumps(RESOLVED))
    loud["status"]["containerStatuses"][0]["name"] = "proxy"
    assert state(resolution(NAME, old, [loud])) != "resolved"
