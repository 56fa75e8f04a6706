"""Judged on data before the first request: what an answer is, and what is made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from serin.api.model_revision import ModelRevisionStatus
from serin.api.reasons import Reason
from serin.api.schema import structural_schema, unknown_fields
from serin.rollout import validation
from serin.rollout.answer import read_answer
from serin.rollout.holds import validating
from serin.rollout.persist import dump_state, dump_step, load_state, load_step
from serin.rollout.plan import Validation
from serin.rollout.record import with_outcome
from serin.rollout.rules import rule
from serin.rollout.rulings import Hold, RollBack
from serin.rollout.state import Attempt, End, KeptReport, Outcome, State, Step, Validated
from serin.rollout.verdicts import failing_validation
from serin.workloads.jobs import Ended, JobState, Running
from tests.unit.rollout.looks import CANDIDATE, attempt, by_plan, look, pods, seen

HOLDOUT = Validation("holdout", "d1", 600.0)
GATE = {"name": "good", "verdict": "pass", "message": "0.97"}
BAD = {"name": "bad", "verdict": "undecided", "message": "ten rows"}


def answer(verdict: str = "pass", **more: Any) -> Ended:
    """What a Job's pod says at its end."""
    return Ended(json.dumps({"verdict": verdict, "revision": CANDIDATE, "gates": [GATE], **more}))


@pytest.mark.parametrize(
    ("sentence", "ended", "want_verdict", "want_stalled"),
    [
        ("all gates pass", answer(), "pass", True),
        ("a gate fails", answer("fail"), "fail", True),
        ("too few rows", answer("undecided"), "undecided", True),
        ("stale data pass by themselves", answer("undecided", fault={"effect": "hold"}), "undecided", False),
        ("broken data do not", answer("undecided", fault={"effect": "stalled"}), "undecided", True),
        ("the candidate answers nonsense", answer("fail", fault={"effect": "reject"}), "fail", True),
        ("a pass beside a fault is none", answer(fault={"effect": "hold"}), "undecided", True),
        ("a pass without a gate is none", answer(gates=[]), "undecided", True),
        ("a pass whose gate fails", answer(gates=[GATE | {"verdict": "fail"}]), "undecided", True),
        ("a pass whose last gate is undecided", answer(gates=[GATE, BAD]), "undecided", True),
        ("a pass whose gate says nothing", answer(gates=[GATE, {"name": "x"}]), "undecided", True),
        ("a pass whose gate has no name", answer(gates=[GATE, {"verdict": "pass"}]), "undecided", True),
        ("a pass whose gate is empty", answer(gates=[{}]), "undecided", True),
        ("a pass whose gate is none", answer(gates=[GATE, "good"]), "undecided", True),
        ("a pass of more gates than it names", answer(gatesLeftOut=9), "pass", True),
        ("a pass of a Job that failed", replace(answer(), failed="DeadlineExceeded: x"), "undecided", True),
        ("brackets that never close", Ended("[" * 4000), "undecided", True),
        ("a number that no float is", answer(gates=[GATE | {"value": 10**400}]), "pass", True),
        ("an answer about somebody else", answer(revision="iris-v9"), "undecided", True),
        ("a verdict that nobody knows", answer("good"), "undecided", True),
        ("no answer", Ended("", "DeadlineExceeded: Job was active longer than specified deadline"), "undecided", True),
        ("words and no JSON", Ended("Traceback (most recent call last)", "BackoffLimitExceeded"), "undecided", True),
        ("JSON that is no object", Ended('["pass"]'), "undecided", True),
        ("a fault that is no object", answer(fault="broken"), "undecided", True),
        ("gates that are no list", answer(gates=5), "undecided", True),
        ("a count that is none", answer(gatesLeftOut="many"), "pass", True),
        ("half an answer", Ended('{"verdict": "pa'), "undecided", True),
        ("a fail of stale data is none", answer("fail", fault={"effect": "hold"}), "undecided", True),
        ("a fail of broken data is none", answer("fail", fault={"effect": "stalled"}), "undecided", True),
        ("a fail beside a fault of no effect", answer("fail", fault={"reason": "mine"}), "fail", True),
        ("half a character", Ended(answer().answer.replace("0.97", "\\ud800")), "pass", True),
        ("a failed Job whose last pod did answer", replace(answer("fail"), failed="BackoffLimit"), "fail", True),
    ],
)
def test_only_a_whole_answer_is_a_verdict(sentence: str, ended: Ended, want_verdict: str, want_stalled: bool) -> None:
    found = read_answer(ended, CANDIDATE)
    verdict, stalled, message = found.verdict, found.stalled, found.message
    assert (verdict, stalled) == (want_verdict, want_stalled), sentence
    assert message
    assert message.encode()


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (answer(gates=[GATE, BAD]), "a pass whose gate bad says undecided is none; good: 0.97"),
        (answer(gates=[{"name": "x"}]), "a pass whose gate x says nothing that is a verdict is none; "),
        (answer(gates=[GATE, {}]), "a pass whose gates[1] has no name is none; "),
        (
            answer("fail", fault={"effect": "hold"}),
            "a fail beside a fault whose effect is hold is none; fault; good: 0.97",
        ),
        (answer("fail", gates=[{"name": "x", "verdict": "fail"}, {"verdict": "fail"}]), "x; a gate without a name"),
        (answer("undecided", fault={"reason": "NoRows"}), "NoRows; good: 0.97"),
        (answer(revision="i" * 4000), "the answer is about iii"),
        (replace(answer(), failed="DeadlineExceeded: x"), "said pass and failed (DeadlineExceeded: x), so it is none"),
    ],
)
def test_what_denies_a_verdict_is_named(ended: Ended, words: str) -> None:
    """Somebody has to find it in a program that is not ours."""
    message = read_answer(ended, CANDIDATE).message
    assert words in message
    assert "None" not in message
    assert len(message) < 1100


