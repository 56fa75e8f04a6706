"""The reference OCI registry, built once from its Go module; `tests/cluster/gomod/registry` pins it with hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests

from tests.cluster import gobuild, tools
from tests.cluster.pins import GoTool
from tests.integration.artifacts.processes import free_port, running

TOOL = GoTool("registry", "registry", "github.com/distribution/distribution/v3/cmd/registry", "3.0.0")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@cache
def program() -> Path:
    """Where the registry is, after it was built if it had to be."""
    built = tools.cache_dir() / f"{TOOL.module}-{TOOL.version}" / TOOL.name
    if built.is_file():
        return built
    return gobuild.build([TOOL], tools.cache_dir(), go=tools.ensure(["go"])["go"])[TOOL.name]


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    store: Path
    login: tuple[str, str] | None = None

    def push(self, repository: str, tag: str, layers: Sequence[Mapping[str, Any]], **manifest: Any) -> str:
        """Push layers, each with a `content` and what else its descriptor has; return the manifest's digest."""
        descriptors = [self._blob(repository, dict(layer)) for layer in layers]
        config = self._blob(repository, {"content": b"{}", "mediaType": "application/vnd.oci.empty.v1+json"})
        body = json.dumps(
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": descriptors} | manifest
        ).encode()
        done = requests.put(
            f"http://{self.host}/v2/{repository}/manifests/{tag}",
            data=body,
            headers={"Content-Type": _MANIFEST},
            auth=self.login,
            timeout=30,
        )
        assert done.status_code == 201, done.text
        return "sha256:" + hashlib.sha256(body).hexdigest()

    def _blob(self, repository: str, layer: dict[str, Any]) -> dict[str, Any]:
        content = layer.pop("content")
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        start = requests.post(f"http://{self.host}/v2/{repository}/blobs/uploads/", auth=self.login, timeout=30)
        target = start.headers["Location"]
        joint = "&" if "?" in target else "?"
        done = requests.put(f"{target}{joint}digest={digest}", data=content, auth=self.login, timeout=30)
        assert done.status_code == 201, done.text
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(content)} | layer


@contextmanager
def registry(folder: Path, htpasswd: str | None = None) -> Iterator[Registry]:
    """Run a registry; with a line of htpasswd it wants a login."""
    port = free_port()
    store = folder / "store"
    access = ""
    if htpasswd is not None:
        (folder / "htpasswd").write_text(htpasswd + "\n")
        access = f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}\n"
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {store}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', secret: test}}\n{access}"
    )
    environment = {"OTEL_TRACES_EXPORTER": "none"}
    url = f"http://127.0.0.1:{port}/v2/"
    with running([program(), "serve", folder / "config.yml"], url, folder / "registry.log", environment):
        yield Registry(f"127.0.0.1:{port}", store, ("ann", "s3cret") if htpasswd else None)
