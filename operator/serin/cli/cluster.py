"""The plugin's way to the cluster: a kubeconfig, few verbs, raw objects, finite time-outs.

Built on the ApiClient of the Kubernetes client (kubeconfig, exec credentials, TLS, proxies) without its models: lists
are read as plain JSON, in pages, because building a thousand model objects takes longer than fetching them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from serin.api.names import GROUP, LABEL_DEPLOYMENT, VERSION
from serin.cli.failure import NoCluster, NoRights, NotInstalled, Unreachable
from serin.cli.refusals import failure_of, status_of
from serin.plugin.raw import part, text

Json = dict[str, Any]

DEPLOYMENTS = "modeldeployments"
REVISIONS = "modelrevisions"
POLICIES = "rolloutpolicies"
ACTIONS = "rolloutactions"

PAGE = 1000
"""Objects in one answer: a page more is a round trip more, and a thousand of them are about 4 MB."""
FIELD_MANAGER = "kubectl-serin"
CONNECT_SECONDS_MAX = 5.0
READ_SECONDS_MAX = 30.0
WATCH_SECONDS = 240
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Cluster:
    """One API server, as one user."""

    def __init__(self, api: kubernetes_client.ApiClient, namespace: str) -> None:
        """Use `Cluster.connect`."""
        self._api = api
        self.namespace = namespace
        """The namespace of the kubeconfig's context."""

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Find a cluster as kubectl does: --kubeconfig, KUBECONFIG, ~/.kube/config; inside a pod, its account.

        Raises:
            NoCluster: there is none.
        """
        configuration = kubernetes_client.Configuration()
        # An object that is not there is told at once; so is a server that is away.
        configuration.retries = False
        try:
            kubernetes_config.load_kube_config(kubeconfig, context, configuration, persist_config=False)
            contexts, current = kubernetes_config.list_kube_config_contexts(kubeconfig)
            chosen = next((one for one in contexts if one["name"] == context), None) if context else current
            namespace = ((chosen or {}).get("context") or {}).get("namespace") or "default"
        except (kubernetes_config.ConfigException, OSError, ValueError, TypeError) as error:
            if kubeconfig is None and context is None and (inside := _inside_a_pod(configuration)) is not None:
                return cls(kubernetes_client.ApiClient(configuration), inside)
            raise NoCluster(
                f"no way to reach a cluster: {str(error).rstrip('.')}",
                "give --kubeconfig FILE or set KUBECONFIG; `kubectl config get-contexts` lists what there is",
            ) from error
        return cls(kubernetes_client.ApiClient(configuration), namespace)

    def objects(self, plural: str, namespace: str | None, selector: str | None = None) -> list[Json]:
        """Read all objects of a kind, in pages; namespace None is all of them."""
        found: list[Json] = []
        token: str | None = None
        while True:
            query = {"limit": str(PAGE), "labelSelector": selector, "continue": token}
            page = self._read("GET", plural, namespace, query=query)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return found

    def get(self, plural: str, namespace: str, name: str) -> Json:
        """Read one object.

        Raises:
            NotThere: there is none of that name.
        """
        return self._read("GET", plural, namespace, name)

    def revisions(self, namespace: str, deployment: str) -> list[Json]:
        """The ModelRevisions of a ModelDeployment."""
        return self.objects(REVISIONS, namespace, f"{LABEL_DEPLOYMENT}={deployment}")

    def merge(self, plural: str, namespace: str, name: str, patch: Mapping[str, Any]) -> Json:
        """Write some fields of an object (JSON merge patch); null removes one."""
        return self._read("PATCH", plural, namespace, name, body=dict(patch))

    def create(self, plural: str, namespace: str, body: Mapping[str, Any]) -> Json:
        """Make an object."""
        return self._read("POST", plural, namespace, body=dict(body))

    def whoami(self) -> str:
        """The name that the API server knows the user by.

        Raises:
            NoRights: the user is not known, or may not ask.
            NotInstalled: the API server cannot say it.
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self._send("POST", WHOAMI, query={}, body=body)
        said = status_of(answer.data)
        if 200 <= answer.status < 300 and (name := text(part(part(said, "status"), "userInfo").get("username"))):
            return name
        words = str(said.get("message") or f"HTTP {answer.status}")
        if answer.status in {401, 403}:
            raise NoRights(f"the API server does not say who you are: {words}", _UNKNOWN)
        if answer.status in {200, 201, 404}:
            raise NotInstalled("the API server cannot say who you are: it has no SelfSubjectReview", _BY_HAND)
        raise Unreachable(
            f"the API server answered {answer.status}: {words}", "try again; if it lasts, look at its logs"
        )

    def follow(self, namespace: str, name: str) -> Iterator[Json | None]:
        """A ModelDeployment now and after each change; None when it is gone.

        Ends after some minutes without a word from the API server; whoever wants to go on calls again.
        """
        now = self.get(DEPLOYMENTS, namespace, name)
        yield now
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": str((now.get("metadata") or {}).get("resourceVersion") or ""),
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        answer = self._send("GET", _path(DEPLOYMENTS, namespace), query=query, read_seconds=WATCH_SECONDS + 30.0)
        try:
            for line in _lines(answer):
                event = orjson.loads(line)
                if event.get("type") == "ERROR":
                    return  # too old a resourceVersion: begin anew
                if event.get("type") in {"ADDED", "MODIFIED"}:
                    yield event["object"]
                elif event.get("type") == "DELETED":
                    yield None
        except (urllib3.exceptions.HTTPError, ValueError):
            return  # the connection broke, in the middle of a line perhaps
        finally:
            answer.close()

    def _read(
        self,
        method: str,
        plural: str,
        namespace: str | None,
        name: str | None = None,
        *,
        query: Mapping[str, str | None] | None = None,
        body: object = None,
    ) -> Json:
        path = _path(plural, namespace, name)
        answer = self._send(method, path, query=query or {}, body=body)
        data = answer.data
        if 200 <= answer.status < 300:
            try:
                parsed: Json = orjson.loads(data)
            except ValueError as error:
                raise Unreachable(f"{path}: the answer is not JSON", _PROXY) from error
            return parsed
        raise failure_of(answer.status, status_of(data), plural, namespace, name)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None],
        body: object = None,
        read_seconds: float = READ_SECONDS_MAX,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
            query = {**query, "fieldManager": FIELD_MANAGER}
        host = self._api.configuration.host
        given = {key: value for key, value in query.items() if value}
        url = host + path + (f"?{urlencode(given)}" if given else "")
        try:
            self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = self._api.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=(CONNECT_SECONDS_MAX, read_seconds)
            )
            if answer.status != 200 or "watch" not in given:
                answer.read()
        except (urllib3.exceptions.HTTPError, kubernetes_client.ApiException, OSError) as error:
            why = str(getattr(error, "reason", None) or error).partition("\n")[0]
            raise Unreachable(f"{host} does not answer: {why}", _AWAY) from error
        response: urllib3.BaseHTTPResponse = answer.response
        if "watch" in given and answer.status != 200:
            raise failure_of(answer.status, status_of(response.data), DEPLOYMENTS, None, None)
        return response


_AWAY = "see whether the cluster is up and the context is the right one: kubectl cluster-info"
_UNKNOWN = (
    "renew your login, or ask for the right create on selfsubjectreviews.authentication.k8s.io, which the ClusterRole"
    " system:basic-user gives to everybody"
)
_BY_HAND = "Kubernetes 1.28 and newer have it; or make the RolloutAction by hand: docs/approvals.md"
_PROXY = "something between here and the API server answers instead of it; look at the proxy settings"


def _inside_a_pod(configuration: kubernetes_client.Configuration) -> str | None:
    """Configure by the pod's service account; its namespace, or None outside a pod."""
    try:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().strip() or "default"
    except (kubernetes_config.ConfigException, OSError):
        return None


def _path(plural: str, namespace: str | None, name: str | None = None) -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{within}/{plural}" + (f"/{name}" if name else "")


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
