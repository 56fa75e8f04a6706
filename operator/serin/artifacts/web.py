"""GET with ranges, for every source that speaks HTTP.

Redirects are followed here and not by the library: only within the scheme (https never becomes http), and a
credential stays with the host that it was meant for. Proxies, certificate authorities and a netrc file are taken
from the environment, as every HTTP program does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from serin.artifacts.digest import CHUNK_BYTES
from serin.artifacts.errors import ArtifactError, Interrupted, Reason, denied, not_found, unavailable
from serin.artifacts.limits import Deadline
from serin.artifacts.source import Body
from serin.artifacts.uri import shown

_REDIRECTS_MAX = 10
_READ_SECONDS = 30.0
"""How long a server may be silent before the transfer is broken off and gone on with."""
_CONNECT_SECONDS = 10.0

GIVE_WEB = "put the host's user and password into a netrc file and name it in NETRC, or a token into a file named in "
GIVE_WEB += "SERIN_HTTP_TOKEN_FILE"


class Web:
    """A session with one host, its credential, and a deadline."""

    def __init__(self, deadline: Deadline, *, authorization: str | None = None, give: str = GIVE_WEB) -> None:
        """Start a session.

        Args: authorization: the header's value, for the host of the first URL of each request only. give: how
        credentials are given, for the message when they are refused.
        """
        self.session = requests.Session()
        self.authorization = authorization
        self._deadline = deadline
        self._give = give

    @contextmanager
    def request(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """Send a request, follow redirects, and give the response with its body unread, whatever its status.

        Raises:
            ArtifactError: Unsafe for a redirect to another scheme; SourceUnavailable for a bad certificate.
            Interrupted: nobody answered.
        """
        scheme, host = urlsplit(url).scheme, urlsplit(url).netloc
        here = url
        for _ in range(_REDIRECTS_MAX):
            own = dict(headers) | {"Accept-Encoding": "identity"}
            if self.authorization and urlsplit(here).netloc == host:
                own["Authorization"] = self.authorization
            response = self._send(method, here, own)
            try:
                target = response.headers.get("Location") if response.is_redirect else None
                if target is None:
                    yield response
                    return
                here = urljoin(here, target)
                if urlsplit(here).scheme != scheme:
                    raise ArtifactError(
                        Reason.UNSAFE,
                        f"{shown(url)} redirects from {scheme} to {urlsplit(here).scheme}, which is not followed; "
                        f"give the address that it should redirect to",
                    )
            finally:
                response.close()
        raise unavailable(shown(url), f"redirects more than {_REDIRECTS_MAX} times")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        left = self._deadline.remaining()
        try:
            return self.session.request(
                method,
                url,
                headers=dict(headers),
                stream=True,
                allow_redirects=False,
                timeout=(min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)),
            )
        except requests.exceptions.SSLError:
            raise unavailable(
                shown(url), "has a certificate that is not trusted (add its authority: REQUESTS_CA_BUNDLE)"
            ) from None
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            urllib3.exceptions.LocationParseError,
            UnicodeError,
        ):
            raise unavailable(shown(url), "or where it redirects to is not a usable address") from None
        except requests.RequestException:
            raise Interrupted(unavailable(shown(url), "does not answer")) from None

    def check(self, response: requests.Response, url: str) -> None:
        """Raise what a status means; 200 and 206 mean nothing bad.

        Raises: as `request`, and ArtifactNotFound, AccessDenied.
        """
        match response.status_code:
            case 200 | 206:
                return
            case 401 | 403 | 407:
                raise denied(f"{shown(url)} ({response.status_code})", self._give)
            case 404 | 410:
                raise not_found(shown(url))
            case 408 | 425 | 429 | 500 | 502 | 503 | 504 as status:
                raise Interrupted(unavailable(shown(url), f"answers {status}"))
            case status:
                raise unavailable(shown(url), f"answers {status}")

    @contextmanager
    def body(self, url: str, offset: int, validator: str | None) -> Iterator[Body]:
        """Read a URL from an offset on, or from 0 when the server cannot, or when its content has changed.

        Args: validator: the strong ETag that the earlier part had; None trusts that nothing has changed.
        """
        headers = {}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if validator is not None:
                headers["If-Range"] = validator
        with self.request("GET", url, headers) as response:
            if offset and _is_of_other_content(response, validator):
                with self.body(url, 0, None) as whole:
                    yield whole
                return
            self.check(response, url)
            if _is_encoded(response, url):
                raise unavailable(shown(url), "compresses the file although it was asked not to")
            starts = offset if response.status_code == requests.codes.partial_content else 0
            if starts and not response.headers.get("Content-Range", "").startswith(f"bytes {starts}-"):
                raise unavailable(shown(url), "answers with another range than was asked for")
            yield Body(starts, _chunks(response.raw, url), response.raw.shutdown)


def _is_of_other_content(response: requests.Response, validator: str | None) -> bool:
    """Whether an answer to a range says that the part before it is not of the same file."""
    match response.status_code:
        case 416:  # what we have is longer than what is there now
            return True
        case 206:  # from a server that knows ranges and not If-Range
            return validator is not None and response.headers.get("ETag", validator) != validator
        case _:
            return False


def _is_encoded(response: requests.Response, url: str) -> bool:
    """Whether what comes is not the file's own bytes.

    Some servers (Apache's AddEncoding) call a file that is compressed by itself encoded; what comes is that file.
    """
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding in {"gzip", "x-gzip"} and urlsplit(url).path.lower().endswith((".gz", ".tgz")):
        return False
    return encoding != "identity"


def _chunks(raw: urllib3.HTTPResponse, url: str) -> Iterator[bytes]:
    try:
        while chunk := raw.read(CHUNK_BYTES, decode_content=False):
            yield chunk
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        # ValueError: the response was shut down under the read because the time was over.
        raise Interrupted(unavailable(shown(url), "broke the transfer off")) from None
