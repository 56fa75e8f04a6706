"""A web server with ranges that counts what it sends, and can be told to misbehave as real ones do."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_CHUNK = 1 << 16


@dataclass
class Page:
    """What a path answers."""

    body: bytes = b""
    etag: str | None = None
    """None: a strong one of the content; an empty text: none."""
    ranges: bool = True
    conditions: bool = True
    """Whether it knows If-Range; some that know ranges do not."""
    head: bool = True
    status: int = 200
    location: str | None = None
    authorization: str | None = None
    """What a request has to carry."""
    break_after: list[int] = field(default_factory=list)
    """Bytes of the body after which the connection is cut, one for each GET, then none."""
    then: bytes | None = None
    """The content from the first cut on."""
    seconds_between_bytes: float = 0.0
    media: str = "application/octet-stream"
    encoding: str | None = None


class Handler(BaseHTTPRequestHandler):
    """Answers as the pages say."""

    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answer(send=False)

    def do_GET(self) -> None:
        """Answer."""
        self._answer(send=True)

    def _answer(self, *, send: bool) -> None:
        site: Site = self.server.site
        site.seen.append((self.command, self.path, dict(self.headers)))
        page = site.pages.get(self.path)
        if page is None:
            return self._short(404)
        if page.authorization and self.headers.get("Authorization") != page.authorization:
            return self._short(401)
        if page.location:
            return self._short(302, {"Location": page.location})
        if page.status != 200 or (not send and not page.head):
            return self._short(page.status if page.status != 200 else 405)
        etag = page.etag if page.etag is not None else f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
        first, total = 0, len(page.body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        same = not page.conditions or self.headers.get("If-Range") in {None, etag}
        end = total
        if wanted and page.ranges and same:
            first = int(wanted[1])
            end = min(total, int(wanted[2]) + 1) if wanted[2] else total
            if first >= total:
                return self._short(416)
        self.send_response(206 if wanted and page.ranges and same else 200)
        if wanted and page.ranges and same:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{total}")
        self.send_header("Content-Length", str(end - first))
        self.send_header("Content-Type", page.media)
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if send:
            self._send(page, first, end, site)
        return None

    def _send(self, page: Page, first: int, end: int, site: Site) -> None:
        cut = page.break_after.pop(0) if page.break_after else None
        last = end if cut is None else min(end, first + cut)
        step = 1 if page.seconds_between_bytes else _CHUNK
        try:
            for at in range(first, last, step):
                part = page.body[at : min(at + step, last)]
                self.wfile.write(part)
                with site.lock:
                    site.sent += len(part)
                if page.seconds_between_bytes:
                    self.wfile.flush()
                    time.sleep(page.seconds_between_bytes)
        except OSError:
            cut = 0
        if cut is not None:
            page.body = page.then if page.then is not None else page.body
            self.close_connection = True

    def _short(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Site:
    """A running server."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0
        self.lock = threading.Lock()
        self._scheme = scheme
        self._port = server.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a path."""
        return f"{self._scheme}://{host}:{self._port}{path}"

    def put(self, path: str, body: bytes, **how: Any) -> str:
        """Serve something, and return its address."""
        self.pages[path] = Page(body, **how)
        return self.url(path)


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Site]:
    """Run a server on loopback, with TLS if there is a certificate (with its key in the same file)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site = Site(server, "https" if certificate else "http")
    server.site = site  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
