"""A model that is fetched, from the spec to the written Deployment: whose image, and when not at all."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serin.controller.config import Config
from serin.controller.twins import rejected_twin
from serin.workloads import desired_revision
from tests.unit.controller.clock import run
from tests.unit.controller.desk import CONFIG, Desk
from tests.unit.controller.test_apply_order import md
from tests.unit.workloads.builders import deployment

Json = dict[str, Any]
DIGEST = f"sha256:{'0' * 64}"


def configured(image: str | None, **more: Any) -> Config:
    """The operator's configuration with an image that fetches."""
    raw = CONFIG.model_dump(by_alias=True, exclude={"artifacts"})
    return Config.model_validate(raw | ({"artifacts": {"image": image, **more}} if image else {}))


def fetched(version: str, uri: str = "https://models.example/iris") -> Json:
    """A version whose files are fetched."""
    raw = copy.deepcopy(md(version))
    raw["spec"]["model"] |= {"uri": uri, "digest": DIGEST, "fetch": {}}
    return raw


def image_of(desk: Desk) -> list[str]:
    """What fetches in each Deployment."""
    return [
        obj["spec"]["template"]["spec"]["initContainers"][0]["image"]
        for (kind, _), obj in desk.kube.objects.items()
        if kind == "Deployment"
    ]


@pytest.mark.parametrize(
    ("config", "uri", "words"),
    [
        (configured(None), "https://models.example/iris", "artifacts.image"),
        (configured("a:1"), "http://models.example/iris", "artifacts.allowHttp"),
    ],
)
def test_what_the_operator_cannot_fetch_is_said_and_nothing_is_made(config: Config, uri: str, words: str) -> None:
    """InvalidSpec, with the field of the configuration that an administrator has to set."""

    async def story() -> None:
        desk = Desk(fetched("1", uri), config)
        await desk.look()
        stalled = desk.condition("Stalled")
        assert stalled["reason"] == "InvalidSpec"
        assert stalled["message"].startswith("spec.model.")
        assert words in stalled["message"]
        assert not any(kind == "Deployment" for kind, _ in desk.kube.objects)

    run(story())


def test_http_is_fetched_where_an_administrator_has_allowed_it() -> None:
    async def story() -> None:
        desk = Desk(fetched("1", "http://models.example/iris"), configured("a:1", allowHttp=True))
        await desk.look()
        assert image_of(desk) == ["a:1"]

    run(story())


@pytest.mark.parametrize("allowed", [True, False])
def test_pickles_are_allowed_by_the_configuration(allowed: bool) -> None:
    """artifacts.allowPickles reaches the Job that pins a uri; off is the default."""

    async def story() -> None:
        unpinned = fetched("1")
        del unpinned["spec"]["model"]["digest"]
        desk = Desk(unpinned, configured("a:1", **({"allowPickles": True} if allowed else {})))
        await desk.look()
        (job,) = [obj for (kind, _), obj in desk.kube.objects.items() if kind == "Job"]
        args = job["spec"]["template"]["spec"]["containers"][0]["args"]
        assert ("--allow-pickles" in args) == allowed

    run(story())


@pytest.mark.parametrize("image", ["b:2", None])
def test_an_operator_with_another_image_writes_nothing_to_a_running_model(image: str | None) -> None:
    """An upgrade must not restart a thousand models, nor may a lost line of the configuration stall them."""

    async def story() -> None:
        before = Desk(fetched("1"), configured("a:1"))
        await before.look()
        revision = before.pods_ready("1")
        for _ in range(4):
            await before.look()
        assert before.condition("Promoted")["status"] == "True"
        live = before.kube.objects["Deployment", revision]
        before.user_applies({**live, "status": {"readyReplicas": 1}})

        after = Desk(before.md, configured(image))
        for obj in before.kube.objects.values():
            after.user_applies(obj)
        writes = [write for _ in range(3) for write in await after.look()]
        assert image_of(after) == ["a:1"]
        assert not [write for write in writes if " Deployment " in write]
        assert not after.condition("Stalled")
        assert after.condition("Ready")["status"] == "True"

    run(story())


# --- the same content under another label -------------------------------------------------------------------------


def rejected(reason: str = "GateFailed", verdict: str = "Rejected", **model: Any) -> Json:
    """The record of version 2."""
    made = desired_revision(deployment(version="2", **{"uri": "s3://m/2", "digest": DIGEST, **model}))
    return {**made, "status": {"verdict": verdict, "verdictReason": reason}}


def twin_of(before: Json, **changes: Any) -> str | None:
    """The version whose twin version 3 is."""
    wanted = desired_revision(deployment(**{"version": "3", "uri": "s3://m/2", "digest": DIGEST, **changes}))
    found = rejected_twin(wanted, {before["metadata"]["name"]: before})
    return found.version if found is not None else None


def test_a_new_label_does_not_make_new_content() -> None:
    """Neither does another place for the same files."""
    assert twin_of(rejected()) == "2"
    assert twin_of(rejected(), uri="https://elsewhere/3") == "2"
    assert twin_of(rejected(fetch={}), fetch={"mountPath": "/mnt/models"}) == "2"


@pytest.mark.parametrize(
    ("sentence", "before", "changes"),
    [
        ("other files", rejected(), {"digest": f"sha256:{'1' * 64}"}),
        ("files that nobody pinned", rejected(digest=None), {"digest": None}),
        ("other pods", rejected(), {"template": {"spec": {"containers": [{"name": "model", "image": "iris:3"}]}}}),
        ("another port", rejected(), {"port": 9000}),
        ("it was not rejected", rejected(verdict="Superseded"), {}),
        ("it is the very same revision", rejected(), {"version": "2"}),
        ("the files were refused where they were", rejected("ArtifactRefused"), {"uri": "s3://m/3"}),
        ("they were too large", rejected("ArtifactRefused", fetch={}), {"fetch": {"maxBytes": "1Ti"}}),
    ],
)
def test_what_may_be_tried(sentence: str, before: Json, changes: Json) -> None:
    assert twin_of(before, **changes) is None, sentence


def test_refused_files_are_refused_in_whatever_pods() -> None:
    """Found on the local cluster: images that are tagged by the version make another template of each."""
    other = {"spec": {"containers": [{"name": "model", "image": "iris:3"}]}}
    assert twin_of(rejected("ArtifactRefused"), template=other) == "2"
