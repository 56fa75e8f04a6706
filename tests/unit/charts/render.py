"""The plain manifests, rendered from the chart: `make manifests` writes, `make manifests-check` finds stale ones.

Helm's output is kept as text, because its comments say why each right is there. What only Helm reads is taken out:
its labels, where a document came from, the policy that keeps CRDs, and the hash that makes new pods of a new
configuration, which nobody would compute anew after an edit by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.unit.charts.helm import NAMESPACE, rendered
from tests.unit.charts.objects import INSTALL, MONITORING

CRDS = INSTALL.parent / "crds" / "crds.yaml"
OPERATOR = MONITORING / "prometheus-operator.yaml"

_CRD_KIND = re.compile(r"^kind: CustomResourceDefinition$", re.MULTILINE)
_HELMS = re.compile(
    r"^# Source: .*\n"
    r"|^ *(?:helm\.sh/chart|helm\.sh/resource-policy|app\.kubernetes\.io/managed-by): .*\n"
    r"|^ *annotations:\n *#.*\n *serin\.dev/config-hash: .*\n",
    re.MULTILINE,
)

_CRDS_HEAD = """\
# The CRDs. Whoever deletes one deletes all its objects, and with the ModelDeployments whatever they run. Generated from
# the chart by `make manifests`.
"""
_INSTALL_HEAD = f"""\
# Serin without Helm: what the chart makes with its default values. Generated from it by `make manifests`;
# docs/install.md says how to change it without editing it here. From the repository's root:
#
#     kubectl apply --server-side -k manifests/install
#
# Two things are yours to change first: the image (none is published yet; see the Dockerfile) and the address of
# Prometheus in the ConfigMap. The configuration is read at start: after a change of it,
#
#     kubectl --namespace {NAMESPACE} rollout restart deployment serin
#
# To uninstall the operator and keep every model, `kubectl delete -f manifests/install`; with -k the CRDs would go, too.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""
_MONITORING_HEAD = """\
# For clusters with the Prometheus Operator: what Serin needs of the metrics, and its own. Give the objects the labels
# that your Prometheus selects by. Generated from the chart by `make manifests`.
"""


def manifests() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    documents = split(rendered())
    kinds = ("serviceMonitor", "podMonitor", "rules")
    monitors = rendered(
        *(word for kind in kinds for word in ("--set", f"metrics.{kind}.enabled=true")),
        *(word for name in kinds for word in ("--show-only", f"templates/{_FILES[name]}.yaml")),
    )
    return {
        CRDS: _CRDS_HEAD + _joined(one for one in documents if _CRD_KIND.search(one)),
        INSTALL: _INSTALL_HEAD + "---\n" + _joined(one for one in documents if not _CRD_KIND.search(one)),
        OPERATOR: _MONITORING_HEAD + _joined(split(monitors)),
    }


_FILES = {"serviceMonitor": "servicemonitor", "podMonitor": "podmonitor", "rules": "prometheusrule"}


def split(text: str) -> list[str]:
    """The documents of a stream, without what only Helm reads."""
    documents = (_HELMS.sub("", one).strip("\n") for one in re.split(r"^---$", text, flags=re.MULTILINE))
    return [f"{one}\n" for one in documents if one]


def _joined(documents: Iterable[str]) -> str:
    return "---\n".join(documents)


def stale() -> list[str]:
    """Which files are not what the chart makes."""
    return [path.name for path, text in manifests().items() if not path.exists() or path.read_text() != text]


def main() -> int:
    """Write, or look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    if parser.parse_args().check:
        found = stale()
        print(f"stale: {', '.join(found)}; run `make manifests`" if found else "the manifests are current")
        return 1 if found else 0
    for path, text in manifests().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
