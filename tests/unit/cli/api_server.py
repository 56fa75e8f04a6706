"""An API server over loopback: enough of the protocol to read lists in pages, objects and watches, to patch and create.

It answers in the words of a real one (tests/integration shows them), keeps every request, and can be told to refuse.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Raw = dict[str, Any]
GROUP = "/apis/serin.dev/v1alpha1"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    content_type: str | None


@dataclass
class ApiServer:
    """What it holds and how it answers.

    objects: by plural, namespace and name. installed: whether it knows the kinds. forbids: answer everything with 403.
    broken: answer everything with 500. refuses: status and words for a method and a plural. user: who asks; None when
    it cannot say that. changes: what a watch tells, and then ends. answers: statuses that a RolloutAction has when it
    is read, one after the other; None is none yet.
    """

    port: int = 0
    objects: dict[tuple[str, str, str], Raw] = field(default_factory=dict)
    installed: bool = True
    forbids: bool = False
    broken: bool = False
    refuses: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    user: str | None = "ann@example.com"
    changes: list[Raw] = field(default_factory=list)
    answers: list[Raw | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def add(self, plural: str, *raws: Raw) -> None:
        """Hold objects."""
        for raw in raws:
            self.objects[plural, raw["metadata"]["namespace"], raw["metadata"]["name"]] = raw

    def kubeconfig(self, folder: Path, namespace: str | None = "ml") -> str:
        """A kubeconfig that leads here."""
        context = {"cluster": "here", "user": "me"} | ({"namespace": namespace} if namespace else {})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": context}],
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "me", "user": {"token": "secret-token"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """The answer to a request: status and body; a text is no JSON."""
        self.asked.append(asked)
        namespace, plural, name = _parts(asked.path)
        if self.forbids:
            words = (
                f'{plural}.serin.dev is forbidden: User "me" cannot list resource "{plural}" in API group "serin.dev"'
            )
            return 403, _status(403, "Forbidden", words)
        if self.broken:
            return 500, _status(500, "InternalError", "etcdserver: request timed out")
        if not self.installed:
            return 404, "404 page not found\n"
        if (asked.method, plural) in self.refuses:
            code, words = self.refuses[asked.method, plural]
            return code, _status(code, "Forbidden", words)
        if asked.path == WHOAMI:
            told = asked.body | {"status": {"userInfo": {"username": self.user}}}
            return (201, told) if self.user is not None else (404, "404 page not found\n")
        if asked.method == "POST":
            return 201, self._create(plural, asked.body)
        if name is None:
            return 200, self._page(plural, namespace, asked.query)
        found = self.objects.get((plural, namespace or "", name))
        if found is None:
            words = f'{plural}.serin.dev "{name}" not found'
            return 404, _status(404, "NotFound", words) | {"details": {"name": name, "kind": plural}}
        if asked.method == "PATCH":
            _merge(found, asked.body)
        if plural == "rolloutactions" and self.answers and (answer := self.answers.pop(0)) is not None:
            found["status"] = answer
        return 200, found

    def _create(self, plural: str, body: Raw) -> Raw:
        metadata = dict(body["metadata"])
        number = sum(kind == plural for kind, _, _ in self.objects) + 1
        metadata["name"] = f"{metadata['generateName']}{number:05}"
        made = body | {"metadata": metadata | {"uid": f"uid-{number}", "managedFields": [{"manager": "kubectl-serin"}]}}
        self.add(plural, made)
        return made

    def _page(self, plural: str, namespace: str | None, query: dict[str, str]) -> Raw:
        label, _, value = query.get("labelSelector", "").partition("=")
        every = [
            raw
            for (kind, space, _), raw in sorted(self.objects.items())
            if kind == plural and namespace in {None, space}
            if not label or raw["metadata"].get("labels", {}).get(label) == value
        ]
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or len(every) or 1)
        metadata: Raw = {"resourceVersion": "9"}
        if start + limit < len(every):
            metadata["continue"] = str(start + limit)
        return {"kind": "List", "metadata": metadata, "items": every[start : start + limit]}


@contextmanager
def serving() -> Iterator[ApiServer]:
    """Run one on a free port."""
    state = ApiServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(state: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self._asked(None)
            if "watch" in asked.query:
                state.asked.append(asked)
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                for change in state.changes:
                    self.wfile.write(json.dumps(change).encode() + b"\n")
                state.changes = []
                self.close_connection = True
                return
            self._send(*state.answer(asked))

        def do_POST(self) -> None:
            self.do_PATCH()

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*state.answer(self._asked(body)))

        def _asked(self, body: Any) -> Asked:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            assert self.headers["Authorization"] == "Bearer secret-token"
            return Asked(self.command, url.path, query, body, self.headers.get("Content-Type"))

        def _send(self, status: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _parts(path: str) -> tuple[str | None, str, str | None]:
    steps = path.removeprefix(f"{GROUP}/").split("/")
    if path == WHOAMI:
        return None, steps[-1], None
    namespace = None
    if steps[0] == "namespaces":
        namespace, steps = steps[1], steps[2:]
    return namespace, steps[0], steps[1] if len(steps) > 1 else None


def _status(code: int, reason: str, message: str) -> Raw:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def _merge(target: Raw, patch: Raw) -> None:
    """JSON merge patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value
