"""manifests/gitops/argocd/argocd-cm.yaml, made from health.lua: `make manifests` writes it."""

from __future__ import annotations

import argparse
import sys
import textwrap

from tests.unit.gitops.lua import HEALTH

CONFIG_MAP = HEALTH.with_name("argocd-cm.yaml")
_HEAD = """\
# What Argo CD's own ConfigMap gets so that it knows the health of a ModelDeployment. Merge it, do not replace with it:
#
#     kubectl --namespace argocd patch configmap argocd-cm --type merge --patch-file argocd-cm.yaml
#
# Generated from health.lua by `make manifests`.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
  resource.customizations.health.serin.dev_ModelDeployment: |
"""


def text() -> str:
    """What the file should hold."""
    return _HEAD + textwrap.indent(HEALTH.read_text(), "    ")


def stale() -> list[str]:
    """The file, when it is not that."""
    return [] if CONFIG_MAP.exists() and CONFIG_MAP.read_text() == text() else [CONFIG_MAP.name]


def main() -> int:
    """Write, or look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the file is stale")
    if parser.parse_args().check:
        print(f"stale: {', '.join(stale())}; run `make manifests`" if stale() else "the health check is current")
        return 1 if stale() else 0
    CONFIG_MAP.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
