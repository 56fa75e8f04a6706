"""A cluster leaves nothing behind, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import API_ONLY, Access, Cluster, ClusterError, NameTaken, namespaces, run_dirs
from tests.integration.cluster.workloads import Namespace, eventually, pod, server

REPOSITORY = Path(__file__).parents[3]


def launch(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start the command as a user would, from a terminal of its own."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.cluster", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_up(launcher: subprocess.Popen[str]) -> str:
    """Read the launcher's output up to its last line before it waits."""
    assert launcher.stdout
    seen = ""
    for line in launcher.stdout:
        seen += line
        if line.startswith("Ctrl-C"):
            return seen
    raise AssertionError(seen)


def processes_of(namespace: str) -> list[str]:
    """The pids of all processes in a pid namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "ns/pid").readlink()) == namespace:
                found.append(process.name)
        except OSError:
            continue
    return found


def mounts() -> list[str]:
    """What is mounted on this machine."""
    return Path("/proc/self/mounts").read_text().splitlines()


def test_kill_9_of_the_launcher_leaves_nothing() -> None:
    """After kill -9 of the launcher no process, namespace or mount is left, and the next start sweeps up."""
    before = mounts()
    launcher = launch("up", "--name", "killed", "--api-only")
    until_up(launcher)
    cluster = Access("killed")
    inside = str(Path(f"/proc/{cluster.state.supervisor_pid}/ns/pid").readlink())
    guest = cluster.popen(["sleep", "1000"])
    assert len(processes_of(inside)) >= 4
    launcher.kill()
    launcher.wait()
    assert eventually(lambda: not run_dirs.is_alive("killed"), seconds=5)
    assert processes_of(inside) == []
    assert guest.wait(5) != 0
    assert mounts() == before
    assert cluster.run_dir.exists()
    assert "killed" in run_dirs.sweep()


def test_kill_9_at_any_instant_leaves_nothing() -> None:
    """The same holds while the cluster is still starting."""
    for instant_seconds in (0.3, 0.6, 1.2, 2.0):
        launcher = launch("up", "--name", "early", "--api-only")
        time.sleep(instant_seconds)
        launcher.kill()
        launcher.wait()
        assert eventually(lambda: not run_dirs.is_alive("early"), seconds=5)
    assert not [
        line
        for line in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout.splitlines()
        if "/early/" in line and "defunct" not in line
    ]


def test_down_removes_the_files() -> None:
    """`down` from another terminal ends a detached cluster and removes its run dir."""
    up = launch("up", "--name", "detached", "--api-only", "--detach")
    assert up.wait(60) == 0, up.stdout and up.stdout.read()
    run_dir = Access("detached").run_dir
    status = launch("status", "--name", "detached")
    assert "kube-apiserver           running" in status.communicate(timeout=20)[0]
    assert launch("down", "--name", "detached").wait(20) == 0
    assert not run_dir.exists()
    with pytest.raises(ClusterError, match="no cluster named 'detached'"):
        _ = Access("detached").state


def test_two_clusters_side_by_side(cluster: Cluster) -> None:
    """A second cluster has an API server, objects and addresses of its own; a second of one name is refused."""
    with Cluster("second", components=API_ONLY) as second:
        second.kubectl("create", "namespace", "only-here")
        assert "only-here" not in cluster.kubectl("get", "namespaces")
        with pytest.raises(NameTaken):
            Cluster("second", components=API_ONLY).up()


def test_kill_reaches_the_process_inside(cluster: Cluster) -> None:
    """A command inside gets the signals sent to its handle, and its pid is the real one's."""
    sleeper = cluster.popen(["sleep", "1000"])
    command = Path(f"/proc/{sleeper.pid}/cmdline")
    assert eventually(lambda: command.read_bytes().startswith(b"sleep"))
    sleeper.kill()
    assert sleeper.wait(5) == -signal.SIGKILL
    assert not command.exists()


def test_output_and_exit_code_come_back(cluster: Cluster) -> None:
    """A command inside prints to us, sees the inner kubeconfig, and its failure is an error."""
    assert cluster.run(["sh", "-c", "echo $KUBECONFIG"]).strip() == str(cluster.kubeconfig_inside)
    with pytest.raises(ClusterError, match="exited with 3"):
        cluster.run(["sh", "-c", "exit 3"])


def test_command_runs_in_the_cluster_from_the_terminal(cluster: Cluster) -> None:
    """`exec` runs a command inside, with its exit code."""
    asked = launch("exec", "--name", cluster.name, "--", "sh", "-c", "kubectl get nodes -o name; exit 4")
    assert asked.communicate(timeout=20)[0].strip() == "node/local"
    assert asked.returncode == 4


def test_reboot_of_the_node_restarts_containers(namespace: Namespace) -> None:
    """When the agent is stopped and started, its containers are started again and count a restart."""
    namespace.apply(pod("web", server()))
    namespace.wait_ready("web")
    namespace.cluster.stop("agent")
    namespace.cluster.start("agent")
    assert eventually(lambda: namespace.state("web")["restartCount"] == 1 and namespace.ask("web"))


def test_ordinary_user_can_run_it() -> None:
    """Without any capability the cluster comes up in a user namespace, and pods run."""
    if os.geteuid() != 0:
        pytest.skip("every test here already runs as an ordinary user")
    # Root without a capability is an ordinary user that may read root's files. Since Linux 5.12 uid 0 needs
    # CAP_SETFCAP to map itself, which other users do not.
    prefix = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--")
    refused = subprocess.run([*prefix, "unshare", "--user", "true"], capture_output=True, check=False)
    if refused.returncode != 0:
        pytest.skip("this kernel allows no user namespaces")
    launcher = launch("up", "--name", "rootless", prefix=prefix)
    try:
        said = until_up(launcher)
        cluster = Access("rootless")
        assert "cluster 'rootless' is up" in said
        assert cluster.state.user_namespace
        namespace = Namespace(cluster, "default")
        namespace.apply(pod("web", server(readinessProbe={"httpGet": {"port": "http"}, "periodSeconds": 1})))
        namespace.wait_ready("web")
        assert namespace.ask("web") == "v1"
        assert json.loads(cluster.kubectl("get", "pod", "web", "-o", "json"))["status"]["phase"] == "Running"
    finally:
        launcher.terminate()
        launcher.wait(20)
    assert not cluster.run_dir.exists()


def test_namespaces_are_possible_here() -> None:
    """The probe for namespaces tells root from an ordinary user."""
    assert namespaces.detect().user_namespace == (os.geteuid() != 0)
