"""The Kubernetes client: few verbs, raw objects, finite time-outs, errors that say what to do next.

        KubeError
         +-- Conflict      409: somebody else wrote; look again
         +-- NotFound      404
         +-- Invalid       422 and 400: the API server refuses the object; its words are for the user
         +-- Forbidden     403: a permission is missing; its words are for whoever installed Serin
         +-- Unreachable   no kubeconfig and no service account: the process cannot start
         +-- Unavailable   time-outs, 429, 5xx, no connection: try again later

Built on kubernetes.aio's ApiClient (connection pool, TLS, tokens that refresh), without its models: what is
watched and applied is plain JSON, and 700 model classes would cost the memory of a thousand ModelDeployments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies

import aiohttp
import orjson
from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_config

from serin.api.names import FIELD_MANAGER, GROUP, VERSION

Json = dict[str, Any]


class KubeError(Exception):
    """A request that did not do what was asked; the text is the API server's own where it gave one."""


class Conflict(KubeError):
    """Somebody else wrote first, or the object is already there."""


class NotFound(KubeError):
    """There is no such object, or no such kind."""


class Invalid(KubeError):
    """The API server refuses the object itself."""


class Forbidden(KubeError):
    """The operator lacks a permission."""


class Unreachable(KubeError):
    """There is no usable kubeconfig and no service account: nothing to try again."""


class Unavailable(KubeError):
    """The API server cannot be asked right now."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind and where the API keeps it."""

    name: str
    group: str
    version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of a list, an object or its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


MODEL_DEPLOYMENT = Kind("ModelDeployment", GROUP, VERSION, "modeldeployments")
MODEL_REVISION = Kind("ModelRevision", GROUP, VERSION, "modelrevisions")
ROLLOUT_ACTION = Kind("RolloutAction", GROUP, VERSION, "rolloutactions")
ROLLOUT_POLICY = Kind("RolloutPolicy", GROUP, VERSION, "rolloutpolicies")
DEPLOYMENT = Kind("Deployment", "apps", "v1", "deployments")
SERVICE = Kind("Service", "", "v1", "services")
POD = Kind("Pod", "", "v1", "pods")
JOB = Kind("Job", "batch", "v1", "jobs")
HTTP_ROUTE = Kind("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes")
GRPC_ROUTE = Kind("GRPCRoute", "gateway.networking.k8s.io", "v1", "grpcroutes")
ROUTE_KINDS = {"HTTPRoute": HTTP_ROUTE, "GRPCRoute": GRPC_ROUTE}
LEASE = Kind("Lease", "coordination.k8s.io", "v1", "leases")
EVENT = Kind("Event", "events.k8s.io", "v1", "events")

JSON_PATCH = "application/json-patch+json"
TEST_FAILED = "the server rejected our request due to an error in our request"
"""All that the API server says, with 422, of a JSON patch whose `test` does not hold."""
MALFORMED = ("failed to create typed patch object", "failed to convert new object")
"""A server-side apply of an unknown field, a wrong type or a bad quantity is answered with 500; tried on 1.35."""
REQUEST_SECONDS_MAX = 20.0
LIST_CHUNK = 100


