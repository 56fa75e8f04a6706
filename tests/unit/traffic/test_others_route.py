"""A route that others keep: two weights are ours, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.api.reasons import Reason
from serin.traffic import (
    GRPC,
    HTTP,
    Claim,
    Conflict,
    Routed,
    TooCoarse,
    Weights,
    canonical_without_our_weights,
    contested,
)
from tests.unit.traffic.builders import PatchRefused, apply_patch, deployment, guest, ref, route

Json = dict[str, Any]


def observe(live: Json, **more: Any) -> Routed:
    state = HTTP.observe(live, guest(), **more)
    assert isinstance(state, Routed), state
    return state


def refused(live: Json, **more: Any) -> Conflict:
    state = HTTP.observe(live, guest(), **more)
    assert isinstance(state, Conflict), state
    return state


# --- reading
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "want", "exact"),
    [
        pytest.param([ref("iris-a", 100), ref("iris-b", 0)], Weights(100, 0), True, id="as the docs say"),
        pytest.param([ref("iris-b", 30), ref("iris-a", 270)], Weights(90, 10), True, id="any order, any sum"),
        pytest.param([ref("iris-a"), ref("iris-b")], Weights(50, 50), True, id="an absent weight is 1"),
        pytest.param([ref("iris-a", 2), ref("iris-b", 1)], Weights(67, 33), False, id="thirds"),
        pytest.param(
            [ref("legacy", 60), ref("iris-a", 30), ref("iris-b", 10)],
            Weights(75, 25),
            True,
            id="a third backend has no part in the shares",
        ),
        pytest.param(
            [{"name": "iris-a", "weight": 9}, {"name": "iris-b", "weight": 1}],
            Weights(90, 10),
            True,
            id="bare refs",
        ),
        pytest.param(
            [ref("iris-a", 9, namespace="ml"), ref("iris-b", 1, namespace="ml")],
            Weights(90, 10),
            True,
            id="its own namespace written out",
        ),
    ],
)
def test_shares_are_read_from_the_sum_of_our_two_refs(rule: list[Json], want: Weights, exact: bool) -> None:
    """Whatever the owner's numbers are, they are read as percent of what he gives to this model."""
    state = observe(route(rule))
    assert (state.weights, state.exact, state.owned) == (want, exact, False)


def test_all_rules_that_hold_the_slots_are_found() -> None:
    """Rules that do not list the slots are not ours; those that do are told by their position."""
    state = observe(
        route(
            [ref("web", 1)],
            [ref("iris-a", 90), ref("iris-b", 10)],
            {"filters": []},
            [ref("iris-a", 9), ref("iris-b", 1)],
        )
    )
    assert state.rules == (1, 3)
    assert (state.weights, state.exact) == (Weights(90, 10), True)


def test_rules_that_disagree_are_not_exact() -> None:
    """One rule at 100/0 and one at 90/10 is drift: the first is read, as inexact, and no drain is done."""
    state = observe(route([ref("iris-a", 100), ref("iris-b", 0)], [ref("iris-a", 90), ref("iris-b", 10)]))
    assert (state.weights, state.exact) == (Weights(100, 0), False)
    assert state.reaches("b")
    assert not state.carries(Weights(100, 0))


def test_a_service_of_that_name_elsewhere_is_not_our_slot() -> None:
    """Same name, other namespace or other kind: somebody else's backend."""
    state = observe(
        route(
            [
                ref("iris-a", 100),
                ref("iris-b", 0),
                ref("iris-a", 50, namespace="other"),
                ref("iris-b", 50, group="multicluster.x-k8s.io", kind="ServiceImport"),
            ]
        )
    )
    assert state.weights == Weights(100, 0)
    assert state.per_rule[0].others == 100


@pytest.mark.parametrize("spec", [{}, {"rules": None}, {"rules": [{}]}, {"rules": [{"backendRefs": None}]}])
def test_a_route_with_fields_missing_is_a_conflict_and_no_crash(spec: Json) -> None:
    """Anybody's object may lack anything."""
    live = route()
    live["spec"] = spec
    assert refused(live).reason is Reason.ROUTE_CONFLICT


# --- conflicts
# -------------------------------------------------------------------------------------------------


