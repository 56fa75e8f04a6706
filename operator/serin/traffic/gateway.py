"""What HTTPRoute and GRPCRoute have in common: weighted backendRefs in rules.

Two ways of owning, never mixed:

- **own**: the route is ours, named as the deployment. `desired` is the complete object for server-side apply;
  whatever others write into it is put back.
- **ref**: the route is somebody else's. `spec.rules` is an atomic list, so server-side apply would take all
  of it; instead `patch` gives a JSON patch that changes `weight` of our two refs and refuses, by `test`, a
  route that moved in between.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from serin.api.model_deployment import ModelDeployment, Route
from serin.api.names import API_VERSION, LABEL_DEPLOYMENT, LABEL_MANAGED, MANAGED_BY, SLOTS, other
from serin.api.reasons import Reason
from serin.traffic.refs import Ref, RuleRefs, Slots, find_refs, weight
from serin.traffic.state import Absent, Conflict, Routed, RouteState
from serin.traffic.weights import Weights, shares

Json = dict[str, Any]


class TooCoarse(ValueError):
    """The route's integers cannot carry a share to within half a point; see `Routed.too_coarse_for`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Another ModelDeployment that may list its slots in the same rule."""

    name: str
    namespace: str
    created: datetime
    slots: Slots

    @classmethod
    def of(cls, md: ModelDeployment) -> Claim:
        """Return what a deployment claims."""
        meta = md.metadata
        slots = Slots.of(meta)
        return cls(meta.name, slots.namespace, meta.creation_timestamp or datetime.max.replace(tzinfo=UTC), slots)

    def before(self, other: Claim) -> bool:
        """Say whether this claim is the older one; the name decides between two of the same second."""
        return (self.created, self.namespace, self.name) < (other.created, other.namespace, other.name)


