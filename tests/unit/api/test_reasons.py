"""Reasons: a closed, documented list."""

from __future__ import annotations

import re

import pytest

from serin.api.conditions import PROMOTED, READY, RECONCILING, STALLED
from serin.api.reasons import FOUND_LATER, FoundLater, Reason

# The design's list, in its order.
_DESIGNED = [
    "NoTraffic",
    "TooFewSamples",
    "StaleMetrics",
    "MetricsUnavailable",
    "NotAttributable",
    "NoBucketAtObjective",
    "MarginUnresolved",
    "TrafficTooLowForMargin",
    "InsufficientCapacity",
    "NotReady",
    "SharedIncident",
    "StableUnavailable",
    "Paused",
    "AwaitingApproval",
    "GateFailed",
    "CandidateUnresponsive",
    "CrashLoop",
    "DeadlineExceeded",
    "Aborted",
    "RolledBack",
    "PreviouslyRejected",
    "RouteConflict",
    "SessionPersistence",
    "PolicyNotFound",
    "InvalidTemplate",
    "FirstRevisionFailing",
    "StableDegraded",
    "Serving",
    "RollingOut",
    "Promoted",
    "FirstDeployment",
    "Superseded",
    "RevertedBySpec",
    "WentBack",
    "Deleting",
]

# What building it showed to be missing; docs/decisions says why.
_ADDED = [
    "InvalidSpec",
    "WeightRestored",
    "OutsideWindow",
    "Frozen",
    "ApprovalExpired",
    "ArtifactUnavailable",
    "ArtifactRefused",
]
# Validation before the first user.
_ADDED += ["Validating", "ValidationFailed", "ValidationUndecided", "ValidationBlocked"]


def test_the_list_is_closed() -> None:
    """A new reason is a decision: it is written down here too."""
    assert sorted(Reason) == sorted([*_DESIGNED, *_ADDED])


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_that_its_name_repeats(reason: Reason) -> None:
    """Reason.NO_TRAFFIC is NoTraffic."""
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason)
    assert reason.name == re.sub(r"(?<!^)([A-Z])", r"_\1", reason).upper()


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_documented(reason: Reason) -> None:
    """It says what it means and what to do, in sentences."""
    assert reason.about.value == reason
    assert reason.about.meaning.endswith(".")
    assert reason.about.remedy.rstrip(")").endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_goes_with_conditions_that_there_are(reason: Reason) -> None:
    """Types and statuses are those of `conditions`, and Reconciling and Stalled are only ever True."""
    for condition in reason.about.conditions:
        kind, status = condition.split("=")
        assert kind in {READY, PROMOTED, RECONCILING, STALLED}
        assert status == "True" if kind in {RECONCILING, STALLED} else status in {"True", "False"}


@pytest.mark.parametrize("reason", Reason)
def test_the_kind_of_a_reason_says_whether_waiting_helps(reason: Reason) -> None:
    """Holds reconcile and are never stalled; failures and stalls are, and never reconcile."""
    conditions = set(reason.about.conditions)
    match reason.about.kind:
        case "progress":
            assert f"{STALLED}=True" not in conditions
        case "hold":
            assert f"{RECONCILING}=True" in conditions
            assert f"{STALLED}=True" not in conditions
        case "failure" | "stalled":
            assert f"{STALLED}=True" in conditions
            assert f"{RECONCILING}=True" not in conditions


def test_not_knowing_is_never_a_verdict() -> None:
    """Every way of missing data is a hold."""
    missing = [
        Reason.NO_TRAFFIC,
        Reason.TOO_FEW_SAMPLES,
        Reason.STALE_METRICS,
        Reason.METRICS_UNAVAILABLE,
        Reason.NOT_ATTRIBUTABLE,
        Reason.NO_BUCKET_AT_OBJECTIVE,
        Reason.MARGIN_UNRESOLVED,
        Reason.TRAFFIC_TOO_LOW_FOR_MARGIN,
    ]
    assert {reason.about.kind for reason in missing} == {"hold"}


@pytest.mark.parametrize("late", FOUND_LATER, ids=lambda late: late.fault)
def test_what_only_the_cluster_shows_is_stalled(late: FoundLater) -> None:
    """A fault that apply lets pass needs a person, so its reason stalls and names a field of the spec."""
    assert late.reason.about.kind == "stalled"
    assert late.field.startswith("spec.")