def test_no_slot_listed_says_which_lines_to_add() -> None:
    """The message holds YAML that can be pasted."""
    conflict = refused(route([ref("web", 1)]))
    assert conflict.reason is Reason.ROUTE_CONFLICT
    assert conflict.message == (
        "no rule of HTTPRoute shop lists iris-a and iris-b; add to the backendRefs of the rule that is to "
        "serve this model:\n"
        "- name: iris-a\n  port: 8080\n  weight: 100\n"
        "- name: iris-b\n  port: 8080\n  weight: 0"
    )


def test_one_slot_missing_says_in_which_rule() -> None:
    """The line to add has weight 0, so that following the advice moves no traffic."""
    conflict = refused(route([ref("iris-a", 90), ref("iris-b", 10)], [ref("iris-b", 100)]))
    assert conflict.message == (
        "rule 1 of HTTPRoute shop lists iris-b without iris-a; add to its backendRefs:\n"
        "- name: iris-a\n  port: 8080\n  weight: 0"
    )


def test_a_slot_listed_twice_is_refused() -> None:
    """With two refs to one slot nobody could say which weight is ours."""
    conflict = refused(route([ref("iris-a", 50), ref("iris-a", 50), ref("iris-b", 0)]))
    assert conflict.message == "rule 0 of HTTPRoute shop lists iris-a 2 times; keep one"


def test_session_persistence_stalls_even_at_weight_0() -> None:
    """Users with a session stay on the candidate after a rollback, so the rule must not have one."""
    rule = {"sessionPersistence": {"type": "Cookie"}, "backendRefs": [ref("iris-a", 100), ref("iris-b", 0)]}
    conflict = refused(route([ref("web")], rule))
    assert conflict.reason is Reason.SESSION_PERSISTENCE
    assert conflict.message.startswith("rule 1 has sessionPersistence")


def test_session_persistence_can_be_allowed() -> None:
    """AllowSticky is the user's word that he knows."""
    rule = {"sessionPersistence": {"type": "Cookie"}, "backendRefs": [ref("iris-a", 100), ref("iris-b", 0)]}
    assert isinstance(HTTP.observe(route(rule), guest(allow_sticky=True)), Routed)


def test_session_persistence_of_other_rules_is_none_of_our_business() -> None:
    """Only rules that hold our refs are judged."""
    other = {"sessionPersistence": {"type": "Cookie"}, "backendRefs": [ref("web")]}
    assert observe(route(other, [ref("iris-a", 100), ref("iris-b", 0)])).rules == (1,)


# --- two deployments in one rule
# -------------------------------------------------------------------------------

SHARED = [ref("iris-a", 50), ref("iris-b", 0), ref("wine-a", 50), ref("wine-b", 0)]
OLD, NEW = "2026-11-20T09:00:00Z", "2026-11-21T10:00:00Z"


@pytest.mark.parametrize(
    ("rival_created", "loses"),
    [
        pytest.param(OLD, True, id="the older rival wins"),
        pytest.param(NEW, False, id="the younger rival does not disturb"),
        pytest.param("2026-11-21T09:00:00Z", False, id="of the same second, the name decides"),
    ],
)
def test_the_older_of_two_deployments_has_the_rule(rival_created: str, loses: bool) -> None:
    """Exactly one of two deployments in one rule may go on."""
    iris, wine = Claim.of(guest("iris")), Claim.of(guest("wine", created=rival_created))
    live = route(SHARED)
    assert (contested(live, iris, [wine]) is not None) == loses
    assert (contested(live, wine, [iris]) is not None) != loses


def test_a_contested_route_names_the_rival() -> None:
    """The message says who has the rule and what to do."""
    conflict = refused(route(SHARED), rivals=[Claim.of(guest("wine", created=OLD))])
    assert conflict.reason is Reason.ROUTE_CONFLICT
    assert conflict.message == (
        "rule 0 also lists the slots of ModelDeployment ml/wine, which is older; give each model a rule of its own"
    )


def test_different_rules_of_one_route_are_no_contest() -> None:
    """Two models behind one route, each in a rule of its own, do not meet."""
    live = route([ref("iris-a", 100), ref("iris-b", 0)], [ref("wine-a", 100), ref("wine-b", 0)])
    assert contested(live, Claim.of(guest("iris")), [Claim.of(guest("wine", created=OLD))]) is None


# --- writing
# ---------------------------------------------------------------------------------------------------


