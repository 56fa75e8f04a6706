"""`approve`, `abort`, `promote`, `retry`, `rollback`: what is made, about what, and what is said of the answer."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from serin.api.parse import InvalidSpec, parse_rollout_action
from serin.api.rollout_action import ACTOR_WORDS, Answer
from serin.plugin.acts import ADVICE, Aim, Answered, exit_code, missing_right
from serin.plugin.aiming import NothingToDo, aim
from serin.plugin.reading import deployment_of
from tests.unit.charts.objects import installed
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.conftest import Run, hold
from tests.unit.cli.stories import STORIES

Raw = dict[str, Any]
ACTS = ("approve", "abort", "promote", "retry", "rollback")
ME = "ann@example.com"
APPROVED: Raw = {"phase": "Done", "reason": "Approved", "message": f"stage sign-off: approval 1 of 2 by {ME}"}


def made(api: ApiServer) -> Raw:
    """The one RolloutAction that was made, as it was sent."""
    (asked,) = [one for one in api.asked if one.path.endswith("/rolloutactions") and one.method == "POST"]
    assert asked.path == "/apis/serin.dev/v1alpha1/namespaces/ml/rolloutactions"
    assert asked.content_type == "application/json"
    body: Raw = asked.body
    return body


def nothing_made(api: ApiServer) -> bool:
    """Whether no RolloutAction was made."""
    return not any(plural == "rolloutactions" for plural, _, _ in api.objects)


# --- what is made ----------------------------------------------------------------------------------------------------


def test_an_approval_names_the_revision_the_stage_and_the_user_that_the_api_server_knows(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that whatever has changed since the status was read is not hit by it."""
    hold(api, "awaiting_approval")
    api.answers = [None, APPROVED]
    assert run("approve", "iris", "--reason", "answers read") == 0
    body = made(api)
    assert body["metadata"] == {"generateName": "iris-approve-", "namespace": "ml"}
    assert body["spec"] == {
        "deployment": "iris",
        "action": "Approve",
        "revision": "iris-v2",
        "stage": "sign-off",
        "actor": ME,
        "reason": "answers read",
    }
    assert capsys.readouterr().out.splitlines() == [
        f"ml/iris: approving iris-v2, version v2, on trial at stage sign-off with 50 % of the traffic, as {ME}",
        f"Done (Approved): stage sign-off: approval 1 of 2 by {ME}",
    ]


@pytest.mark.parametrize(
    ("story", "act", "revision", "words"),
    [
        ("in_a_canary_stage", "abort", "iris-v2", "aborting iris-v2, version v2, on trial at stage small with 10 %"),
        ("in_a_canary_stage", "promote", "iris-v2", "promoting iris-v2, version v2, on trial at stage small"),
        ("in_bake", "rollback", "iris-v2", "rolling back iris-v2, version v2, on trial at stage bake"),
        ("first_deployment", "abort", "iris-v1", "aborting iris-v1, version v1, on trial at stage start"),
        ("promoted", "rollback", "iris-v1", "rolling back iris-v1, version v1, stable; the one that was stable before"),
        (
            "rolled_back",
            "retry",
            "iris-v2",
            "retrying iris-v2, version v2, whose attempt ended RolledBack (GateFailed)",
        ),
        ("aborted", "retry", "iris-v2", "retrying iris-v2, version v2, whose attempt ended Aborted (Aborted)"),
        ("gone_back_by_hand", "retry", "iris-v2", "retrying iris-v2, version v2, which was rolled back by hand"),
        ("first_refused", "retry", "iris-v1", "retrying iris-v1, version v1, whose stage holdout is asked again"),
    ],
)
def test_each_act_is_about_what_the_status_says_now(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], story: str, act: str, revision: str, words: str
) -> None:
    hold(api, story)
    assert run(act, "iris", "--no-wait") == 0
    spec = made(api)["spec"]
    assert (spec["action"].lower(), spec["revision"]) == (act, revision)
    assert spec.keys() == {"deployment", "action", "revision", "actor"}
    assert capsys.readouterr().out.startswith(f"ml/iris: {words}")


@pytest.mark.parametrize("act", ACTS)
def test_what_is_made_is_what_the_operator_reads(api: ApiServer, run: Run, act: str) -> None:
    """By the model that the CRD is made from."""
    hold(api, {"approve": "awaiting_approval", "retry": "aborted"}.get(act, "in_a_canary_stage"))
    assert run(act, "iris", "--reason", "a reason", "--no-wait") == 0
    (raw,) = [raw for (plural, _, _), raw in api.objects.items() if plural == "rolloutactions"]
    assert not isinstance(parse_rollout_action(raw), InvalidSpec)


