"""A real Kubernetes control plane on one machine, for tests and demos: no containers, no virtual machine.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones; Traefik serves the Gateway
API; Prometheus scrapes; a stand-in for the kubelet runs pods as processes. All of it lives in namespaces of
its own and vanishes with the process that started it, even by kill -9.

    with Cluster(name="e2e") as cluster:
        cluster.apply(Path("crds/...").read_text())
        operator = cluster.popen([sys.executable, "-m", "serin", "run"], stdout=log)
        cluster.kubectl("wait", "--for=condition=Ready", "modeldeployment/iris")
        cluster.stop("prometheus")           # an outage; start() brings it back with its data
        operator.kill()                      # kill -9 reaches the operator itself

From the host: `kubeconfig`, `prometheus_url`, `gateway_url`, `traefik_metrics_url`. From inside (commands run
by `popen`, and pods): `kubeconfig_inside`, `prometheus_url_inside`, `gateway_url_inside`. A route whose
parentRef is the Gateway `gw` in namespace `default` answers at `gateway_url`.

`Cluster(components=API_ONLY)` is a bare API server; `Cluster(agent="fake")` says Ready for every pod and runs
none; the annotation `cluster.serin.dev/fake: "true"` does so for one pod. `Access(name)` uses a cluster that
runs already, such as one from `python -m tests.cluster up`.

What a pod can and cannot do here is told in `tests/cluster/agent/__init__.py`.
"""

from tests.cluster.access import Access
from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError, NameTaken, StartFailed, ToolMissing, Unsupported
from tests.cluster.process import Process
from tests.cluster.settings import API_ONLY, COMPONENTS

__all__ = [
    "API_ONLY",
    "COMPONENTS",
    "Access",
    "Cluster",
    "ClusterError",
    "NameTaken",
    "Process",
    "StartFailed",
    "ToolMissing",
    "Unsupported",
]
