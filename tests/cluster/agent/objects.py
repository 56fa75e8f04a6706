"""Read what a pod refers to: ConfigMaps, Secrets and service-account tokens."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable

from tests.cluster.agent.environment import Kind, Sources
from tests.cluster.api import Api, ApiError, Object

_TOKEN_SECONDS_MIN = 600  # the API server refuses less
_TOKEN_SECONDS = 12 * 3600  # tokens are not renewed, so they have to last as long as any test


class Reader:
    """Reads anew each time: a pod starts rarely, and with what is there at that moment."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def sources(self, namespace: str, wanted: Iterable[tuple[Kind, str]]) -> Sources:
        """The text contents of several ConfigMaps and Secrets; the missing ones are left out."""
        keys = list(wanted)
        contents = await asyncio.gather(*(self.content(namespace, kind, name) for kind, name in keys))
        found = {key: content for key, content in zip(keys, contents, strict=True) if content is not None}
        texts = {
            key: {name: value.decode(errors="replace") for name, value in content.items()}
            for key, content in found.items()
        }
        return Sources(
            configmaps={name: text for (kind, name), text in texts.items() if kind == "configmaps"},
            secrets={name: text for (kind, name), text in texts.items() if kind == "secrets"},
        )

    async def content(self, namespace: str, kind: Kind, name: str) -> dict[str, bytes] | None:
        """What a ConfigMap or Secret holds; None when there is none of that name."""
        try:
            found = await self._api.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        plain = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
        if kind == "configmaps":
            return plain | _decoded(found.get("binaryData"))
        return _decoded(found.get("data"))

    async def token(self, pod: Object, audience: str | None, seconds: int | None) -> str:
        """A token of the pod's service account, bound to the pod."""
        namespace = pod["metadata"]["namespace"]
        account = pod["spec"].get("serviceAccountName") or "default"
        reference = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        lifetime = max(seconds or 0, _TOKEN_SECONDS, _TOKEN_SECONDS_MIN)
        spec: Object = {"expirationSeconds": lifetime, "boundObjectRef": reference}
        if audience:
            spec["audiences"] = [audience]
        answer = await self._api.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        token: str = answer["status"]["token"]
        return token


def _decoded(data: dict[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}