def test_words_name_the_gates_that_decided_first() -> None:
    gates = [{"name": f"g{number}", "verdict": "fail", "message": "low"} for number in range(6)]
    ended = answer("fail", gates=[*gates, GATE], gatesLeftOut=2, report="iris-v2-ab", digest="sha256:12")
    message = read_answer(ended, CANDIDATE).message
    assert message == "g0: low; g1: low; g2: low; g3: low; and 4 more; report iris-v2-ab sha256:12"


PLACE = "s3://reports/ml/ml/iris/iris-v2.1.holdout/report.json"
REFUSED = "the report was not stored: AccessDenied: s3://reports refused access"


@pytest.mark.parametrize(
    ("said", "want", "words"),
    [
        ({"report": PLACE, "digest": "sha256:12"}, KeptReport(PLACE, "sha256:12"), f"; report {PLACE} sha256:12"),
        ({"report": None, "reportTrouble": REFUSED}, KeptReport(trouble=REFUSED), f"; {REFUSED}"),
        (
            {"report": PLACE, "digest": "sha256:12", "reportTrouble": "older reports were not removed: TimedOut"},
            KeptReport(PLACE, "sha256:12", "older reports were not removed: TimedOut"),
            f"; report {PLACE} sha256:12; older reports were not removed: TimedOut",
        ),
        ({"report": ["x"], "digest": 7, "reportTrouble": {}}, None, ""),
        ({}, None, ""),
    ],
)
@pytest.mark.parametrize("verdict", ["pass", "fail", "undecided"])
def test_what_became_of_the_report_is_said_and_changes_no_verdict(
    verdict: str, said: dict[str, Any], want: KeptReport | None, words: str
) -> None:
    """Stored, refused, half done, or nonsense."""
    read = read_answer(answer(verdict, **said), CANDIDATE)
    found, message, report = read.verdict, read.message, read.report
    assert found == verdict
    assert report == want
    assert message == f"good: 0.97{words}"