@pytest.mark.parametrize("word", ["candidate", "v2", "iris-v2"])
def test_a_revision_may_be_insisted_on_by_any_of_its_names(api: ApiServer, run: Run, word: str) -> None:
    hold(api, "in_a_canary_stage")
    assert run("abort", "iris", "--revision", word, "--no-wait") == 0
    assert made(api)["spec"]["revision"] == "iris-v2"


def test_another_revision_than_is_meant_is_not_touched(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status says so already: no object is made for it."""
    hold(api, "in_a_canary_stage")
    assert run("abort", "iris", "--revision", "v1") == 1
    assert "error: iris-v1 is not on trial; iris-v2 is" in capsys.readouterr().err
    assert run("rollback", "iris", "--revision", "stable") == 1
    assert run("retry", "iris", "--revision", "v2") == 1
    assert nothing_made(api)


def test_taking_back_a_candidate_that_is_gone_does_not_take_back_stable(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate was faster than the person. Whoever means stable says so."""
    hold(api, "rolled_back")
    assert run("rollback", "iris") == 1
    said = capsys.readouterr().err
    assert "there is no candidate to roll back: iris-v2 has ended RolledBack (GateFailed)" in said
    assert "say --revision stable" in said
    assert nothing_made(api)
    assert run("rollback", "iris", "--revision", "stable", "--no-wait") == 0
    assert made(api)["spec"]["revision"] == "iris-v1"


# --- nothing to do ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "act", "words"),
    [
        (
            "in_a_canary_stage",
            "approve",
            "nothing to approve: the rollout is at stage small; no stage waits for an app",
        ),
        ("promoted", "approve", "there is no candidate to approve: iris-v1 is stable and no rollout is under way"),
        ("promoted", "abort", "there is no candidate to abort: iris-v1 is stable and no rollout is under way"),
        ("rolled_back", "promote", "there is no candidate to promote: iris-v2 has ended RolledBack (GateFailed)"),
        ("first_deployment", "approve", "nothing to approve: this rollout takes everything in one step"),
        ("promoted", "retry", "there is nothing to retry: iris-v1 is stable and no rollout is under way"),
        ("in_bake", "retry", "there is nothing to retry: iris-v2 is on trial"),
        ("spec_not_seen_yet", "rollback", "there is no candidate to roll back"),
    ],
)
def test_an_act_about_nothing_says_what_there_is_and_makes_nothing(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], story: str, act: str, words: str
) -> None:
    hold(api, story)
    assert run(act, "iris") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert {asked.method for asked in api.asked} == {"GET"}


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (0, "at stage small; stage sign-off, which waits for an approval, comes later"),
        (-1, "at stage start; stage sign-off, which waits for an approval, comes later"),
        (3, "at stage bake; no stage waits for an approval any more"),
    ],
)
def test_an_approval_too_early_or_too_late_says_which_stage_will_wait(index: int, words: str) -> None:
    raw = copy.deepcopy(STORIES["awaiting_approval"]().md)
    rollout = raw["status"]["rollout"]
    names = ["small", "half", "sign-off", "bake", "start"]
    rollout["stageIndex"], rollout["stage"] = index, names[index]
    with pytest.raises(NothingToDo, match=words):
        aim(deployment_of(raw), "Approve")