class Kube:
    """A client for one API server."""

    def __init__(self, api: aio_client.ApiClient) -> None:
        """Use `Kube.connect`."""
        self._api = api
        self.on_request: Callable[[str, str], None] = lambda _verb, _plural: None
        """Called with the verb and the resource of each request that is sent."""

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> Kube:
        """Connect by a kubeconfig file, or inside a pod by its service account."""
        configuration = aio_client.Configuration()
        try:
            if kubeconfig is not None:
                await aio_config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
            else:
                aio_config.load_incluster_config(client_configuration=configuration)
        except (aio_config.ConfigException, OSError) as error:
            # Of a file that is not there the library says that a key is missing in it.
            hint = f" ({kubeconfig})" if kubeconfig is not None else "; outside a cluster give --kubeconfig FILE"
            raise Unreachable(f"no way to reach a cluster: {error}{hint}") from error
        # Where no proxy is set there is nothing to take from the environment but ~/.netrc, which has no credentials
        # for an API server, and which aiohttp would look for in another thread at each request: a tenth of the
        # operator's time with 200 rollouts.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        return cls(aio_client.ApiClient(configuration=configuration))

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """Read one object."""
        return await self._request("GET", kind.path(namespace, name))

    async def list(
        self, kind: Kind, namespace: str | None = None, selector: str | None = None
    ) -> tuple[list[Json], int]:
        """Read all objects, in chunks, at one consistent revision; that revision comes second."""
        items: list[Json] = []
        token: str | None = None
        while True:
            query = {"limit": str(LIST_CHUNK), "labelSelector": selector, "continue": token}
            page = await self._request("GET", kind.path(namespace), query=query)
            for item in page.get("items") or []:
                item.setdefault("kind", kind.name)  # items of a list do not repeat these two
                item.setdefault("apiVersion", f"{kind.group}/{kind.version}".strip("/"))
                items.append(item)
            metadata = page.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return items, int(metadata.get("resourceVersion") or 0)

    async def announces(self, kind: Kind) -> bool:
        """Whether discovery names the kind; it may be served a moment before."""
        try:
            if kind.group:
                groups = await self._request("GET", "/apis")
                if not any(group.get("name") == kind.group for group in groups.get("groups") or ()):
                    return False
            root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
            found = await self._request("GET", root)
        except NotFound:
            return False
        return any(resource.get("name") == kind.plural for resource in found.get("resources") or ())

    async def probe(self, kind: Kind, namespace: str | None) -> None:
        """Read next to nothing of a kind.

        Raises:
            NotFound: there is no such kind.
        """
        await self._request("GET", kind.path(namespace), query={"limit": "1"})

    async def create(self, kind: Kind, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """Create an object, or ask only whether it would be.

        Raises:
            Conflict: it is already there.
        """
        query = {"dryRun": "All"} if dry_run else None
        return await self._request("POST", kind.path(obj["metadata"]["namespace"]), query=query, body=obj)

    async def apply(self, kind: Kind, obj: Mapping[str, Any]) -> Json:
        """Server-side apply: we own exactly the fields in `obj`, and take them from whoever set them."""
        metadata = obj["metadata"]
        return await self._request(
            "PATCH",
            kind.path(metadata["namespace"], metadata["name"]),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=obj,
            content_type="application/apply-patch+yaml",
        )

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Sequence[Mapping[str, Any]]) -> Json:
        """JSON patch: a `test` that no longer holds is a Conflict."""
        return await self._request(
            "PATCH",
            kind.path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body=list(patch),
            content_type=JSON_PATCH,
        )

    async def replace(self, kind: Kind, obj: Mapping[str, Any], subresource: str | None = None) -> Json:
        """Write a whole object, or its status, at the resourceVersion that it carries."""
        metadata = obj["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], subresource)
        return await self._request("PUT", path, query={"fieldManager": FIELD_MANAGER}, body=obj)

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and what it owns; one that is not there is deleted already."""
        try:
            await self._request(
                "DELETE",
                kind.path(namespace, name),
                body={"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"},
            )
        except NotFound:
            return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Json:
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        given = {key: value for key, value in (query or {}).items() if value}
        self.on_request(method, _resource(path))
        url = self._api.configuration.host + path + ("?" + urlencode(given) if given else "")
        try:
            answer = await self._api.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=REQUEST_SECONDS_MAX
            )
            status, data = answer.status, await answer.read()
        except aio_client.ApiException as error:
            status, data = int(error.status or 0), error.body or b""
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{method} {path}: {type(error).__name__} {error}") from error
        if 200 <= status < 300:
            parsed: Json = orjson.loads(data)
            return parsed
        raise _error(status, _words(data), f"{method} {path}", tested=content_type == JSON_PATCH)


def _resource(path: str) -> str:
    """The resource that a path leads to: `leases` of /apis/coordination.k8s.io/v1/namespaces/x/leases/y."""
    in_namespace = path.partition("/namespaces/")[2].split("/")
    return in_namespace[1] if len(in_namespace) > 1 else path.rpartition("/")[2]


def _words(data: bytes | str) -> str:
    """The message of a Status object; of anything else (a proxy's page) the first line."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    try:
        parsed = orjson.loads(text)
        return str(parsed["message"])
    except (ValueError, TypeError, KeyError):
        return text.strip().partition("\n")[0][:200]


def _error(status: int, words: str, request: str, *, tested: bool) -> KubeError:
    match status:
        case 404:
            return NotFound(f"{request}: {words}")
        case 409:
            return Conflict(f"{request}: {words}")
        case 400 | 422:
            return Conflict(f"{request}: {words}") if tested and words == TEST_FAILED else Invalid(words)
        case 401 | 403:
            return Forbidden(words)
        case 500 if any(text in words for text in MALFORMED):
            return Invalid(words)
        case _:
            return Unavailable(f"{request}: {status} {words}")
