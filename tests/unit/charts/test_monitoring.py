"""What manifests/monitoring asks for is there."""

from __future__ import annotations

import re

import yaml

from serin.api.names import LABEL_DEPLOYMENT, LABEL_REVISION
from serin.controller.telemetry import Telemetry
from serin.metrics.presets.base import REVISION_LABEL
from tests.unit.charts.objects import MONITORING, installed, load, objects

OPERATOR = objects((MONITORING / "prometheus-operator.yaml").read_text())


def test_alerts_are_about_metrics_that_there_are() -> None:
    """An alert on a metric that nobody exports never fires."""
    exported = {sample.name for metric in Telemetry().registry.collect() for sample in metric.samples}
    rules = OPERATOR["PrometheusRule", "serin"]["spec"]["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"serin_[a-z_]+", rule["expr"])}
    assert asked
    assert asked <= exported


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
    """By the labels and the port of its Service."""
    service = installed()["Service", "serin-metrics"]
    monitor = OPERATOR["ServiceMonitor", "serin"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert yaml.safe_dump(load(MONITORING / "scrape-config.yaml")).count("serin-metrics") == 1
