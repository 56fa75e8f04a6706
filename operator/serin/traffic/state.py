"""What a route says about a model: the closed set of answers that `Router.observe` gives."""

from __future__ import annotations

from dataclasses import dataclass

from serin.api.names import Slot
from serin.api.reasons import Reason
from serin.traffic.weights import TOLERANCE_POINTS, Units, Weights, error_points, shares, split


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such route."""


@dataclass(frozen=True, slots=True)
class RuleWeights:
    """One rule that sends traffic to the slots."""

    index: int
    units: Units
    others: int = 0
    """The sum of the weights of the rule's other backends, which are none of our business."""

    @property
    def off(self) -> bool:
        """Say whether the owner sends all of this rule elsewhere: 0 and 0 beside a backend with weight.

        Such a rule is left alone: writing 100 into it would take traffic that nobody gave to us.
        """
        return self.units.total == 0 and self.others > 0

    def target(self, weights: Weights) -> Units:
        """Return what has to be written here so that the slots get these shares."""
        if self.off:
            return self.units
        return split(self.units.total or 100, weights)

    def too_coarse_for(self, weights: Weights) -> str | None:
        """Say why the sum of this rule is too small for these shares, None when it is not."""
        units = self.target(weights)
        if self.off or error_points(units, weights) <= TOLERANCE_POINTS:
            return None
        got, _ = shares(units)
        return (
            f"rule {self.index}: the weights of the two slots add up to {units.total}, which gives"
            f" {got.a}/{got.b} where {weights.a}/{weights.b} percent are needed; give them a sum of 100, for"
            " example 100 and 0"
        )


@dataclass(frozen=True, slots=True)
class Routed:
    """The route is there and lists the slots as it should.

    `weights` are shares of the sum of our two refs, in percent: those of the first rule that sends us
    anything. `exact` says that every rule has precisely these shares. `Weights(0, 0)` means that nothing
    reaches either slot.
    """

    weights: Weights
    exact: bool
    resource_version: str
    per_rule: tuple[RuleWeights, ...]
    owned: bool

    @property
    def rules(self) -> tuple[int, ...]:
        """Return the positions of the rules that list the slots."""
        return tuple(rule.index for rule in self.per_rule)

    def reaches(self, slot: Slot) -> bool:
        """Say whether any rule can send a request to this slot; the question to ask before a scale-down."""
        return any(rule.units.of(slot) > 0 for rule in self.per_rule)

    def carries(self, weights: Weights) -> bool:
        """Say whether every rule carries these shares, to within half a point."""
        return bool(self.per_rule) and all(
            rule.target(weights) == rule.units and rule.too_coarse_for(weights) is None for rule in self.per_rule
        )

    def too_coarse_for(self, weights: Weights) -> Conflict | None:
        """Say which rule cannot carry these shares to within half a point.

        With the weights 1 and 1 that the Gateway API assumes where none are written, a stage of 10 percent
        would send half of the users to the candidate. All of the traffic for one slot is possible with any
        sum, so a way back always exists.
        """
        words = next((words for rule in self.per_rule if (words := rule.too_coarse_for(weights))), None)
        return None if words is None else Conflict(Reason.ROUTE_CONFLICT, words)


@dataclass(frozen=True, slots=True)
class Conflict:
    """The route cannot be used as it is; its owner has to act, and `message` says how."""

    reason: Reason
    message: str


RouteState = Absent | Routed | Conflict