def test_a_stage_may_be_insisted_on(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    hold(api, "awaiting_approval")
    assert run("approve", "iris", "--stage", "second-look") == 1
    assert "stage second-look does not wait for an approval; stage sign-off does" in capsys.readouterr().err
    assert run("approve", "iris", "--stage", "sign-off", "--no-wait") == 0


def test_a_plan_of_another_version_of_the_operator_is_approved_by_its_reason() -> None:
    """Its stages cannot be read; that it waits for people can."""
    raw = copy.deepcopy(STORIES["awaiting_approval"]().md)
    raw["status"]["rollout"]["plan"] = {"of": "another kind"}
    assert aim(deployment_of(raw), "Approve").stage == "sign-off"


def test_nothing_is_done_to_what_is_being_deleted() -> None:
    raw = copy.deepcopy(STORIES["in_a_canary_stage"]().md)
    raw["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    with pytest.raises(NothingToDo, match="is being deleted"):
        aim(deployment_of(raw), "Promote")


def test_promoting_what_is_paused_says_that_it_waits(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "paused_after_others")
    assert run("promote", "iris", "--no-wait") == 0
    assert "ml/iris is paused: it is promoted when it is resumed" in capsys.readouterr().err


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "words", "remedy"),
    [
        (APPROVED, 0, "Done (Approved): stage sign-off: approval 1 of 2", ""),
        (
            {"phase": "Refused", "reason": "ApprovedBefore", "message": f"{ME} has approved stage sign-off before"},
            3,
            f"Refused (ApprovedBefore): {ME} has approved stage sign-off before",
            "somebody else has to approve too",
        ),
        (
            {"phase": "Refused", "reason": "Unverified", "message": "this cluster does not keep people from ..."},
            3,
            "Refused (Unverified): this cluster does not keep people from",
            "install its ValidatingAdmissionPolicy",
        ),
        (
            {"phase": "Expired", "reason": "AttemptOver", "message": "its rollout has ended"},
            5,
            "Expired (AttemptOver): its rollout has ended",
            "`kubectl serin explain iris -n ml` says how it ended",
        ),
    ],
)
def test_the_answer_is_waited_for_and_said_and_the_exit_code_says_it_too(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], answer: Raw, code: int, words: str, remedy: str
) -> None:
    hold(api, "awaiting_approval")
    api.answers = [None, None, answer]
    assert run("approve", "iris") == code
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith(words)
    assert remedy in said.err
    assert bool(said.err) is bool(remedy)
    assert "\x1b" not in said.out


