"""The CRDs of the Prometheus Operator's kinds, made from their Go types as their makers do, once into the cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster import gobuild, tools
from tests.cluster.pins import GoTool

VERSION = "0.90.0"
TYPES = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"
GENERATOR = GoTool("controller-gen", "monitoring", "sigs.k8s.io/controller-tools/cmd/controller-gen", VERSION)
MODULE = Path(gobuild.__file__).parent / "gomod" / GENERATOR.module
KINDS = ("servicemonitors", "podmonitors", "prometheusrules")


def crds() -> list[Path]:
    """One file for each kind that the chart makes."""
    folder = tools.cache_dir() / f"{GENERATOR.module}-{VERSION}" / "crds"
    wanted = [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]
    if not all(path.is_file() for path in wanted):
        go = tools.ensure(["go"])["go"]
        program = gobuild.build([GENERATOR], tools.cache_dir(), go=go)[GENERATOR.name]
        _generate(program, go, folder)
    return wanted


def _generate(program: Path, go: Path, folder: Path) -> None:
    with gobuild.locked(folder.with_name("crds.lock")):
        environment = os.environ | {"PATH": f"{go.parent}:{os.environ['PATH']}", "GOFLAGS": "-mod=readonly"}
        subprocess.run(
            [program, "crd", f"paths={TYPES}/v1", f"output:crd:dir={folder}"],
            cwd=MODULE,
            env=environment | {"GOWORK": "off"},
            check=True,
            timeout=600,
        )
