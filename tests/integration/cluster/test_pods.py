"""Pods behave as they do on a real node, as far as an operator can tell."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.integration.cluster.workloads import (
    PORT,
    Namespace,
    deployment,
    eventually,
    pod,
    script,
    server,
    service,
)


def test_deployment_becomes_endpoints(namespace: Namespace) -> None:
    """A Deployment's pods become Ready, and their addresses the Service's endpoints."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    namespace.apply(deployment("web", server(readinessProbe=probe), replicas=2), service("web"))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    pods = {p["status"]["podIP"] for p in namespace.list("pods", "app=web")}

    def addresses() -> set[str]:
        slices = namespace.list("endpointslices", "kubernetes.io/service-name=web")
        return {e["addresses"][0] for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"]}

    assert len(pods) == 2
    assert eventually(lambda: addresses() == pods)


def test_container_sees_its_environment(namespace: Namespace) -> None:
    """Variables come from values, fields, limits, ConfigMaps and Secrets, and may refer to earlier ones."""
    namespace.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"COLOUR": "blue"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": "s3cret"}},
        pod(
            "web",
            server(
                envFrom=[{"configMapRef": {"name": "settings"}}],
                env=[
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                    {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
                    {"name": "ALL", "value": "$(COLOUR)-$(LABEL)-$(UNKNOWN)"},
                ],
                resources={"limits": {"memory": "256Mi"}},
            ),
        ),
    )
    namespace.wait_ready("web")
    seen = json.loads(eventually(lambda: namespace.ask("web", "/env")))
    assert seen["KEY"] == "s3cret"
    assert seen["IP"] == namespace.get("pod", "web")["status"]["podIP"]
    assert seen["MEMORY"] == str(256 << 20)
    assert seen["ALL"] == "blue-web-$(UNKNOWN)"
    assert seen["hostname"] == "web"
    assert "PYTHONPATH" not in seen, "the agent's own environment must not leak into pods"


def test_volumes_appear_where_they_are_mounted(namespace: Namespace) -> None:
    """Volumes are seen at their mount paths, and the machine's file system does not change."""
    nowhere = "/serin-no-such-folder/models"
    namespace.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a.yaml": "a: 1"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": "s3cret"}},
        pod(
            "web",
            server(
                volumeMounts=[
                    {"name": "config", "mountPath": "/etc/serin-test", "readOnly": True},
                    {"name": "secret", "mountPath": f"{nowhere}/key", "subPath": "key"},
                    {"name": "shared", "mountPath": nowhere},
                ]
            ),
            initContainers=[
                script(
                    f"echo weights > {nowhere}/model; touch /etc/serin-test/x || echo read-only > {nowhere}/tried",
                    name="fetch",
                    volumeMounts=[
                        {"name": "shared", "mountPath": nowhere},
                        {"name": "config", "mountPath": "/etc/serin-test", "readOnly": True},
                    ],
                )
            ],
            volumes=[
                {"name": "config", "configMap": {"name": "settings"}},
                {"name": "secret", "secret": {"secretName": "keys"}},
                {"name": "shared", "emptyDir": {}},
            ],
        ),
    )
    namespace.wait_ready("web")
    assert eventually(lambda: namespace.ask("web", "/read?/etc/serin-test/a.yaml")) == "a: 1"
    assert namespace.ask("web", f"/read?{nowhere}/key") == "s3cret"
    assert namespace.ask("web", f"/read?{nowhere}/model") == "weights\n"
    assert namespace.ask("web", f"/read?{nowhere}/tried") == "read-only\n"
    assert not Path(nowhere).parent.exists()
    assert not Path("/etc/serin-test").exists()


def test_pod_talks_to_the_api_server(namespace: Namespace) -> None:
    """In-cluster configuration works: the projected token is the service account's."""
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    ask = (
        f'curl --silent --cacert {folder}/ca.crt -H "Authorization: Bearer $(cat {folder}/token)" '
        "-H 'Content-Type: application/json' -d '{}' "
        "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/apis/authentication.k8s.io/v1/selfsubjectreviews"
    )
    namespace.apply(pod("ask", script(f"{ask}; cat {folder}/namespace"), restartPolicy="Never"))
    namespace.wait_phase("ask", "Succeeded")
    assert f"system:serviceaccount:{namespace.name}:default" in namespace.logs("ask")
    assert namespace.logs("ask").endswith(namespace.name)