def test_no_answer_in_time_is_no_success_and_the_act_stands(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    assert run("approve", "iris", "--timeout", "0s") == 124
    said = capsys.readouterr().err
    assert "no answer to rolloutaction iris-approve-00001 within 0s: it stands" in said
    assert "`kubectl delete ra iris-approve-00001 -n ml` takes it back" in said


def test_without_waiting_it_is_said_where_the_answer_will_be(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    assert run("approve", "iris", "--no-wait") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("rolloutaction iris-approve-00001 is made; `kubectl get ra iris-approve-00001 -n ml` says")
    assert not any("/rolloutactions/" in asked.path for asked in api.asked)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_as_data_it_is_the_object_with_its_answer_and_the_words_go_elsewhere(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """The exit code stays what it is."""
    hold(api, "awaiting_approval")
    api.answers = [APPROVED | {"phase": "Refused"}]
    assert run("approve", "iris", "-o", form) == 3
    said = capsys.readouterr()
    found = json.loads(said.out) if form == "json" else yaml.safe_load(said.out)
    assert (found["kind"], found["metadata"]["name"]) == ("RolloutAction", "iris-approve-00001")
    assert found["status"]["phase"] == "Refused"
    assert "managedFields" not in found["metadata"]
    assert said.err.startswith("ml/iris: approving iris-v2")


def test_an_api_server_that_is_away_for_a_moment_is_outlasted(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(api, "awaiting_approval")
    api.answers = [APPROVED]
    api.refuses["GET", "rolloutactions"] = (500, "etcdserver: request timed out")
    monkeypatch.setattr("serin.cli.acts.note", lambda words: (print(words), api.refuses.clear()))
    assert run("approve", "iris") == 0
    assert "the API server answered 500: etcdserver: request timed out; trying again" in capsys.readouterr().out


def test_an_answer_that_may_not_be_read_is_said_to_be_there(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    api.refuses["GET", "rolloutactions"] = (403, 'User "ann" cannot get resource "rolloutactions"')
    assert run("approve", "iris") == 1
    said = capsys.readouterr().err
    assert "rolloutaction iris-approve-00001 is made, but its answer cannot be read" in said
    assert "ask for get on rolloutactions.serin.dev" in said


def test_every_remedy_is_of_an_answer_that_there_is() -> None:
    assert ADVICE.keys() <= {answer.value for answer in Answer}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (None, 124),
        (Answered("Done", "Approved", ""), 0),
        (Answered("Expired", "AttemptOver", ""), 5),
        (Answered("Refused", "GateFailed", ""), 3),
        (Answered("Refused", "ANewReason", ""), 3),
    ],
)
def test_only_what_was_done_is_a_success(answer: Answered | None, code: int) -> None:
    assert exit_code(answer) == code


# --- failures --------------------------------------------------------------------------------------------------------

RBAC = 'rolloutactions.serin.dev is forbidden: User "ann" cannot create resource "rolloutactions" in API group'
DENIED = "rolloutactions.serin.dev \"x\" is forbidden: ValidatingAdmissionPolicy 'serin-actions' with binding"
DENIED += " 'serin-actions' denied request: "


@pytest.mark.parametrize(
    ("act", "words", "told", "remedy"),
    [
        (
            "approve",
            RBAC,
            RBAC,
            (
                "it takes create on rolloutactions, and create on modeldeployments/approve, in namespace ml; the"
                " ClusterRole serin-approver can give both (docs/approvals.md)"
            ),
        ),
        (
            "approve",
            f"{DENIED}spec.action: ann may not approve iris: it takes the right to create modeldeployments/approve",
            "spec.action: ann may not approve iris: it takes the right to create modeldeployments/approve",
            (
                "the right create on modeldeployments/approve in namespace ml is missing; the ClusterRole"
                " serin-approver can give it (docs/approvals.md)"
            ),
        ),
        (
            "abort",
            f"{DENIED}spec.action: ann may not abort iris: it takes the right to create modeldeployments/abort",
            "spec.action: ann may not abort iris: it takes the right to create modeldeployments/abort",
            (
                "the right create on modeldeployments/abort in namespace ml is missing; the roles edit,"
                " admin and serin-approver can give it (docs/approvals.md)"
            ),
        ),
        (
            "promote",
            f"{DENIED}{ACTOR_WORDS}, proxy",
            f"{ACTOR_WORDS}, proxy",
            "the API server knows you by another name here than when it was asked; is a proxy in between?",
        ),
    ],
    ids=["rbac", "the right to approve", "the right to abort", "another name"],
)
def test_who_may_not_is_told_which_right_is_missing(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], act: str, words: str, told: str, remedy: str
) -> None:
    hold(api, "awaiting_approval")
    api.refuses["POST", "rolloutactions"] = (403, words)
    assert run(act, "iris") == 1
    assert capsys.readouterr().err.splitlines() == [f"error: {told}", f"  {remedy}"]


def test_the_admission_policys_words_are_those_that_are_looked_for() -> None:
    """Both messages of both rules, as they are installed."""
    rules = installed()["ValidatingAdmissionPolicy", "serin-actions"]["spec"]["validations"]
    about = Aim("Abort", "ml", "iris", "iris-v2", "v2", "on trial")
    for rule in rules:
        for words in (rule["messageExpression"], rule["message"]):
            assert missing_right(about, f"{DENIED}{words}") is not None, words
    assert missing_right(about, "the namespace ml is being terminated") is None


def test_a_refusal_that_is_about_no_right_keeps_its_words(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    api.refuses["POST", "rolloutactions"] = (403, "unable to create new content in namespace ml: it is terminated")
    assert run("approve", "iris") == 1
    assert "error: unable to create new content in namespace ml" in capsys.readouterr().err
    api.refuses["POST", "rolloutactions"] = (422, "spec.reason: Too long: may not be more than 1024 bytes")
    assert run("approve", "iris") == 1
    assert "error: spec.reason: Too long" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("user", "refusal", "words"),
    [
        (None, None, "it has no SelfSubjectReview"),
        ("", None, "it has no SelfSubjectReview"),
        (ME, (403, 'User "ann" cannot create resource "selfsubjectreviews"'), "does not say who you are: User"),
        (ME, (500, "etcdserver: request timed out"), "the API server answered 500: etcdserver"),
    ],
)
def test_nobody_acts_without_a_name(
    api: ApiServer,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    user: str | None,
    refusal: tuple[int, str] | None,
    words: str,
) -> None:
    hold(api, "awaiting_approval")
    api.user = user
    if refusal is not None:
        api.refuses["POST", "selfsubjectreviews"] = refusal
    assert run("approve", "iris") == 1
    assert words in capsys.readouterr().err
    assert nothing_made(api)


def test_a_serin_that_knows_no_acts_is_said_to_be_older(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    api.refuses["POST", "rolloutactions"] = (404, "the server could not find the requested resource")
    assert run("approve", "iris") == 1
    said = capsys.readouterr().err
    assert "the cluster does not know the kind RolloutAction of serin.dev/v1alpha1" in said
    assert "an older Serin there has no acts yet" in said


def test_an_act_whose_fate_is_not_known_is_said_to_be_perhaps_made(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    api.refuses["POST", "rolloutactions"] = (504, "timeout")
    assert run("approve", "iris") == 1
    assert "it may have been made all the same: `kubectl get ra -n ml`" in capsys.readouterr().err


def test_a_time_out_that_is_no_duration_makes_nothing(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "awaiting_approval")
    assert run("approve", "iris", "--timeout", "soon") == 2
    assert api.asked == []
    assert "write 90s, 30m or 4h" in capsys.readouterr().err
