"""What the monitoring objects ask for is there."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from serin.api.names import LABEL_DEPLOYMENT, LABEL_REVISION
from serin.api.reasons import Reason
from serin.controller.telemetry import Telemetry
from serin.metrics.presets.base import REVISION_LABEL
from serin.rollout.decision import Note
from tests.unit.charts.helm import rendered, values
from tests.unit.charts.objects import CHART, MONITORING, ROOT, Json, installed, load, objects

OPERATOR = objects((MONITORING / "prometheus-operator.yaml").read_text())
ALERTS = load(CHART / "files" / "alerts.yaml")
DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
RULES: dict[str, Json] = {rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]}
EXPRESSIONS = {target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]}


def _exported() -> dict[str, set[str]]:
    """The names that /metrics shows once everything was counted, each with its labels."""
    telemetry = Telemetry()
    telemetry.transition(Note("Normal", Reason.PROMOTED, "words"))
    telemetry.requested("get", "leases")
    found: dict[str, set[str]] = {}
    for metric in telemetry.registry.collect():
        for sample in metric.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _reasons(alert: str) -> set[str]:
    found: set[str] = {
        reason for matched in re.findall(r'reason=~?"([^"]+)"', RULES[alert]["expr"]) for reason in matched.split("|")
    }
    return found


@pytest.mark.parametrize("expression", sorted(EXPRESSIONS | {rule["expr"] for rule in RULES.values()}))
def test_only_metrics_are_asked_for_that_the_operator_exports(expression: str) -> None:
    """An alert on a metric that nobody exports never fires; a label that it lacks selects nothing."""
    exported = _exported()
    asked = set(re.findall(r"serin_[a-z_]+", expression))
    assert asked
    assert asked <= exported.keys()
    labels = {"namespace", "job", "pod"}.union(*(exported[name] for name in asked))
    used = {word.strip() for words in re.findall(r"by \(([^)]*)\)", expression) for word in words.split(",")}
    used |= set(re.findall(r'(\w+)=~?"', expression))
    assert used <= labels


def test_alerts_are_about_what_was_asked() -> None:
    """A rollout that is stuck, held or rolled back, and an operator with errors."""
    assert {"SerinStuck", "SerinHeld", "SerinRolledBack", "SerinLooksFail", "SerinHasNoLeader"} <= RULES.keys()
    for rule in RULES.values():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_the_page_explains_every_alert() -> None:
    """In the order of the file."""
    page = (ROOT / "docs" / "install.md").read_text()
    assert re.findall(r"^\| (Serin\w+) \| ", page, re.MULTILINE) == list(RULES)


def test_alerts_name_reasons_that_there_are() -> None:
    """Every failure is told by one of two alerts; what a person has done on purpose is no alert."""
    failures = {reason.value for reason in Reason if reason.about.kind == "failure"}
    told = _reasons("SerinRolledBack") | _reasons("SerinStuck")
    assert told == failures - {Reason.ABORTED.value} | {Reason.INVALID_TEMPLATE.value}
    assert not _reasons("SerinRolledBack") & _reasons("SerinStuck")
    holds = {reason.value for reason in Reason if reason.about.kind == "hold"}
    assert _reasons("SerinHeld") <= holds | {Reason.ROUTE_CONFLICT.value}


def test_the_chart_installs_all_alerts_as_they_are_written() -> None:
    """Helm and Prometheus both write templates in double braces; these are for Prometheus."""
    made = objects(rendered("--values", values("monitored")))["PrometheusRule", "serin"]
    assert made["spec"] == ALERTS
    assert "{{ $labels.reason }}" in made["spec"]["groups"][0]["rules"][4]["annotations"]["summary"]


def test_the_chart_installs_the_dashboard_as_it_is_written() -> None:
    """Byte for byte, with the label that Grafana collects by."""
    made = objects(rendered("--values", values("monitored")))["ConfigMap", "serin-dashboard"]
    assert json.loads(made["data"]["serin.json"]) == DASHBOARD
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    """Each has a number and a place of its own on the grid of 24 columns."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


def test_scrapes_carry_the_revision() -> None:
    """Model servers are told apart by the pods' label; the scrape has to copy it."""
    monitor = OPERATOR["PodMonitor", "serin-models"]["spec"]
    assert LABEL_REVISION in monitor["podTargetLabels"]
    assert monitor["selector"]["matchExpressions"] == [{"key": LABEL_DEPLOYMENT, "operator": "Exists"}]
    assert re.sub(r"[./]", "_", LABEL_REVISION) == REVISION_LABEL
    models = load(MONITORING / "scrape-config.yaml")["scrape_configs"][0]
    (copy,) = [step for step in models["relabel_configs"] if step.get("action") == "labelmap"]
    assert re.fullmatch(copy["regex"], f"__meta_kubernetes_pod_label_{REVISION_LABEL}")


def test_the_operators_own_metrics_are_found() -> None:
    """By the labels, the namespace and the port of its Service."""
    service = installed()["Service", "serin-metrics"]
    monitor = OPERATOR["ServiceMonitor", "serin"]
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert yaml.safe_dump(load(MONITORING / "scrape-config.yaml")).count("serin-metrics") == 1


def test_models_of_watched_namespaces_are_scraped_and_no_others() -> None:
    """Everywhere when everything is watched."""
    assert OPERATOR["PodMonitor", "serin-models"]["spec"]["namespaceSelector"] == {"any": True}
    made = objects(rendered("--values", values("namespaced")))["PodMonitor", "serin-models"]
    assert made["spec"]["namespaceSelector"] == {"matchNames": ["ml", "shop"]}
