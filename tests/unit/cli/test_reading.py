"""Raw objects as records: what makes no sense is not known, and never a success."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from serin.plugin.gates import sentence
from serin.plugin.listing import line_of
from serin.plugin.objects import Counted
from serin.plugin.plain import as_json
from serin.plugin.raw import number
from serin.plugin.reading import deployment_of, revision_of
from serin.plugin.standing import Standing, standing
from tests.unit.cli.stories import STORIES

Raw = dict[str, Any]


def promoted() -> Raw:
    """A ModelDeployment that is promoted, to be spoilt."""
    return copy.deepcopy(STORIES["promoted"]().md)


def condition(raw: Raw, kind: str) -> Raw:
    """One of its conditions."""
    found: Raw = next(one for one in raw["status"]["conditions"] if one["type"] == kind)
    return found


def test_what_is_promoted_stands_so() -> None:
    """The others of these tests spoil it in one place."""
    assert standing(deployment_of(promoted())) is Standing.PROMOTED


def _without_status(raw: Raw) -> None:
    raw["status"] = {}


def _other_status(raw: Raw) -> None:
    raw["status"] = "Promoted"


def _without_generation(raw: Raw) -> None:
    del raw["metadata"]["generation"]


def _newer_spec(raw: Raw) -> None:
    raw["metadata"]["generation"] += 1


def _odd_generation(raw: Raw) -> None:
    raw["status"]["observedGeneration"] = True


def _unknown_promoted(raw: Raw) -> None:
    condition(raw, "Promoted")["status"] = "Unknown"


def _word_for_true(raw: Raw) -> None:
    condition(raw, "Promoted")["status"] = True


def _no_promoted(raw: Raw) -> None:
    raw["status"]["conditions"].remove(condition(raw, "Promoted"))


def _no_ready(raw: Raw) -> None:
    raw["status"]["conditions"].remove(condition(raw, "Ready"))


def _not_ready(raw: Raw) -> None:
    condition(raw, "Ready")["status"] = "False"


def _stalled_besides(raw: Raw) -> None:
    raw["status"]["conditions"].append({"type": "Stalled", "status": "True", "reason": "RouteConflict"})


def _deleted(raw: Raw) -> None:
    raw["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("spoil", "want"),
    [
        (_without_status, Standing.UNSEEN),
        (_other_status, Standing.UNSEEN),
        (_without_generation, Standing.UNSEEN),
        (_newer_spec, Standing.UNSEEN),
        (_odd_generation, Standing.UNSEEN),
        (_unknown_promoted, Standing.UNKNOWN),
        (_word_for_true, Standing.UNKNOWN),
        (_no_promoted, Standing.UNKNOWN),
        (_no_ready, Standing.UNKNOWN),
        (_not_ready, Standing.DOWN),
        (_stalled_besides, Standing.STALLED),
        (_deleted, Standing.DELETING),
    ],
)
def test_only_what_is_said_of_the_present_spec_is_a_success(spoil: Any, want: Standing) -> None:
    raw = promoted()
    spoil(raw)
    assert standing(deployment_of(raw)) is want


def test_a_reason_of_the_spec_before_is_not_shown() -> None:
    raw = promoted()
    _newer_spec(raw)
    assert line_of(deployment_of(raw)).reason is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, "0.01", None, True, [0.01]])
def test_a_number_that_is_none_is_not_known(number: Any) -> None:
    raw = copy.deepcopy(STORIES["in_a_canary_stage"]().md)
    gate = raw["status"]["rollout"]["gates"][0]
    gate |= {"difference": number, "margin": number, "interval": [number, 0.1]}
    gate["candidate"]["bad"] = number
    found = deployment_of(raw).rollout
    assert found is not None
    seen = found.gates[0]
    assert (seen.difference, seen.margin, seen.interval, seen.candidate) == (None, None, None, None)
    as_json(seen)  # refuses what is not finite


@pytest.mark.parametrize("verdict", ["passed", "Pass", "", None, True, 1])
def test_a_verdict_that_is_none_is_unknown(verdict: Any) -> None:
    raw = copy.deepcopy(STORIES["in_bake"]().md)
    raw["status"]["rollout"]["verdict"] = verdict
    raw["status"]["rollout"]["gates"][0]["verdict"] = verdict
    found = deployment_of(raw).rollout
    assert found is not None
    assert (found.verdict, found.gates[0].verdict) == ("unknown", "unknown")


@pytest.mark.parametrize("at", ["yesterday", "2026-11-21T12:00:00", "", None, 5])
def test_an_instant_without_its_zone_is_not_known(at: Any) -> None:
    raw = promoted()
    raw["metadata"]["creationTimestamp"] = at
    assert deployment_of(raw).created is None


def test_a_plan_of_another_version_leaves_only_the_stages_out() -> None:
    raw = copy.deepcopy(STORIES["in_bake"]().md)
    raw["status"]["rollout"]["plan"]["stages"][0]["is"] = "shadow"
    found = deployment_of(raw).rollout
    assert found is not None
    assert (found.stages, found.stage, found.weight) == ((), "bake", 95)


def test_a_rate_of_nothing_is_not_known() -> None:
    assert Counted(0, 0).rate is None
    assert Counted(200, 1).rate == 0.005


def test_entries_that_the_record_lost_are_counted() -> None:
    raw = copy.deepcopy(STORIES["rolled_back"]().revisions[1])
    raw["status"]["recordTotals"]["advance"] += 40
    assert revision_of(raw).forgotten == 40


@pytest.mark.parametrize(
    ("value", "source", "said"),
    [(1.4321, "windows", "Over-dispersion 1.43 from windows"), (1.25, "assumed", ""), (1.0, "guesses", "")],
)
def test_over_dispersion_is_said_where_it_was_measured(value: float, source: str, said: str) -> None:
    """What was assumed is the same for every gate; where it comes from in a later version nobody knows."""
    counts = {"candidate": {"total": 100, "bad": 1}, "stable": {"total": 900, "bad": 9}}
    numbers = {"difference": 0.0, "interval": [-0.01, 0.01], "margin": 0.005}
    raw = promoted()
    gate = {"name": "errors", "kind": "compare", "verdict": "undecided", **counts, **numbers}
    raw["status"]["outcome"]["gates"] = [{**gate, "overdispersion": value, "overdispersionSource": source}]
    outcome = deployment_of(raw).outcome
    assert outcome is not None
    words = sentence(outcome.gates[0])
    assert words.endswith(f". {said}" if said else "it may be promoted")


def test_a_number_that_is_larger_than_any_float_is_none() -> None:
    """A file of objects may hold it, and a card is made all the same."""
    assert number(10**400) is None
    assert number(10**300) == 1e300