def test_missing_configmap_holds_the_container(namespace: Namespace) -> None:
    """A container waits for a ConfigMap that its environment needs, and starts when it is there."""
    namespace.apply(pod("web", server(envFrom=[{"configMapRef": {"name": "late"}}])))
    assert eventually(
        lambda: namespace.state("web")["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError"
    )
    namespace.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {}})
    namespace.wait_ready("web")


def test_init_containers_run_first_and_again_after_a_failure(namespace: Namespace) -> None:
    """Init containers run one after the other, a failing one until it succeeds, and only then the others."""
    volume = {"name": "work", "mountPath": "/work-of-init"}
    once_failing = "test -e /work-of-init/tried || { touch /work-of-init/tried; exit 1; }; echo first"
    namespace.apply(
        pod(
            "web",
            script("echo last; sleep 60", volumeMounts=[volume]),
            initContainers=[
                script(once_failing, name="first", volumeMounts=[volume]),
                script("echo second", name="second"),
            ],
            volumes=[{"name": "work", "emptyDir": {}}],
        )
    )
    namespace.wait_ready("web")
    init = {c["name"]: c for c in namespace.get("pod", "web")["status"]["initContainerStatuses"]}
    assert init["first"]["restartCount"] == 1
    assert init["first"]["state"]["terminated"]["reason"] == "Completed"
    logs = namespace.cluster.logs
    assert [logs(namespace.name, "web", name) for name in ("first", "second")] == ["first\n", "second\n"]


def test_sidecar_runs_beside_the_containers(namespace: Namespace) -> None:
    """An init container that always restarts keeps running, and does not keep the pod from completing."""
    namespace.apply(
        pod(
            "job",
            script("sleep 0.5; echo done"),
            initContainers=[server(name="sidecar", restartPolicy="Always")],
            restartPolicy="Never",
        )
    )
    namespace.wait_phase("job", "Succeeded")
    assert "terminated" in namespace.cluster.logs(namespace.name, "job", "sidecar")


def test_job_reports_by_termination_message(namespace: Namespace) -> None:
    """A Job completes, and its pod's termination message says what it wrote."""
    spec = {"containers": [script('echo \'{"verdict": "pass"}\' > /dev/termination-log')], "restartPolicy": "Never"}
    namespace.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "evaluate"},
            "spec": {"template": {"spec": spec}, "backoffLimit": 0},
        }
    )
    namespace.kubectl("wait", "--for=condition=Complete", "job/evaluate", "--timeout=20s")
    [done] = namespace.list("pods", "job-name=evaluate")
    ended = done["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert json.loads(ended["message"]) == {"verdict": "pass"}


def test_failed_job_reports_the_end_of_its_log(namespace: Namespace) -> None:
    """FallbackToLogsOnError makes the end of the log the message of a container that wrote none."""
    failing = script("echo before; echo 'no such model' >&2; exit 3", terminationMessagePolicy="FallbackToLogsOnError")
    namespace.apply(pod("fetch", failing, restartPolicy="Never"))
    namespace.wait_phase("fetch", "Failed")
    ended = namespace.state("fetch")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "before\nno such model\n")


def test_crash_loop_backs_off(namespace: Namespace) -> None:
    """A container that keeps failing is started again after growing delays, and its status says so."""
    namespace.apply(pod("crash", script("exit 7")))

    def backing_off() -> bool:
        status = namespace.state("crash")
        return status["restartCount"] >= 2 and "waiting" in status["state"]

    assert eventually(backing_off)
    status = namespace.state("crash")
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert namespace.get("pod", "crash")["status"]["phase"] == "Running"