class GatewayRoute:
    """A router for one kind of gateway.networking.k8s.io/v1."""

    group: ClassVar[str] = "gateway.networking.k8s.io"
    version: ClassVar[str] = "v1"
    kind: ClassVar[str]
    plural: ClassVar[str]
    field: ClassVar[str]
    """The key of spec.traffic that asks for this router."""

    def name(self, md: ModelDeployment) -> str:
        """Return the name of the route: the one that is referred to, else the deployment's own."""
        route = self.wanted(md)
        return route.ref.name if route.ref else md.metadata.name

    def owned(self, md: ModelDeployment) -> bool:
        """Say whether the route is to be made by us."""
        return self.wanted(md).ref is None

    def wanted(self, md: ModelDeployment) -> Route:
        """Return the part of the spec that describes the route."""
        raise NotImplementedError

    def observe(
        self,
        route: Mapping[str, Any] | None,
        md: ModelDeployment,
        *,
        slots: Slots | None = None,
        rivals: Iterable[Claim] = (),
    ) -> RouteState:
        """Say what the live route does for this model.

        Args:
            route: The live object, None when there is none.
            md: The deployment.
            slots: The two Services when they are not `<deployment>-a` and `-b` (adoption).
            rivals: Claims of other deployments that may list their slots in the same route.
        """
        if route is None:
            return Absent()
        slots = slots or Slots.of(md.metadata)
        rules = tuple(find_refs(route, slots))
        if self.owned(md):
            trouble = self._not_ours(route, md)
        else:
            trouble = (
                self._not_listed(rules, route, md, slots)
                or contested(route, Claim.of(md), rivals)
                or self._sticky(rules, md)
            )
        if trouble:
            return trouble
        per_rule = tuple(rule.weights() for rule in rules)
        serving = [rule for rule in per_rule if rule.units.total > 0]
        weights = shares(serving[0].units)[0] if serving else Weights(0, 0)
        return Routed(
            weights=weights,
            exact=all(shares(rule.units) == (weights, True) for rule in serving),
            resource_version=str(route.get("metadata", {}).get("resourceVersion", "")),
            per_rule=per_rule,
            owned=self.owned(md),
        )

    def desired(self, md: ModelDeployment, weights: Weights, *, slots: Slots | None = None) -> Json:
        """Return our own route, complete, for server-side apply."""
        route = self.wanted(md)
        if route.ref is not None:
            raise ValueError(f"{self.kind} {route.ref.name} belongs to others; patch it")
        slots = slots or Slots.of(md.metadata)
        spec: Json = {
            "parentRefs": [ref.to_dict() for ref in route.parent_refs or []],
        }
        if route.hostnames:
            spec["hostnames"] = list(route.hostnames)
        refs = [
            {
                "group": "",
                "kind": "Service",
                "name": slots.service(slot),
                "port": md.spec.serving.port,
                "weight": weights.of(slot),
            }
            for slot in SLOTS
        ]
        spec["rules"] = [{**self.matches(md), "backendRefs": refs}]
        return {
            "apiVersion": f"{self.group}/{self.version}",
            "kind": self.kind,
            "metadata": {
                "name": md.metadata.name,
                "namespace": slots.namespace,
                "labels": {LABEL_MANAGED: MANAGED_BY, LABEL_DEPLOYMENT: md.metadata.name},
                "ownerReferences": [owner_reference(md)],
            },
            "spec": spec,
        }

    def matches(self, md: ModelDeployment) -> Json:
        """Return the `matches` of our one rule, nothing for a rule that takes everything."""
        raise NotImplementedError

    def patch(
        self, route: Mapping[str, Any], md: ModelDeployment, weights: Weights, *, slots: Slots | None = None
    ) -> list[Json]:
        """Return the JSON patch that gives the slots these shares in every rule, empty when they have them.

        The first operation tests the resourceVersion and each weight is preceded by a test of its ref's name,
        so a route that was edited in between is refused (the API server answers 422, or 409 under contention)
        and has to be looked at again.

        Raises:
            TooCoarse: The two weights of a rule add up to too little for these shares.
        """
        slots = slots or Slots.of(md.metadata)
        operations: list[Json] = []
        for rule in find_refs(route, slots):
            now = rule.weights()
            target = now.target(weights)
            refs = [rule.one(slot) for slot in SLOTS]
            if now.off or None in refs:
                continue  # what the owner switched off stays off; a slot listed twice is observe's to report
            if trouble := now.too_coarse_for(weights):
                raise TooCoarse(trouble)
            changes = [op for ref in refs if ref for op in _set_weight(rule.index, ref, target.of(ref.slot))]
            if not changes:
                continue
            operations += [_test_name(rule.index, ref) for ref in refs if ref]
            operations += changes
        if not operations:
            return []
        version = route.get("metadata", {}).get("resourceVersion")
        return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *operations]

    def _not_ours(self, route: Mapping[str, Any], md: ModelDeployment) -> Conflict | None:
        owners = route.get("metadata", {}).get("ownerReferences") or []
        if any(owner.get("controller") and owner.get("uid") == md.metadata.uid for owner in owners):
            return None
        return Conflict(
            Reason.ROUTE_CONFLICT,
            f"{self.kind} {md.metadata.name} exists and does not belong to this ModelDeployment; delete it,"
            f" or keep it, list both slots in it and name it in spec.traffic.{self.field}.ref",
        )

    def _not_listed(
        self, rules: Sequence[RuleRefs], route: Mapping[str, Any], md: ModelDeployment, slots: Slots
    ) -> Conflict | None:
        live = route.get("metadata", {})
        elsewhere = live.get("namespace") not in (None, slots.namespace)
        if not rules:
            first = _yaml(slots.a, md, slots, weight=100, elsewhere=elsewhere)
            second = _yaml(slots.b, md, slots, weight=0, elsewhere=elsewhere)
            return Conflict(
                Reason.ROUTE_CONFLICT,
                f"no rule of {self.kind} {live.get('name')} lists {slots.a} and {slots.b}; add to the"
                f" backendRefs of the rule that is to serve this model:\n{first}\n{second}",
            )
        words: list[str] = []
        for rule in rules:
            for slot in SLOTS:
                count = rule.count(slot)
                if count == 0:
                    # Weight 0: what the owner sends to the other slot today must not change by following this
                    # advice.
                    lines = _yaml(slots.service(slot), md, slots, weight=0, elsewhere=elsewhere)
                    words.append(
                        f"rule {rule.index} of {self.kind} {live.get('name')} lists"
                        f" {slots.service(other(slot))} without {slots.service(slot)}; add to its"
                        f" backendRefs:\n{lines}"
                    )
                elif count > 1:
                    words.append(
                        f"rule {rule.index} of {self.kind} {live.get('name')} lists {slots.service(slot)}"
                        f" {count} times; keep one"
                    )
        return Conflict(Reason.ROUTE_CONFLICT, "\n".join(words)) if words else None

    def _sticky(self, rules: Sequence[RuleRefs], md: ModelDeployment) -> Conflict | None:
        sticky = [str(rule.index) for rule in rules if rule.sticky]
        if not sticky or self.wanted(md).allow_sticky:
            return None
        return Conflict(
            Reason.SESSION_PERSISTENCE,
            f"rule {', '.join(sticky)} has sessionPersistence, which keeps users on a slot even at weight 0;"
            f" remove it, or set spec.traffic.{self.field}.allowSticky: true and accept that a rollback does"
            " not reach them",
        )