def test_the_place_is_whole_however_much_the_gates_say_and_all_is_bounded() -> None:
    """The longest place of a policy, and gates that say a thousand characters."""
    long = f"s3://{'r' * 195}/{'n' * 63}/{'d' * 40}/{'v' * 63}.1000.{'s' * 63}/report.json"
    ended = answer(gates=[GATE | {"message": "m" * 5000}], report=long, digest="sha256:" + "1" * 64)
    read = read_answer(ended, CANDIDATE)
    message, report = read.message, read.report
    assert report == KeptReport(long, "sha256:" + "1" * 64)
    assert message.endswith(f"report {long} sha256:{'1' * 64}")
    unbounded = answer(report="x" * 9000, digest="y" * 9000, reportTrouble="z" * 9000)
    assert len(read_answer(unbounded, CANDIDATE).message) < 2600


def test_the_report_is_in_the_step_and_in_what_is_stored() -> None:
    """So it is in the record when the rollout is over, and a restart of the operator forgets nothing."""
    asked = Validated("holdout", "d1")
    found = look(by_plan(validations=(HOLDOUT,)), attempt(validated=(asked,)), stage=-1)
    jobs = {
        validation.job_name("iris", CANDIDATE, found.attempt.number, asked): answer(report=PLACE, digest="sha256:1")
    }
    told = validation.go_on(found.attempt, found.candidate, "iris", jobs, _now(5.0), ready=True)
    assert told.validated[0].report == told.steps[-1].report == KeptReport(PLACE, "sha256:1")
    state = State(stable=found.stable, candidate=found.candidate, attempt=told)
    stored = json.loads(json.dumps(dump_state(state)))
    assert load_state(stored) == state
    outcome = Outcome(CANDIDATE, "v2", End.PROMOTED, Reason.PROMOTED, "", told.steps[-1].at, 1, told.steps)
    (entry,) = with_outcome(outcome, {}, 1, "u-1")["record"]
    assert entry["report"] == {"place": PLACE, "digest": "sha256:1"}
    assert "report" not in dump_step(replace(told.steps[-1], report=None))


def test_a_pod_that_cannot_start_is_said_while_it_waits_and_when_its_time_is_over() -> None:
    """A claim that is not there: no verdict can come, and nobody should have to look for the pod."""
    why = 'persistentvolumeclaim "reports" not found'
    asked = Validated("holdout", "d1")
    found = look(by_plan(validations=(HOLDOUT,)), attempt(validated=(asked,)), stage=-1)
    name = validation.job_name("iris", CANDIDATE, found.attempt.number, asked)

    def gone_on(before: Attempt, state: JobState) -> Attempt:
        return validation.go_on(before, found.candidate, "iris", {name: state}, _now(5.0), ready=True)

    waits = gone_on(found.attempt, Running(why))
    ruling = validating(replace(found, attempt=waits))
    assert isinstance(ruling, Hold)
    assert ruling.message == f"stage holdout: its pod cannot start: {why}; no request reaches the candidate yet"
    assert gone_on(waits, Running()) == found.attempt, "it runs: nothing is left of it"
    over = gone_on(waits, Ended("", "DeadlineExceeded: too long"))
    assert over.validated[0].message.endswith(f"its pod could not start: {why}")
    assert gone_on(waits, answer()).validated[0].message == "good: 0.97"


def test_another_attempt_policy_or_try_is_another_job() -> None:
    asked = Validated("holdout", "d1")
    names = {
        validation.job_name("iris", CANDIDATE, 1, asked),
        validation.job_name("iris", CANDIDATE, 2, asked),
        validation.job_name("iris", "iris-v3", 1, asked),
        validation.job_name("iris", CANDIDATE, 1, replace(asked, digest="d2")),
        validation.job_name("iris", CANDIDATE, 1, replace(asked, tries=1)),
        validation.job_name("iris", CANDIDATE, 1, replace(asked, name="second")),
    }
    assert len(names) == 6
    assert max(map(len, {validation.job_name("x" * 40, CANDIDATE, 1, asked)})) <= 53


