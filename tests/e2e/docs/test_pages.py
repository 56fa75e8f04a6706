"""Whoever types what stands on the pages, in their order, gets what the pages say.

What is put in is what the pages say to put in: a model server for the image, which is an example; and a policy whose
stages take seconds, because the built-in one takes half an hour. No image of the operator can be built here, so its
pods do not start, and it runs as `serin run` does out of a cluster.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from serin.artifacts.digest import digest_of_file, digest_of_files
from tests.cluster import Cluster
from tests.demo import manifests
from tests.demo.traffic import Traffic
from tests.e2e.docs.reader import Reader, until
from tests.e2e.lifecycle import world
from tests.unit.docs.pages import PAGES, ROOT, Block, blocks, name

Json = dict[str, Any]

QUICKSTART, README, PLUGIN, GITOPS = "docs/quickstart.md", "README.md", "docs/plugin.md", "docs/gitops.md"
APPROVALS, ROLLOUT, REASONS = "docs/approvals.md", "docs/rollout.md", "docs/reasons/"
CARDS, ARTIFACTS = "docs/model-cards.md", "docs/artifacts.md"
MODEL = Path(world.__file__).with_name("model.py")
SIGNED: list[Json] = [
    {"name": "half", "canary": {"weight": 50, "soak": "2s"}},
    {"name": "sign-off", "approval": {"expires": "24h", "approvers": 2}},
    {"name": "bake", "bake": {"for": "30m", "holdback": 10}},
]
"""The stages of docs/approvals.md, but that the time before people are asked is short."""


def test_the_pages_can_be_followed(cluster: Cluster, tmp_path: Path) -> None:
    """First steps from the first to the last; then what the other pages say of the same model."""
    reader = Reader(cluster, tmp_path)
    _namespaces(cluster)
    reader.types(QUICKSTART, "helm install serin")
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    _accepted(cluster, tmp_path / "objects")
    with _operator(cluster, tmp_path), _second_terminal() as beside:
        _demo(cluster, reader)
        _first_version(cluster, reader)
        files = beside.submit(_files, cluster, reader)
        traffic = Traffic(cluster, tmp_path / "load.jsonl")
        try:
            _good_version(cluster, reader)
            _bad_version(cluster, reader)
            _people(cluster, reader, tmp_path)
        finally:
            traffic.kill()
        files.result()
        rest = beside.submit(reader.types_the_rest_of, REASONS)
        _records(reader)
        rest.result()
        # Back behind stable: the last command, because nothing is as it was.
        assert "Done" in reader.types(PLUGIN, "kubectl serin rollback iris --revision stable")
    assert reader.untyped() == []


def _second_terminal() -> ThreadPoolExecutor:
    """For commands that nothing else waits for: most of the first one's time is waiting."""
    return ThreadPoolExecutor(1)


# --- before there is a model --------------------------------------------------------------------------------


def _namespaces(cluster: Cluster) -> None:
    """Those that the pages speak of."""
    cluster.apply([manifests.namespace(one) for one in ("ml", "demo", "argocd")])
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}}
    cluster.apply(settings)


def _accepted(cluster: Cluster, folder: Path) -> None:
    """Every whole object on a page by the API server, with strict validation; it names the files of those that are not.

    All of them as the person whom an example of an action names: nobody can make one in another's name.
    """
    folder.mkdir()
    found = list(_objects())
    for number, (block, raw) in enumerate(found):
        (folder / f"{name(block.page).replace('/', '-')}-{number}.json").write_text(json.dumps(raw))
    (actor,) = {raw["spec"]["actor"] for _, raw in found if raw["kind"] == "RolloutAction"}
    strict = ("--dry-run=server", "--validate=strict", f"--as={actor}", "--as-group=system:masters")
    answer = cluster.kubectl("apply", "--server-side", *strict, "-f", str(folder))
    assert answer.count("serverside-applied") == len(found) > 20


def _objects() -> Iterator[tuple[Block, Json]]:
    for page in PAGES:
        for block in blocks(page):
            for raw in yaml.safe_load_all(block.text) if block.language == "yaml" and not block.not_run else ():
                if isinstance(raw, dict) and "kind" in raw and "metadata" in raw:
                    yield block, raw


@contextlib.contextmanager
def _operator(cluster: Cluster, folder: Path) -> Iterator[None]:
    config, log = folder / "serin.yaml", folder / "operator.log"
    config.write_text(yaml.safe_dump(manifests.operator_config(cluster.prometheus_url_inside, gatewayReloadSeconds=1)))
    command = [sys.executable, "-m", "serin", "run", "--config", str(config), "--standalone"]
    command += ["--kubeconfig", str(cluster.kubeconfig_inside)]
    source = {"PYTHONPATH": str(ROOT / "operator")}
    with log.open("wb") as out, cluster.popen(command, env=source, stdout=out, stderr=subprocess.STDOUT) as operator:
        try:
            yield
        except BaseException:
            print(log.read_text()[-3000:])
            print(cluster.kubectl("get", "modeldeployments", "-A", "-o", "yaml"))
            raise
        finally:
            operator.kill()