def contested(route: Mapping[str, Any], mine: Claim, rivals: Iterable[Claim]) -> Conflict | None:
    """Say whether an older deployment has its slots in one of the rules that hold ours: the older one wins.

    Two deployments in one rule would each keep the sum of its own refs, but a rollout of the one is noise in
    the other's evidence.
    """
    ours = {rule.index for rule in find_refs(route, mine.slots)}
    for rival in rivals:
        if rival.slots == mine.slots or not rival.before(mine):
            continue
        shared = sorted(ours & {rule.index for rule in find_refs(route, rival.slots)})
        if shared:
            return Conflict(
                Reason.ROUTE_CONFLICT,
                f"rule {', '.join(map(str, shared))} also lists the slots of ModelDeployment"
                f" {rival.namespace}/{rival.name}, which is older; give each model a rule of its own",
            )
    return None


def canonical_without_our_weights(route: Mapping[str, Any], md: ModelDeployment, *, slots: Slots | None = None) -> str:
    """Return a route as canonical JSON without what may change.

    That is our two weights, and what the API server and the gateway keep for themselves. Two texts that are
    equal mean that nothing of the owner's was touched.
    """
    slots = slots or Slots.of(md.metadata)
    bare = copy.deepcopy(dict(route))
    bare.pop("status", None)
    for key in ("managedFields", "resourceVersion", "generation"):
        bare.get("metadata", {}).pop(key, None)
    for rule in find_refs(route, slots):
        for ref in rule.refs:
            bare["spec"]["rules"][rule.index]["backendRefs"][ref.position].pop("weight", None)
    return json.dumps(bare, sort_keys=True, separators=(",", ":"))


def owner_reference(md: ModelDeployment) -> Json:
    """Return the reference that makes the deployment the controller of an object."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": md.metadata.name,
        "uid": md.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _test_name(rule: int, ref: Ref) -> Json:
    return {"op": "test", "path": f"/spec/rules/{rule}/backendRefs/{ref.position}/name", "value": ref.name}


def _set_weight(rule: int, ref: Ref, target: int) -> list[Json]:
    """Write one weight unless it counts as `target` already; an absent one counts as 1."""
    if weight(ref.written) == target:
        return []
    op = "add" if ref.written is None else "replace"
    return [{"op": op, "path": f"/spec/rules/{rule}/backendRefs/{ref.position}/weight", "value": target}]


def _yaml(service: str, md: ModelDeployment, slots: Slots, *, weight: int, elsewhere: bool) -> str:
    lines = [f"- name: {service}"]
    if elsewhere:
        lines.append(f"  namespace: {slots.namespace}")
    return "\n".join([*lines, f"  port: {md.spec.serving.port}", f"  weight: {weight}"])
