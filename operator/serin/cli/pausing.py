"""`pause` and `resume`: one field of a spec, and only when it changes anything."""

from __future__ import annotations

from serin.cli.cluster import DEPLOYMENTS, Cluster
from serin.cli.output import note
from serin.plugin.raw import parts, text
from serin.plugin.reading import deployment_of


def set_paused(cluster: Cluster, name: str, namespace: str | None, *, paused: bool) -> None:
    """`pause` and `resume`: write spec.rollout.paused and nothing else."""
    raw = cluster.get(DEPLOYMENTS, namespace or cluster.namespace, name)
    md = deployment_of(raw)
    word = "paused" if paused else "resumed"
    if md.paused is paused:
        print(f"{md.key} is {'paused' if paused else 'not paused'} already")
        return
    # Resuming takes the field away, as it is in a manifest that never spoke of it.
    cluster.merge(DEPLOYMENTS, md.namespace, md.name, {"spec": {"rollout": {"paused": paused or None}}})
    print(f"{md.key} {word}" + ("; it can still roll back" if paused else ""))
    tools = _keepers(raw.get("metadata") or {})
    if tools:
        note(f"{', '.join(tools)} keeps this object: unless it leaves spec.rollout.paused alone, it sets it back")


_GIT_TOOLS = ("argocd", "kustomize-controller", "helm-controller", "flux")


def _keepers(metadata: dict[str, object]) -> list[str]:
    """Tools that keep the object as Git says, by the fields that they own."""
    managers = {text(one.get("manager")) or "" for one in parts(metadata, "managedFields")}
    return sorted(one for one in managers if one.startswith(_GIT_TOOLS))