def _demo(cluster: Cluster, reader: Reader) -> None:
    """What somebody looks at who has kept the demo's cluster."""
    md = manifests.model_deployment("1")
    md["spec"]["serving"]["template"]["metadata"]["annotations"] = {"cluster.serin.dev/fake": "true"}
    cluster.apply([manifests.policy(), md])
    assert "modeldeployment.serin.dev/iris" in reader.types(QUICKSTART, "kubectl get md,mrev --namespace demo")
    shown = yaml.safe_load(reader.types(QUICKSTART, "kubectl get md iris --namespace demo --output yaml"))
    assert shown["spec"]["model"] == md["spec"]["model"]
    cluster.kubectl("delete", "md", "iris", "--namespace", "demo", "--wait=false")


# --- first steps --------------------------------------------------------------------------------------------


def _first_version(cluster: Cluster, reader: Reader) -> None:
    cluster.apply([_policy("quick", world.STAGES)])
    md = _first_model()
    md["spec"]["rollout"] = {"policyRef": {"name": "quick"}}
    (container,) = md["spec"]["serving"]["template"]["spec"]["containers"]
    container["command"] = [sys.executable, str(MODEL)]
    _write(reader, md)
    reader.types(PLUGIN, "kubectl apply -f iris.yaml")
    cluster.kubectl("wait", "md/iris", "--for=condition=Promoted", "--timeout=90s", timeout=100)
    assert _cells(reader.types(QUICKSTART, "kubectl get md")) == _cells(_shown(QUICKSTART, "kubectl get md"))


def _good_version(cluster: Cluster, reader: Reader) -> None:
    _change(reader, "2")
    reader.types(PLUGIN, "kubectl apply -f iris.yaml")
    assert "errors" in reader.types(QUICKSTART, "kubectl serin plan iris")
    assert " stage " in reader.types(QUICKSTART, "kubectl serin watch iris")
    assert "iris" in reader.types(QUICKSTART, "kubectl get md iris --watch")
    reader.types(QUICKSTART, "kubectl serin wait iris --version 2")
    assert _stable(cluster) == "2"


def _bad_version(cluster: Cluster, reader: Reader) -> None:
    """Seen by `kubectl get --watch`, as the first page shows it."""
    with reader.watching(README, "kubectl get md --watch") as said:
        _change(reader, "3", FAIL_FRACTION="0.9")
        reader.types(PLUGIN, "kubectl apply -f iris.yaml")
        reader.types(PLUGIN, "kubectl serin wait iris --version 3", code=3)
        until(said, lambda: "RolledBack" in said())
        shown = _cells(said())
    assert shown[0] == _cells(_shown(README, "kubectl get md --watch"))[0]
    rows = [" ".join(row) for row in shown[1:]]
    for row in ("iris 2 Promoted True", "iris 2 3 half 50 undecided RollingOut True", "iris 2 RolledBack True"):
        assert row in rows
    assert "GateFailed" in reader.types(QUICKSTART, "kubectl serin explain iris")
    assert "Rejected" in reader.types(QUICKSTART, "kubectl serin history iris")


# --- acts of people, and pipelines --------------------------------------------------------------------------


def _people(cluster: Cluster, reader: Reader, folder: Path) -> None:
    cluster.apply([_policy("signed", SIGNED)])
    _change(reader, "3", FAIL_FRACTION="0")
    md = yaml.safe_load((reader.folder / "iris.yaml").read_text())
    md["spec"]["rollout"] = {"policyRef": {"name": "signed"}}
    _write(reader, md)
    reader.types(PLUGIN, "kubectl apply -f iris.yaml")
    cluster.kubectl("wait", "md/iris", "--for=jsonpath={.status.rollout.stage}=sign-off", "--timeout=90s", timeout=100)
    reader.names = _names(cluster)
    assert "sign-off" in reader.types(PLUGIN, "kubectl serin status iris")
    said = reader.types(APPROVALS, "kubectl serin approve iris").splitlines()
    assert said == reader.put(_shown(APPROVALS, "kubectl serin approve iris")).splitlines()
    cluster.kubectl("patch", "md", "iris", "--type=merge", "-p", '{"spec": {"rollout": {"paused": true}}}')
    reader.types(f"{REASONS}Paused.md", "kubectl serin resume <name>")
    bob = _bob(cluster, folder)
    said_to_bob = reader.types(f"{REASONS}AwaitingApproval.md", "kubectl serin approve <name>", kubeconfig=bob)
    assert "approval 2 of 2" in said_to_bob
    assert "Done (Promoting)" in reader.types(PLUGIN, "kubectl serin promote iris --revision 4d9gr")
    reader.types(GITOPS, "kubectl serin wait iris --version 3")
    reader.types(GITOPS, "kubectl wait modeldeployment/iris --for=condition=Promoted")
    assert _stable(cluster) == "3"