def test_the_patch_tests_before_it_writes() -> None:
    """First the version, then the names, then nothing but weights."""
    live = route([ref("web", 1)], [ref("legacy", 5), ref("iris-b", 0), ref("iris-a", 200)])
    assert HTTP.patch(live, guest(), Weights(90, 10)) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "41"},
        {"op": "test", "path": "/spec/rules/1/backendRefs/2/name", "value": "iris-a"},
        {"op": "test", "path": "/spec/rules/1/backendRefs/1/name", "value": "iris-b"},
        {"op": "replace", "path": "/spec/rules/1/backendRefs/2/weight", "value": 180},
        {"op": "replace", "path": "/spec/rules/1/backendRefs/1/weight", "value": 20},
    ]


def test_an_absent_weight_is_added() -> None:
    """Without a weight field there is nothing to replace; 1 and 1 keep their sum of 2."""
    patch = HTTP.patch(route([ref("iris-a"), ref("iris-b")]), guest(), Weights(100, 0))
    assert [(op["op"], op["value"]) for op in patch if op["op"] != "test"] == [("add", 2), ("add", 0)]


def test_all_rules_move_in_one_patch() -> None:
    """A user must not meet the candidate on one path and not on another."""
    live = route([ref("iris-a", 100), ref("iris-b", 0)], [ref("iris-a", 1000), ref("iris-b", 0)])
    after = apply_patch(live, HTTP.patch(live, guest(), Weights(70, 30)))
    assert [[entry["weight"] for entry in rule["backendRefs"]] for rule in after["spec"]["rules"]] == [
        [70, 30],
        [700, 300],
    ]


def test_nothing_to_change_is_no_patch() -> None:
    """A write that changes nothing is not made."""
    live = route([ref("iris-a", 180), ref("iris-b", 20)])
    assert HTTP.patch(live, guest(), Weights(90, 10)) == []
    assert observe(live).carries(Weights(90, 10))


def test_only_rules_that_are_off_are_written() -> None:
    """A rule that has its shares is left out of the patch that puts another one right."""
    live = route([ref("iris-a", 90), ref("iris-b", 10)], [ref("iris-a", 100), ref("iris-b", 0)])
    patch = HTTP.patch(live, guest(), Weights(90, 10))
    assert all("/rules/0/" not in op["path"] for op in patch)


def test_a_route_that_moved_in_between_is_refused() -> None:
    """The patch was made for one version of the route and for these refs at these places."""
    live = route([ref("iris-a", 100), ref("iris-b", 0)])
    patch = HTTP.patch(live, guest(), Weights(90, 10))
    newer = route([ref("iris-a", 100), ref("iris-b", 0)], resourceVersion="42")
    swapped = route([ref("iris-b", 0), ref("iris-a", 100)])
    for moved in (newer, swapped):
        with pytest.raises(PatchRefused):
            apply_patch(moved, patch)


def test_both_weights_at_0_become_a_sum_of_100() -> None:
    """A rule with nothing but our two refs at 0 answers 500 to everybody; it is put to work."""
    live = route([ref("iris-a", 0), ref("iris-b", 0)])
    assert observe(live).weights == Weights(0, 0)
    after = apply_patch(live, HTTP.patch(live, guest(), Weights(90, 10)))
    assert observe(after).weights == Weights(90, 10)


def test_a_rule_that_its_owner_switched_off_stays_off() -> None:
    """0 and 0 beside a backend with weight means nothing for this model; 100 would take half of all."""
    live = route([ref("legacy", 100), ref("iris-a", 0), ref("iris-b", 0)])
    assert HTTP.patch(live, guest(), Weights(90, 10)) == []
    state = observe(live)
    assert (state.weights, state.carries(Weights(90, 10))) == (Weights(0, 0), True)


@pytest.mark.parametrize(
    ("a", "b", "weights", "too_coarse"),
    [
        pytest.param(None, None, Weights(90, 10), True, id="absent weights know only halves"),
        pytest.param(None, None, Weights(50, 50), False, id="and a half is a half"),
        pytest.param(None, None, Weights(0, 100), False, id="all is always possible"),
        pytest.param(10, 0, Weights(90, 10), False, id="tenths"),
        pytest.param(10, 0, Weights(95, 5), True, id="tenths know no 5 percent"),
        pytest.param(1, 0, Weights(90, 10), True, id="one unit goes to one slot"),
        pytest.param(50, 50, Weights(99, 1), False, id="a hundred"),
    ],
)
def test_a_sum_that_is_too_small_for_a_share_is_said_and_never_written(
    a: int | None, b: int | None, weights: Weights, too_coarse: bool
) -> None:
    """Ten percent must not become a half because the owner's numbers are small."""
    live = route([ref("iris-a", a), ref("iris-b", b)])
    conflict = observe(live).too_coarse_for(weights)
    assert (conflict is not None) == too_coarse
    if conflict is None:
        assert observe(apply_patch(live, HTTP.patch(live, guest(), weights))).carries(weights)
        return
    assert conflict.reason is Reason.ROUTE_CONFLICT
    assert "give them a sum of 100" in conflict.message
    with pytest.raises(TooCoarse):
        HTTP.patch(live, guest(), weights)


