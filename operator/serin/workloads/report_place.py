"""What the Job of a validate stage is given so that its report outlives it: arguments, credentials, a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from serin.workloads.fetch import CLAIMS, claim_of

REPORT_SECONDS_MAX: Final = 60.0
"""How long storing a report may take. The Job gets as much on top of its deadline: a slow store must not cost an answer
that is there already."""
CLAIM_VOLUME: Final = "serin-report-claim"

Json = dict[str, Any]


def report_name(namespace: str, deployment: str, revision: str, attempt: int, stage: str) -> str:
    """Where a report is below the place of all reports: the same for a Job that is started again, and for no other."""
    return f"{namespace}/{deployment}/{revision}.{attempt}.{stage}"


def report_arguments(report: Mapping[str, Any], name: str) -> list[str]:
    """What `serin evaluate` is told of the place; `report` is `serin.api.report_place.ReportPlace` as JSON."""
    told = ["--report-uri", report["uri"], "--report-name", name, "--report-keep", str(report["keep"])]
    told += ["--report-seconds", f"{REPORT_SECONDS_MAX:g}"]
    return [*told, "--claims", CLAIMS] if claim_of(report["uri"]) is not None else told


def add_report_place(pod: Json, container: Json, report: Mapping[str, Any]) -> None:
    """Let the container reach the place: the claim is mounted, the credentials are in its environment."""
    claim = claim_of(report["uri"])
    if claim is not None:
        container.setdefault("volumeMounts", []).append({"name": CLAIM_VOLUME, "mountPath": f"{CLAIMS}/{claim}"})
        volume = {"name": CLAIM_VOLUME, "persistentVolumeClaim": {"claimName": claim}}
        pod.setdefault("volumes", []).append(volume)
    if report.get("envFrom"):
        container["envFrom"] = [*(container.get("envFrom") or []), *report["envFrom"]]