def _names(cluster: Cluster) -> dict[str, str]:
    """What stands on the pages for something that everybody has another of: here it is what is on trial."""
    revision = cluster.kubectl("get", "md", "iris", "-o", "jsonpath={.status.candidate.revision}")
    pods = ("get", "pods", "--selector", f"serin.dev/revision={revision}", "-o", "jsonpath={.items[0].metadata.name}")
    return {
        "<name>": "iris",
        "<revision>": revision,
        "<pod>": cluster.kubectl(*pods),
        "4d9gr": revision.rpartition("-")[2],
        "ml/iris": "default/iris",
        "iris v2": "iris 2",
        "deployment=digits": "deployment=iris",
        "ann@example.com": cluster.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"),
    }


def _bob(cluster: Cluster, folder: Path) -> Path:
    """A kubeconfig of somebody who has nothing but the approver's role."""
    role = ("--clusterrole=serin-approver", "--serviceaccount=default:bob")
    cluster.kubectl("create", "serviceaccount", "bob")
    cluster.kubectl("create", "rolebinding", "bob-approves", *role)
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    kubeconfig["users"][0]["user"] = {"token": cluster.kubectl("create", "token", "bob").strip()}
    path = folder / "bob"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(kubeconfig))
    return path


# --- what is on record, and files of the reader's own -------------------------------------------------------


def _records(reader: Reader) -> None:
    revision = reader.names["<revision>"]
    assert revision in reader.types(ROLLOUT, "kubectl get mrev --selector")
    assert yaml.safe_load(reader.types(ROLLOUT, "kubectl get mrev iris-3-4d9gr"))["status"]["verdict"] == "Stable"
    assert revision in reader.types(ARTIFACTS, "kubectl get mrev -l")
    reader.types(CARDS, "kubectl serin card iris v2 > card.md")
    reader.types(CARDS, "kubectl serin card iris v2 -o html")
    for card in ("card.md", "card.html"):
        assert "registry.example/iris:2" in (reader.folder / card).read_text()


def _files(cluster: Cluster, reader: Reader) -> None:
    (signed,) = [raw for block, raw in _objects() if name(block.page) == APPROVALS and raw["kind"] == "RolloutPolicy"]
    (reader.folder / "policy.yaml").write_text(yaml.safe_dump(signed))
    assert "errors" in reader.types(PLUGIN, "kubectl serin plan --filename policy.yaml")
    assert "errors" in reader.types(PLUGIN, "kubectl serin plan iris")
    reader.types(PLUGIN, "kubectl serin lint manifests/")

    pods, labels = _first_model()["spec"]["serving"]["template"]["spec"], {"app": "tried"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pods}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tried"}, "spec": spec}
    (reader.folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))

    model = reader.folder / "model"
    model.mkdir()
    for path in (reader.folder / "model.onnx", model / "weights", model / "labels"):
        path.write_text(f"what is in {path.name}")
    one = digest_of_file(reader.folder / "model.onnx")
    several = digest_of_files({path.name: digest_of_file(path) for path in model.iterdir()})
    assert reader.types(ARTIFACTS, "sha256sum model.onnx").split()[0] == str(one).removeprefix("sha256:")
    assert reader.types(ARTIFACTS, "cd model").split()[0] == str(several).removeprefix("sha256:")

    reader.types(GITOPS, "kubectl --namespace argocd patch configmap argocd-cm")
    merged = cluster.kubectl("get", "configmap", "argocd-cm", "--namespace", "argocd", "-o", "json")
    assert "resource.customizations.health.serin.dev_ModelDeployment" in json.loads(merged)["data"]


# --- parts --------------------------------------------------------------------------------------------------


def _first_model() -> Json:
    """The ModelDeployment of first steps."""
    (md,) = [raw for block, raw in _objects() if name(block.page) == QUICKSTART]
    return md


def _policy(called: str, stages: list[Json]) -> Json:
    spec = {"gates": world.GATES, "stages": stages, "warmIn": "0s", "timeouts": {"progress": "4h"}}
    return manifests.policy(namespace="default", name=called, spec=spec)


def _change(reader: Reader, version: str, **environment: str) -> None:
    """Change version and image in iris.yaml, and how the model server behaves."""
    md = yaml.safe_load((reader.folder / "iris.yaml").read_text())
    md["spec"]["model"]["version"] = version
    (container,) = md["spec"]["serving"]["template"]["spec"]["containers"]
    container["image"] = f"registry.example/iris:{version}"
    container["env"] = [{"name": key, "value": value} for key, value in environment.items()]
    _write(reader, md)


def _write(reader: Reader, md: Json) -> None:
    (reader.folder / "iris.yaml").write_text(yaml.safe_dump(md))


def _stable(cluster: Cluster) -> str:
    return cluster.kubectl("get", "md", "iris", "-o", "jsonpath={.status.stable.version}")


def _shown(page: str, command: str) -> str:
    """What a page shows as the output of a command."""
    (text,) = [block.text for block in blocks(ROOT / page) if block.text.startswith(f"$ {command}")]
    return text.partition("\n")[2]


def _cells(table: str) -> list[list[str]]:
    """The rows of a table of kubectl, without the age."""
    return [line.split()[:-1] for line in table.splitlines()]
