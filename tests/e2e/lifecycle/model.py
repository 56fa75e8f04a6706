"""What most pods of these tests run: answers at once, starts at once, and falls ill as its environment says.

    model.py [PORT]

GET /v2/health/ready says whether it is ready; everything else answers 200 with the version in x-serin-version.

    FAIL_FRACTION         this share of requests answers 500
    CRASH_WHEN            the process ends with exit code 1 once this file is there
    START_DELAY_SECONDS   it is not ready for so long

A server that loads scikit-learn starts for three seconds of a core; a dozen of them at a time would make these
tests about the machine. Like any server that is to be rolled out, it goes on answering for a moment after SIGTERM.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("SERIN_MODEL_VERSION", "existing")
if "SERIN_MODEL_PATH" in os.environ:  # the files that were fetched say which version they are
    with open(os.environ["SERIN_MODEL_PATH"] + "/version") as file:  # noqa: PTH123 - as below
        VERSION = file.read()
FAIL_FRACTION = float(os.environ.get("FAIL_FRACTION", "0"))
READY_AT = time.monotonic() + float(os.environ.get("START_DELAY_SECONDS", "0"))
LINGER_SECONDS = 2.0


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"  # the gateway keeps its connections

    def do_GET(self) -> None:
        """Readiness, or an answer."""
        if self.path == "/v2/health/ready":
            self._answer(200 if time.monotonic() >= READY_AT else 503)
        else:
            self._answer(500 if random.random() < FAIL_FRACTION else 200)

    def do_POST(self) -> None:
        """An answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("x-serin-version", VERSION)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing for each request."""


def crash_when(path: str) -> None:
    """Look for the file until it is there."""
    while not os.path.exists(path):  # noqa: PTH110 - pathlib would double the time to start
        time.sleep(0.1)
    os._exit(1)


def leave(*_: object) -> None:
    """Go once nothing new comes."""
    threading.Timer(LINGER_SECONDS, os._exit, (0,)).start()


signal.signal(signal.SIGTERM, leave)
if "CRASH_WHEN" in os.environ:
    threading.Thread(target=crash_when, args=(os.environ["CRASH_WHEN"],), daemon=True).start()
ThreadingHTTPServer(("", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Handler).serve_forever()