@pytest.mark.parametrize(
    ("sentence", "known", "want"),
    [
        ("not asked yet", (), Reason.VALIDATING),
        ("asked", (Validated("holdout", "d1"),), Reason.VALIDATING),
        ("an answer to another question", (Validated("holdout", "d0", verdict="pass"),), Reason.VALIDATING),
        ("may pass", (Validated("holdout", "d1", verdict="undecided"),), Reason.VALIDATION_UNDECIDED),
        (
            "does not pass",
            (Validated("holdout", "d1", verdict="undecided", stalled=True),),
            Reason.VALIDATION_BLOCKED,
        ),
        ("passed", (Validated("holdout", "d1", verdict="pass"),), None),
    ],
)
def test_no_request_before_every_validation_has_passed(
    sentence: str, known: tuple[Validated, ...], want: Reason | None
) -> None:
    ruling = validating(look(by_plan(validations=(HOLDOUT,)), attempt(validated=known), stage=-1))
    assert (ruling.reason if isinstance(ruling, Hold) else None) is want, sentence


NOTHING_IS_COUNTED = attempt(instant=1.0, stable_seen=False)


@pytest.mark.parametrize(
    ("known", "want"),
    [
        (Validated("holdout", "d1"), Reason.VALIDATING),
        (Validated("holdout", "d1", verdict="undecided"), Reason.VALIDATION_UNDECIDED),
        (Validated("holdout", "d1", verdict="undecided", stalled=True), Reason.VALIDATION_BLOCKED),
        (Validated("holdout", "d1", verdict="fail", stalled=True), Reason.VALIDATION_FAILED),
        (Validated("holdout", "d1", verdict="pass"), Reason.NO_TRAFFIC),
    ],
)
def test_what_stands_in_a_validations_way_is_said_though_there_is_no_traffic(known: Validated, want: Reason) -> None:
    """At night, too, somebody has to hear that the data have no such column; counts come later."""
    ruling = rule(look(by_plan(validations=(HOLDOUT,)), attempt(validated=(known,)), NOTHING_IS_COUNTED, stage=-1))
    assert isinstance(ruling, Hold | RollBack)
    assert ruling.reason is want


def test_while_there_are_no_pods_to_ask_it_is_they_that_are_waited_for() -> None:
    counted = attempt(instant=1.0, stable_seen=True)
    ruling = rule(look(by_plan(validations=(HOLDOUT,)), counted, pods(CANDIDATE, ready=0), stage=-1))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.NOT_READY


def test_one_after_another() -> None:
    """The second is asked when the first has passed."""
    two = by_plan(validations=(HOLDOUT, replace(HOLDOUT, name="second")))
    ruling = validating(look(two, attempt(validated=(Validated("holdout", "d1", verdict="pass"),)), stage=-1))
    assert isinstance(ruling, Hold)
    assert "stage second" in ruling.message


def test_a_job_that_cannot_be_made_is_said_in_the_api_servers_words() -> None:
    ruling = validating(look(by_plan(validations=(HOLDOUT,)), seen(job_refusal="quota exceeded"), stage=-1))
    assert isinstance(ruling, Hold)
    assert ruling.stalled
    assert "quota exceeded" in ruling.message


def test_a_failed_validation_rolls_back() -> None:
    known = (Validated("holdout", "d1", verdict="fail", message="good: 0.7"),)
    ruling = failing_validation(look(by_plan(validations=(HOLDOUT,)), attempt(validated=known), stage=-1))
    assert isinstance(ruling, RollBack)
    assert ruling.reason is Reason.VALIDATION_FAILED
    assert ruling.message == "stage holdout: good: 0.7"


