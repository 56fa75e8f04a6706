"""What the test pods run: a web server that can be told, over HTTP, to fall ill.

    server.py NAME [PORT]

GET / answers NAME; /healthz answers 200 until /sicken was asked; /metrics counts; /env and /read?PATH show
what the container sees. SIGTERM writes "terminated" to standard output and ends it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class State:
    """What changes."""

    answered = 0
    healthy = True


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """All there is."""
        path, _, argument = self.path.partition("?")
        status, body = 200, NAME
        match path:
            case "/healthz":
                status = 200 if State.healthy else 503
            case "/sicken":
                State.healthy = False
            case "/metrics":
                body = f"# TYPE served_total counter\nserved_total {State.answered}\n"
            case "/env":
                body = json.dumps({**os.environ, "hostname": socket.gethostname()})
            case "/read":
                body = Path(argument).read_text()
            case _:
                State.answered += 1
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")  # Prometheus 3 scrapes nothing untyped
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        """Say nothing for each request."""


def leave(*_: object) -> None:
    """Say goodbye."""
    print("terminated", flush=True)
    sys.exit(0)


NAME = sys.argv[1]
signal.signal(signal.SIGTERM, leave)
ThreadingHTTPServer(("", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Handler).serve_forever()
