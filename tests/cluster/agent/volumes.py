"""A pod's volumes as folders in the run dir, and which of them go where in a container."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.agent import environment
from tests.cluster.agent.environment import ConfigError
from tests.cluster.agent.objects import Reader
from tests.cluster.api import Object

Files = dict[str, bytes]


async def prepare(pod: Object, pod_ip: str, folder: Path, reader: Reader) -> dict[str, Path]:
    """Make every volume of the pod; return where each one is.

    Raises:
        ConfigError: Something a volume needs is not there (yet).
    """
    return {
        volume["name"]: await _prepare_one(volume, pod, pod_ip, folder / volume["name"], reader)
        for volume in pod["spec"].get("volumes") or []
    }


async def _prepare_one(volume: Mapping[str, Any], pod: Object, pod_ip: str, folder: Path, reader: Reader) -> Path:
    if "hostPath" in volume:
        return _host_path(volume["hostPath"])
    if "emptyDir" in volume:
        return _folder(folder, {}, mode=0o777)
    if "projected" in volume:
        source = volume["projected"]
        parts = source.get("sources") or []
    else:
        kind = next((key for key in ("configMap", "secret", "downwardAPI") if key in volume), None)
        if kind is None:
            raise ConfigError(f"volume {volume['name']!r} is of a kind the local cluster does not have")
        source = volume[kind]
        parts = [{kind: source}]
    files: Files = {}
    for part in parts:
        files |= await _files(part, pod, pod_ip, reader)
    return _folder(folder, files, mode=0o755, file_mode=source.get("defaultMode") or 0o644)


def _host_path(source: Mapping[str, Any]) -> Path:
    path = Path(source["path"])
    if source.get("type") == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    return path


def _folder(folder: Path, files: Files, *, mode: int, file_mode: int = 0o644) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(file_mode)
    return folder


async def _files(source: Mapping[str, Any], pod: Object, pod_ip: str, reader: Reader) -> Files:
    """The files that one source contributes."""
    if "serviceAccountToken" in source:
        wanted = source["serviceAccountToken"]
        token = await reader.token(pod, wanted.get("audience"), wanted.get("expirationSeconds"))
        return {wanted["path"]: token.encode()}
    if "downwardAPI" in source:
        return {item["path"]: _downward(item, pod, pod_ip) for item in source["downwardAPI"].get("items") or []}
    kind: environment.Kind = "configmaps" if "configMap" in source else "secrets"
    wanted = source.get("configMap") or source["secret"]
    name = wanted.get("name") or wanted["secretName"]
    content = await reader.content(pod["metadata"]["namespace"], kind, name)
    if content is None:
        if wanted.get("optional"):
            return {}
        raise ConfigError(f"{kind.removesuffix('s')} {name!r} not found")
    if not wanted.get("items"):
        return content
    missing = [item["key"] for item in wanted["items"] if item["key"] not in content]
    if missing and not wanted.get("optional"):
        raise ConfigError(f"{kind.removesuffix('s')} {name!r} has no key {missing[0]!r}")
    return {item["path"]: content[item["key"]] for item in wanted["items"] if item["key"] in content}


def _downward(item: Mapping[str, Any], pod: Object, pod_ip: str) -> bytes:
    if "fieldRef" in item:
        return environment.field(item["fieldRef"]["fieldPath"], pod, pod_ip).encode()
    return environment.resource(item["resourceFieldRef"], {}, pod).encode()


def mounts_of(
    container: Mapping[str, Any], volumes: Mapping[str, Path], known: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The container's mounts, as `launch.py` wants them."""
    result = []
    for wanted in container.get("volumeMounts") or []:
        source = volumes[wanted["name"]]
        below = wanted.get("subPath") or environment.expand(wanted.get("subPathExpr") or "", known)
        if below:
            source = source / below
            if not source.exists():
                source.mkdir(parents=True)
        result.append(
            {
                "source": os.path.realpath(source),
                "target": wanted["mountPath"],
                "read_only": bool(wanted.get("readOnly")),
            }
        )
    return result
