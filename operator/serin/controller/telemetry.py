"""The operator's own metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serin.api.reasons import Reason
from serin.rollout.decision import Note
from serin.rollout.state import End


class Telemetry:
    """Counters of one operator; a registry of its own, so that tests can have many."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self._looks = Histogram(
            "serin_reconcile_duration_seconds",
            "How long one look at a ModelDeployment took.",
            registry=self.registry,
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
        )
        self._errors = Counter("serin_reconcile_errors", "Looks that failed.", registry=self.registry)
        self._conflicts = Counter(
            "serin_reconcile_conflicts", "Looks that somebody else's write interrupted.", registry=self.registry
        )
        self._transitions = Counter(
            "serin_transitions", "Transitions of rollouts by reason.", ["reason"], registry=self.registry
        )
        self._rollouts = Counter(
            "serin_rollouts", "Rollouts that ended, by outcome.", ["outcome"], registry=self.registry
        )
        for end in End:
            self._rollouts.labels(end.value)  # a series that is there from the start has a rise from 0 to 1
        self._held = Counter(
            "serin_hold_seconds", "How long rollouts were held, by reason.", ["reason"], registry=self.registry
        )
        self._lag = Histogram(
            "serin_evidence_lag_seconds",
            "How old the newest reading of the metrics was when a look used it.",
            registry=self.registry,
            buckets=(1, 2, 5, 10, 15, 30, 60, 120, 300, 900),
        )
        self._requests = Counter(
            "serin_kubernetes_requests",
            "Requests sent to the API server, watches aside.",
            ["verb", "resource"],
            registry=self.registry,
        )
        self._leading = Gauge("serin_leading", "1 while this process leads.", registry=self.registry)
        self._depth = Gauge(
            "serin_workqueue_depth", "ModelDeployments that wait to be looked at.", registry=self.registry
        )

    def requested(self, verb: str, resource: str) -> None:
        """A request goes to the API server; watches and lists of the watchers are not counted here."""
        self._requests.labels(verb, resource).inc()

    def watch_depth(self, depth: Callable[[], float]) -> None:
        """Ask for the queue's length whenever metrics are read."""
        self._depth.set_function(depth)

    def looked(self, seconds: float) -> None:
        """A look is over."""
        self._looks.observe(seconds)

    def error(self) -> None:
        """A look failed."""
        self._errors.inc()

    def conflict(self) -> None:
        """A look was interrupted."""
        self._conflicts.inc()

    def transition(self, note: Note) -> None:
        """A rollout moved."""
        self._transitions.labels(note.reason.value).inc()

    def ended(self, end: End) -> None:
        """A rollout has ended, and that is stored."""
        self._rollouts.labels(end.value).inc()

    def held(self, reason: Reason, seconds: float) -> None:
        """A rollout stood where it was for so long."""
        self._held.labels(reason.value).inc(seconds)

    def lag(self, seconds: float) -> None:
        """A look used a reading of this age; a clock that is behind Prometheus's makes it 0 and not negative."""
        self._lag.observe(max(0.0, seconds))

    def leading(self, leads: bool) -> None:
        """Whether this process leads now."""
        self._leading.set(1 if leads else 0)