def test_a_grpc_route_of_others_is_patched_alike() -> None:
    """GRPCRoute has the same backendRefs."""
    md = deployment(traffic={"grpcRoute": {"ref": {"name": "shop"}}}, protocol="grpc")
    live = route([ref("iris-a", 100), ref("iris-b", 0)], kind="GRPCRoute")
    after = apply_patch(live, GRPC.patch(live, md, Weights(50, 50)))
    state = GRPC.observe(after, md)
    assert isinstance(state, Routed)
    assert state.weights == Weights(50, 50)


# --- for every route
# -------------------------------------------------------------------------------------------

WEIGHT = st.one_of(st.none(), st.integers(0, 1000))
NOISE = st.lists(st.builds(ref, st.sampled_from(["web", "legacy", "iris", "iris-c"]), WEIGHT), max_size=3)
FILTERS = st.lists(st.fixed_dictionaries({"type": st.just("RequestHeaderModifier")}), max_size=2)


@st.composite
def rules(draw: st.DrawFn) -> Json:
    """Return a rule with both slots among other things, or with neither."""
    refs = draw(NOISE)
    if draw(st.booleans()):
        refs = [*refs, ref("iris-a", draw(WEIGHT)), ref("iris-b", draw(WEIGHT))]
    return {"filters": draw(FILTERS), "backendRefs": draw(st.permutations(refs))}


@given(st.lists(rules(), min_size=1, max_size=4), st.integers(0, 100))
def test_nothing_but_our_two_weights_ever_changes(drawn: list[Json], percent: int) -> None:
    """Of any route, after any change of weight: the rest is equal byte for byte and the sums are kept."""
    md, weights, live = guest(), Weights.toward("b", percent), route(*drawn)
    before = copy.deepcopy(live)
    state = HTTP.observe(live, md)
    if isinstance(state, Conflict) or (isinstance(state, Routed) and state.too_coarse_for(weights)):
        return
    assert isinstance(state, Routed)
    patch = HTTP.patch(live, md, weights)
    after = apply_patch(live, patch)
    assert live == before, "the route that was read is not written into"
    assert canonical_without_our_weights(after, md) == canonical_without_our_weights(live, md)
    done = HTTP.observe(after, md)
    assert isinstance(done, Routed)
    assert done.carries(weights)
    assert HTTP.patch(after, md, weights) == []
    assert (patch == []) == state.carries(weights)
    for old, new in zip(state.per_rule, done.per_rule, strict=True):
        assert new.units.total == (old.units.total if old.units.total or old.off else 100)


def test_the_canonical_text_sees_every_other_change() -> None:
    """A third weight, an order, a filter: each makes another text; what the API server keeps does not."""
    md = guest()
    live = route([ref("legacy", 5), ref("iris-a", 90), ref("iris-b", 10)])
    text = canonical_without_our_weights(live, md)
    kept = copy.deepcopy(live)
    kept["metadata"] |= {"resourceVersion": "99", "generation": 8, "managedFields": [{"manager": "serin"}]}
    kept["status"] = {"parents": []}
    kept["spec"]["rules"][0]["backendRefs"][1]["weight"] = 0
    assert canonical_without_our_weights(kept, md) == text
    for changed in (
        route([ref("legacy", 6), ref("iris-a", 90), ref("iris-b", 10)]),
        route([ref("iris-a", 90), ref("legacy", 5), ref("iris-b", 10)]),
        route({"filters": [], "backendRefs": [ref("legacy", 5), ref("iris-a", 90), ref("iris-b", 10)]}),
        route([ref("legacy", 5), ref("iris-a", 90), ref("iris-b", 10)], labels={"team": "shop"}),
    ):
        assert canonical_without_our_weights(changed, md) != text
