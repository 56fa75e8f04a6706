"""What the init container's end means for the arm: its termination message is what the program really writes."""

from __future__ import annotations

from typing import Any

import pytest

from serin.artifacts import ArtifactError, Reason
from serin.artifacts.report import message
from serin.workloads import arm_health
from serin.workloads.fetching import REFUSING, FetchState
from tests.unit.workloads.builders import container, live_deployment, pod

Json = dict[str, Any]


def said(reason: Reason, field: str = "spec.model.uri", words: str = "as it was") -> str:
    return message(ArtifactError(reason, words, field=field))


def fetch(
    text: str = "", code: int = 1, *, now: bool = False, running: bool = False, why: str = "Error", **more: Any
) -> Json:
    """The status of the init container after it has ended so."""
    ended = {"exitCode": code, "reason": why, "message": text}
    status = container(ended=ended, now=now, running="2026-11-21T09:00:40Z" if running else None, **more)
    return {**status, "name": "serin-fetch"}


def seen(*states: Json, ready: str | None = None) -> Any:
    waits = [container(waiting="PodInitializing")]
    pods = [
        pod(f"p{number}", ready=ready, states=waits, initContainerStatuses=[state])
        for number, state in enumerate(states, 1)
    ]
    return arm_health(live_deployment(len(states)), pods)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_the_program_has_a_meaning(reason: Reason) -> None:
    """The artifact's own fault is refused; whatever may pass, or belongs to the store, is not."""
    fetching = seen(fetch(said(reason), now=True)).fetching
    of_the_artifact = {Reason.DIGEST_MISMATCH, Reason.UNSAFE, Reason.TOO_LARGE, Reason.UNSUPPORTED_SCHEME}
    assert fetching.state == ("refused" if reason in of_the_artifact else "unavailable")
    assert fetching.message == f"spec.model.uri: as it was ({reason.value}, pod p1)"
    assert not (reason.worth_a_retry and fetching.state == "refused")


@pytest.mark.parametrize(
    ("option", "field"),
    [("--max-bytes", "spec.model.fetch.maxBytes"), ("--timeout", "spec.model.fetch.timeout"), ("--into", "--into")],
)
def test_a_limit_is_named_as_the_resource_has_it(option: str, field: str) -> None:
    """Nobody who reads a status gives options to a program."""
    fetching = seen(fetch(said(Reason.TOO_LARGE, option), now=True)).fetching
    assert fetching.message == f"{field}: as it was (TooLarge, pod p1)"


def test_the_words_are_the_programs() -> None:
    """They are a contract: the two sides may be of different versions, so neither imports the other's."""
    assert {Reason(word) for word in REFUSING}


@pytest.mark.parametrize(
    ("sentence", "state", "want"),
    [
        ("at its first try", {**container(running="2026-11-21T09:00:40Z"), "name": "serin-fetch"}, "running"),
        ("its image is pulled", {**container(waiting="PodInitializing"), "name": "serin-fetch"}, "running"),
        ("its image cannot be", {**container(waiting="ErrImagePull"), "name": "serin-fetch"}, "unavailable"),
        ("no room on the volume", fetch(said(Reason.TOO_LARGE, "--into"), now=True), "unavailable"),
        ("killed for its memory", fetch(code=137, why="OOMKilled", now=True), "unavailable"),
        ("a program of another kind", fetch("exec: serin: not found", code=127, now=True), "unavailable"),
        ("a message of another kind", fetch("[1]", now=True), "unavailable"),
        ("tried again after an outage", fetch(said(Reason.SOURCE_UNAVAILABLE), 75, running=True), "unavailable"),
        ("waiting for another try", fetch(said(Reason.DIGEST_MISMATCH), waiting="CrashLoopBackOff"), "refused"),
        ("it has done its work", fetch(code=0, now=True), None),
    ],
)
def test_how_far_it_is(sentence: str, state: Json, want: FetchState | None) -> None:
    fetching = seen(state).fetching
    assert (fetching.state if fetching is not None else None) == want, sentence


def test_a_fetch_that_fails_is_no_crash_of_the_model() -> None:
    """Its restarts count for no hard gate, its memory is not the model's, and its image is not the user's."""
    killed = fetch(code=137, why="OOMKilled", waiting="CrashLoopBackOff", restarts=7)
    no_image = {**container(waiting="ImagePullBackOff"), "name": "serin-fetch"}
    health = seen(killed, no_image)
    assert (health.crash, health.restarts, health.cannot_start) == (None, 0, None)


def test_the_worst_of_all_pods_counts() -> None:
    well = fetch(code=0, now=True)
    away, wrong = fetch(said(Reason.SOURCE_UNAVAILABLE), 75, now=True), fetch(said(Reason.UNSAFE), now=True)
    assert seen(well, away).fetching.state == "unavailable"
    assert seen(away, wrong, well).fetching.state == "refused"


def test_long_words_are_cut() -> None:
    assert len(seen(fetch(said(Reason.UNSAFE, words="x" * 5000), now=True)).fetching.message) < 700
    assert len(seen(fetch("x" * 4000, code=2, now=True)).fetching.message) < 700
