"""The stand-in for Prometheus with faults of single slots, and with the truth to compare with."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field
from typing import Any

from tests.bench.stub_prometheus import Stub, Traffic, service_label

Json = dict[str, Any]
Slot = tuple[str, str]
"""(namespace, service)"""


@dataclass(slots=True)
class FaultyStub(Stub):
    """Series of single slots can be NaN, hidden, late, or begin again at 0.

    nan_since, hidden_until: by slot, seconds since the epoch. resets: when the gateway started anew.
    """

    nan_since: dict[Slot, float] = field(default_factory=dict)
    hidden_until: dict[Slot, float] = field(default_factory=dict)
    resets: list[float] = field(default_factory=list)

    def hide(self, slot: Slot) -> None:
        """Let a slot have no series at all, until `show`."""
        self.hidden_until[slot] = math.inf

    def show(self, slot: Slot) -> None:
        """Let the series of a hidden slot be born now, late and with all that was counted meanwhile."""
        self.hidden_until[slot] = time.time()

    def restart(self) -> None:
        """Let the gateway's process start anew: all its counters begin at 0, and its traffic goes on."""
        now = time.time()
        self.resets.append(now)
        for history in self.slots.values():
            last = history[-1]
            history.append(Traffic(last.per_second, last.bad_fraction, now))

    def truth(self, slot: Slot, since: float, upto: float) -> int:
        """All requests of a slot in (since, upto], as scrapes at whole seconds can have counted them.

        What came between the last scrape and a restart of the process is lost to everybody.
        """
        edges = [since, *(reset for reset in self.resets if since < reset <= upto), upto]
        total = 0
        for begin, end in itertools.pairwise(edges):
            first = 0 if begin in self.resets else self._total(slot, begin)
            total += self._total(slot, math.floor(end) if end in self.resets else end) - first
        return total

    def _total(self, slot: Slot, at: float) -> int:
        history = self.slots[slot]
        current = next((traffic for traffic in reversed(history) if traffic.since <= at), None)
        return current.counts(at)[0] if current else 0

    def _matrix(self, matchers: str, begin: float, end: float) -> list[Json]:
        by_label = {service_label(*slot): slot for slot in self.slots}
        found = []
        for series in Stub._matrix(self, matchers, begin, end):
            slot = by_label.get(series["metric"].get("service", ""), ("", ""))
            hidden, nan = self.hidden_until.get(slot, 0.0), self.nan_since.get(slot, math.inf)
            values = [[at, "NaN" if at >= nan else text] for at, text in series["values"] if at >= hidden]
            if values:
                found.append({**series, "values": values})
        return found
