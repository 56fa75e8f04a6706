"""What a user of a GitOps tool should see in each state, by what the state is called and not by its conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.gitops.statuses import EXTRA, seen

WAITS_FOR_A_PERSON = {"Paused", "AwaitingApproval"}
ARGO_BY_PHASE = {
    "Starting": "Progressing",
    "Validating": "Progressing",
    "Canary": "Progressing",
    "Baking": "Progressing",
    "Draining": "Progressing",
    "Serving": "Healthy",
    "RolledBack": "Degraded",
    "Stalled": "Degraded",
}
KSTATUS_OF = {"Progressing": "InProgress", "Suspended": "InProgress", "Healthy": "Current", "Degraded": "Failed"}
# (Argo CD, kstatus) where the phase does not say it.
SPECIAL: Mapping[str, tuple[str, str]] = {
    "new": ("Progressing", "InProgress"),
    # No object of ours is ever without, because the CRD has a default. kstatus would take it for finished.
    "without status": ("Progressing", "Current"),
    "edited": ("Progressing", "InProgress"),
    "edited while stalled": ("Progressing", "InProgress"),
    "deleted": ("Progressing", "Terminating"),
    "stable down": ("Progressing", "InProgress"),
    "scaled to zero": ("Suspended", "InProgress"),
    "route conflict when promoted": ("Degraded", "Failed"),
    "invalid": ("Degraded", "Failed"),
}


def expected(name: str, raw: Mapping[str, Any]) -> tuple[str, str]:
    """What Argo CD and kstatus should say."""
    if name in SPECIAL:
        return SPECIAL[name]
    phase, waits = raw["status"]["phase"], (raw["status"].get("rollout") or {}).get("reason")
    argo = "Suspended" if waits in WAITS_FOR_A_PERSON and phase != "RolledBack" else ARGO_BY_PHASE[phase]
    if phase == "Serving" and "Superseded" in name:
        argo = "Progressing"  # the next one has not started yet
    return argo, KSTATUS_OF[argo]


def states() -> dict[str, dict[str, Any]]:
    """Every state, by name."""
    return {**seen(), **{name: make() for name, make in EXTRA.items()}}