def test_memory_beyond_the_limit_is_oom_killed(namespace: Namespace) -> None:
    """A container that holds more memory than its limit is killed, with the reason a real node gives."""
    greedy = "import time; held = bytearray(200 << 20); time.sleep(60)"
    container = {
        **script(""),
        "command": [sys.executable, "-c", greedy],
        "args": [],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    namespace.apply(pod("greedy", container, restartPolicy="Never"))
    namespace.wait_phase("greedy", "Failed")
    ended = namespace.state("greedy")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_readiness_follows_the_probe(namespace: Namespace) -> None:
    """A pod whose readiness probe fails is no longer Ready, without a restart."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    namespace.apply(pod("web", server(readinessProbe=probe)))
    namespace.wait_ready("web")
    namespace.ask("web", "/sicken")
    assert eventually(lambda: not namespace.is_ready("web"))
    assert namespace.state("web")["restartCount"] == 0


def test_liveness_failure_restarts(namespace: Namespace) -> None:
    """A container whose liveness probe fails is ended and started anew."""
    probe = {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1, "failureThreshold": 1}
    startup = {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 10}
    namespace.apply(pod("web", server(livenessProbe=probe, startupProbe=startup)))
    namespace.wait_ready("web")
    namespace.ask("web", "/sicken")
    assert eventually(lambda: namespace.state("web")["restartCount"] == 1)
    assert "Liveness probe failed: HTTP 503" in namespace.logs("web")
    assert eventually(lambda: namespace.is_ready("web"))


def test_startup_probe_holds_the_others_back(namespace: Namespace) -> None:
    """Until the start-up probe passes, liveness is not asked and the container is not ready."""
    slow = script(
        "sleep 2; touch /tmp-of-start/up; sleep 60", volumeMounts=[{"name": "v", "mountPath": "/tmp-of-start"}]
    )
    look = {"exec": {"command": ["test", "-e", "/tmp-of-start/up"]}, "periodSeconds": 1}
    slow["startupProbe"] = {**look, "failureThreshold": 10}
    slow["livenessProbe"] = {**look, "failureThreshold": 1}
    namespace.apply(pod("slow", slow, volumes=[{"name": "v", "emptyDir": {}}]))
    assert eventually(lambda: "running" in namespace.state("slow")["state"])
    assert (namespace.state("slow")["started"], namespace.is_ready("slow")) == (False, False)
    namespace.wait_ready("slow")
    assert namespace.state("slow")["restartCount"] == 0


def test_deletion_is_graceful(namespace: Namespace) -> None:
    """A deleted pod gets its preStop hook, then SIGTERM, and its namespace and address go with it."""
    hook = {"exec": {"command": ["/bin/sh", "-c", "echo stopping > /dev/termination-log"]}}
    namespace.apply(pod("web", server(lifecycle={"preStop": hook})))
    namespace.wait_ready("web")
    before = namespace.cluster.run(["ip", "netns"])
    namespace.kubectl("delete", "pod", "web", "--timeout=20s")
    assert namespace.logs("web") == "terminated\n"
    assert eventually(lambda: len(namespace.cluster.run(["ip", "netns"]).split("\n")) < len(before.split("\n")))


def test_grace_period_ends_in_a_kill(namespace: Namespace) -> None:
    """A container that ignores SIGTERM is killed when the grace period is over."""
    namespace.apply(pod("stubborn", script("trap '' TERM; while :; do sleep 1; done"), terminationGracePeriodSeconds=1))
    namespace.wait_ready("stubborn")
    began = time.monotonic()
    namespace.kubectl("delete", "pod", "stubborn", "--timeout=20s")
    assert 0.9 < time.monotonic() - began < 5


def test_fake_pod_is_ready_and_runs_nothing(namespace: Namespace) -> None:
    """An annotation makes one pod Ready without a process; its Deployment cannot tell."""
    container = script("exit 1")
    namespace.apply(
        deployment("many", container, replicas=50, annotations={"cluster.serin.dev/fake": "true"}), service("many")
    )
    namespace.kubectl("rollout", "status", "deployment/many", "--timeout=20s")
    namespace.kubectl("delete", "deployment", "many")
    assert eventually(lambda: namespace.list("pods", "app=many") == [])