def test_once_there_is_traffic_nothing_is_validated_any_more() -> None:
    """An edit of the policy in mid-rollout asks nothing of a candidate that users have seen already."""
    found = look(by_plan(validations=(HOLDOUT,)), stage=0)
    assert validating(found) is None
    assert failing_validation(found) is None
    assert validation.standing_of(found.attempt) is None


def test_a_running_job_changes_nothing() -> None:
    found = look(by_plan(validations=(HOLDOUT,)), attempt(validated=(Validated("holdout", "d1"),)), stage=-1)
    name = validation.job_name("iris", CANDIDATE, found.attempt.number, Validated("holdout", "d1"))
    for jobs in ({}, {name: Running()}, {"another": answer()}):
        same = validation.go_on(found.attempt, found.candidate, "iris", jobs, _now(found.now), ready=True)
        assert same == found.attempt


@pytest.mark.parametrize(
    ("sentence", "ended", "seconds", "want"),
    [
        ("its pod was not heard yet", Ended("", at=1000.0, heard=False), 59.0, None),
        ("it never will be", Ended("", "DeadlineExceeded", at=1000.0, heard=False), 60.0, "undecided"),
        ("its pod has ended without a word", Ended("", at=1000.0, heard=True), 0.0, "undecided"),
        ("an answer is an answer", replace(answer(), at=1000.0, heard=False), 0.0, "pass"),
    ],
)
def test_a_jobs_last_words_are_waited_for(sentence: str, ended: Ended, seconds: float, want: str | None) -> None:
    """Jobs and pods come by two watches, and missing data is never a verdict."""
    asked = Validated("holdout", "d1")
    found = look(by_plan(validations=(HOLDOUT,)), attempt(validated=(asked,)), stage=-1)
    jobs = {validation.job_name("iris", CANDIDATE, found.attempt.number, asked): ended}
    gone_on = validation.go_on(found.attempt, found.candidate, "iris", jobs, _now(1000.0 + seconds), ready=True)
    assert gone_on.validated[0].verdict == want, sentence


def test_what_may_pass_is_asked_again_after_the_retry_and_not_before() -> None:
    told = Validated("holdout", "d1", verdict="undecided", at=1000.0)
    found = look(by_plan(validations=(HOLDOUT,)), attempt(validated=(told,)), stage=-1)
    for now, want in ((1599.0, told), (1600.0, Validated("holdout", "d1", tries=1))):
        gone_on = validation.go_on(found.attempt, found.candidate, "iris", {}, _now(now), ready=True)
        assert gone_on.validated == (want,)


def _now(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_the_gates_numbers_are_in_the_record_as_far_as_they_are_numbers() -> None:
    """A program of the user's may say anything; what is no number is left out, and the verdict stands."""
    whole = {"metric": "accuracy", "limit": "at least 0.9", "value": 0.97, "low": 0.95, "high": 0.98}
    odd = {"name": "odd", "verdict": "pass", "message": "m", "value": "0.9", "low": float("inf"), "metric": 7}
    found = read_answer(answer("fail", gates=[{**GATE, **whole}, odd, {"name": "x"}, {"verdict": "pass"}]), CANDIDATE)
    assert found.verdict == "fail"
    assert found.measured == (
        {"name": "good", "verdict": "pass", **whole},
        {"name": "odd", "verdict": "pass"},
    )
    at = "2026-11-21T12:00:00Z"
    step = Step(1.0, at, "holdout", 0, "validate", Reason.ROLLING_OUT, "pass", measured=found.measured)
    assert load_step(json.loads(json.dumps(dump_step(step)))) == step
    outcome = Outcome(CANDIDATE, "v2", End.PROMOTED, Reason.PROMOTED, "", step.at, 1, (step,))
    (entry,) = with_outcome(outcome, {}, 1, "u-1")["record"]
    assert entry["measured"][0] == {"name": "good", "verdict": "pass", **whole}
    assert unknown_fields(structural_schema(ModelRevisionStatus), {"record": [entry]}) == []
