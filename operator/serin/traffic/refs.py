"""Finding a model's two slots in the rules of a route, which may be anybody's and may lack any field.

```
spec.rules[i].backendRefs[j]   group "" or absent, kind Service or absent,
                               name <deployment>-a or -b, namespace absent (the route's) or written
                               weight absent means 1
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from serin.api.names import SLOTS, Slot, slot_service
from serin.traffic.state import RuleWeights
from serin.traffic.weights import Units


class Named(Protocol):
    """The part of an object's metadata that places it."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def namespace(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Slots:
    """The two Services that take turns behind one model.

    They are `<deployment>-a` and `-b`, save while a Service that was there before Serin is the first stable
    (adoption): then it stands in for one of them until the first promotion.
    """

    namespace: str
    a: str
    b: str

    @classmethod
    def of(cls, metadata: Named) -> Slots:
        """Return the slots of a deployment that has adopted nothing.

        >>> from types import SimpleNamespace
        >>> Slots.of(SimpleNamespace(name="iris", namespace="ml"))
        Slots(namespace='ml', a='iris-a', b='iris-b')
        """
        return cls(
            metadata.namespace or "default",
            slot_service(metadata.name, "a"),
            slot_service(metadata.name, "b"),
        )

    def service(self, slot: Slot) -> str:
        """Return the name of the Service of one slot."""
        return self.a if slot == "a" else self.b

    def slot_of(self, ref: Mapping[str, Any], route_namespace: str) -> Slot | None:
        """Return the slot that a backendRef means, None when it means something else."""
        if ref.get("group") or ref.get("kind", "Service") != "Service":
            return None
        if (ref.get("namespace") or route_namespace) != self.namespace:
            return None
        name = ref.get("name")
        if name == self.a:
            return "a"
        return "b" if name == self.b else None


@dataclass(frozen=True, slots=True)
class Ref:
    """One backendRef that means a slot."""

    position: int
    slot: Slot
    name: str
    written: int | None
    """The weight in the object, None when the field is absent."""


@dataclass(frozen=True, slots=True)
class RuleRefs:
    """One rule that lists at least one of the slots."""

    index: int
    refs: tuple[Ref, ...]
    others: int
    """The sum of the weights of the rule's other backends."""
    sticky: bool
    """Whether the rule asks for session persistence."""

    def one(self, slot: Slot) -> Ref | None:
        """Return the only ref of a slot, None when there is none or more than one."""
        found = [ref for ref in self.refs if ref.slot == slot]
        return found[0] if len(found) == 1 else None

    def count(self, slot: Slot) -> int:
        """Count how often the rule lists a slot."""
        return sum(ref.slot == slot for ref in self.refs)

    def weights(self) -> RuleWeights:
        """Return what the rule sends to each slot; a slot listed twice counts twice."""
        a, b = (sum(weight(ref.written) for ref in self.refs if ref.slot == slot) for slot in SLOTS)
        return RuleWeights(self.index, Units(a, b), self.others)


def find_refs(route: Mapping[str, Any], slots: Slots) -> Iterator[RuleRefs]:
    """Yield the rules of a route that list a slot, in order."""
    namespace = str(route.get("metadata", {}).get("namespace") or slots.namespace)
    for index, rule in enumerate(route.get("spec", {}).get("rules") or []):
        refs, others = [], 0
        for position, ref in enumerate(rule.get("backendRefs") or []):
            slot = slots.slot_of(ref, namespace)
            if slot is None:
                others += weight(ref.get("weight"))
            else:
                refs.append(Ref(position, slot, str(ref["name"]), ref.get("weight")))
        if refs:
            yield RuleRefs(index, tuple(refs), others, sticky=bool(rule.get("sessionPersistence")))


def weight(written: int | None) -> int:
    """Return the weight that counts: the Gateway API takes an absent one for 1."""
    return 1 if written is None else int(written)
