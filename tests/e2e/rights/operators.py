"""The chart installed by Helm, and two operators that have its account's token and nothing else.

The pods of the chart's Deployment are only said to run: nobody built an image. What would run in them runs on the
host, with the ConfigMap that the chart made and a kubeconfig whose only credential is a token of its ServiceAccount.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import Cluster, tools
from tests.demo.manifests import REPOSITORY
from tests.unit.charts.helm import NAMESPACE, helm
from tests.unit.charts.objects import CHART

Json = dict[str, Any]

USER = f"system:serviceaccount:{NAMESPACE}:serin"
QUICK: Json = {"gatewayReloadSeconds": 1, "statusSeconds": 1, "listen": {"host": "127.0.0.1", "port": 0}}
ELECTION: Json = {"leaseSeconds": 5, "renewSeconds": 3, "retrySeconds": 1}
_SECONDS_MAX = 60.0


class Release:
    """An installation of the chart under the name serin, for some namespaces that are there, or for all."""

    def __init__(self, cluster: Cluster, namespaces: Collection[str]) -> None:
        self._cluster, self._namespaces = cluster, namespaces

    def install(self) -> None:
        """The Gateway API's kinds, and the chart."""
        for path in tools.gateway_api_crds():
            self._cluster.kubectl("apply", "--server-side", "-f", str(path))
        fake = r"podAnnotations.cluster\.serin\.dev/fake=true"
        watched = ("--set", f"namespaces={{{','.join(self._namespaces)}}}") if self._namespaces else ()
        self._helm("install", "serin", str(CHART), "--create-namespace", "--set-string", fake, *watched)
        self._cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")

    def uninstall(self) -> None:
        """As docs/install.md says it: the CRDs stay."""
        self._helm("uninstall", "serin")

    def config(self) -> Json:
        """What the chart tells the operator."""
        text = self._cluster.kubectl("get", "configmap", "serin", "--namespace", NAMESPACE, "-o", "json")
        config: Json = yaml.safe_load(json.loads(text)["data"]["config.yaml"])
        return config

    def roles(self) -> list[Json]:
        """Every role that is bound to the operator's account, as it is in the cluster."""
        found = []
        for kind, where in (("clusterrolebinding", ()), ("rolebinding", ("--all-namespaces",))):
            for binding in json.loads(self._cluster.kubectl("get", kind, "-o", "json", *where))["items"]:
                if any(_is_operator(subject) for subject in binding.get("subjects") or ()):
                    inside = binding["metadata"].get("namespace")
                    role = binding["roleRef"]
                    namespace = ("--namespace", inside) if inside else ()
                    text = self._cluster.kubectl("get", role["kind"], role["name"], "-o", "json", *namespace)
                    found.append(json.loads(text))
        return found

    def token(self) -> str:
        """A token of the account."""
        return self._cluster.kubectl("create", "token", "serin", "--namespace", NAMESPACE).strip()

    def _helm(self, *arguments: str) -> None:
        done = helm(*arguments, "--namespace", NAMESPACE, kubeconfig=self._cluster.kubeconfig)
        assert done.returncode == 0, done.stderr


def _is_operator(subject: Json) -> bool:
    return (subject["kind"], subject["name"], subject.get("namespace")) == ("ServiceAccount", "serin", NAMESPACE)


class Operators:
    """Two of them, as the chart's Deployment has replicas."""

    def __init__(self, cluster: Cluster, release: Release, folder: Path, source: Json) -> None:
        self._cluster, self._folder = cluster, folder
        self._running: list[subprocess.Popen[bytes]] = []
        config = release.config()
        config |= QUICK | {"metricSources": [source], "leaderElection": config["leaderElection"] | ELECTION}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
        kubeconfig["users"][0]["user"] = {"token": release.token()}
        path = folder / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(kubeconfig))

    def start_both(self) -> None:
        """One that leads, and one that stands by."""
        self._start()
        self.until_led()
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "serin", "run"]
        command += ["--config", str(self._folder / "config.yaml"), "--kubeconfig", str(self._folder / "kubeconfig")]
        with self._log(len(self._running)).open("wb") as log:
            started = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY / "operator")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(started)

    def until_led(self, but: str = "") -> str:
        """Wait until one leads, another one than before; who it is."""
        deadline = time.monotonic() + _SECONDS_MAX
        while True:
            holder = self._holder()
            if holder not in ("", but):
                return holder
            assert time.monotonic() < deadline, f"led by {holder!r}\n{self.fallen() or self.tails()}"
            time.sleep(0.3)

    def kill_first(self) -> None:
        """Kill -9."""
        self._running[0].kill()
        self._running[0].wait(10)

    def terminate(self) -> None:
        """As a pod is ended; they have to end well."""
        for one in self._running[1:]:
            one.terminate()
            assert one.wait(30) == 0, self.tails()

    def end(self) -> None:
        """Whatever still runs."""
        for one in self._running:
            one.kill()
            one.wait(10)

    def fallen(self) -> str | None:
        """The logs, when none is left that runs."""
        return self.tails() if all(one.poll() is not None for one in self._running) else None

    def tails(self) -> str:
        """The ends of the logs."""
        return "\n".join(self._log(number).read_text()[-3000:] for number in range(len(self._running)))

    def _log(self, number: int) -> Path:
        return self._folder / f"operator-{number}.log"

    def _holder(self) -> str:
        found = self._cluster.kubectl(
            *("get", "lease", "serin", "--namespace", NAMESPACE, "--ignore-not-found"),
            *("-o", "jsonpath={.spec.holderIdentity}"),
        )
        return found.strip()
