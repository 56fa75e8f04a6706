"""https: one file on a web server.

The server's strong ETag is the validator of a partial download. A server without ranges is read from the start
again; one without a strong ETag, too, unless the digest is known beforehand.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import requests

from serin.artifacts.limits import Deadline
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.uri import HttpPlace
from serin.artifacts.web import Web

_NO_HEAD = {403, 405, 501}
"""What servers answer that do not know HEAD, or whose signed URLs are for GET only."""


class HttpSource:
    """A URL."""

    def __init__(self, place: HttpPlace, deadline: Deadline) -> None:
        """Take a place; nothing is opened yet."""
        self._url, self._name = place.url, place.file_name
        self._web = Web(deadline, authorization=bearer("SERIN_HTTP_TOKEN_FILE"))

    def look(self) -> Offer:
        """Ask for size, media type and ETag."""
        with self._web.request("HEAD", self._url, {}) as response:
            if response.status_code not in _NO_HEAD:
                self._web.check(response, self._url)
                return self._offer(response, _number(response.headers.get("Content-Length")))
        with self._web.request("GET", self._url, {"Range": "bytes=0-0"}) as response:
            self._web.check(response, self._url)
            whole = response.status_code == requests.codes.ok
            said = (
                response.headers.get("Content-Length")
                if whole
                else response.headers.get("Content-Range", "").rpartition("/")[2]
            )
            return self._offer(response, _number(said))

    def open(self, file: RemoteFile, offset: int) -> AbstractContextManager[Body]:
        """Read from an offset on."""
        return self._web.body(self._url, offset, file.validator)

    def _offer(self, response: requests.Response, size: int | None) -> Offer:
        media = response.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip()
        file = RemoteFile(self._name, self._url, size, validator=strong(response.headers.get("ETag")))
        return Offer(self._url, (file,), single=True, media=media)


def strong(etag: str | None) -> str | None:
    """Return an ETag if it vouches for every byte."""
    return etag if etag and not etag.startswith("W/") else None


def bearer(variable: str) -> str | None:
    """Return the header for a token in a file that an environment variable names; None without the variable."""
    name = os.environ.get(variable)
    return f"Bearer {Path(name).read_text().strip()}" if name else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
