"""hf: a repository on the Hugging Face Hub, at a commit.

huggingface_hub knows the API, the token (HF_TOKEN, HF_TOKEN_PATH) and the mirror (HF_ENDPOINT); the content is read
by its plain download address, so that it can be gone on with and hashed on the way. Large files come with their
SHA-256; small ones with a git hash, which is not used.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from serin.artifacts.digest import Digest
from serin.artifacts.errors import Interrupted, denied, not_found, unavailable
from serin.artifacts.limits import Deadline
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.uri import HubPlace
from serin.artifacts.web import Web

_GIVE = "give a token by HF_TOKEN or a file that HF_TOKEN_PATH names, and accept the model's terms on its page"
_SECONDS = 30.0


class HubSource:
    """A repository, or a file or folder in it."""

    def __init__(self, place: HubPlace, deadline: Deadline) -> None:
        """Take a place; nothing is opened yet."""
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
        from huggingface_hub import get_token

        token = get_token()
        self._place = place
        self._deadline = deadline
        self._name = f"hf://{place.repository}@{place.revision}"
        self._web = Web(deadline, authorization=f"Bearer {token}" if token else None, give=_GIVE)

    def look(self) -> Offer:
        """List the files of the revision."""
        from huggingface_hub import hf_hub_url

        place, info = self._place, self._info()
        commit = str(info.sha)
        wanted = [
            sibling
            for sibling in info.siblings or ()
            if sibling.rfilename == place.path or sibling.rfilename.startswith(f"{place.path.rstrip('/')}/".lstrip("/"))
        ]
        if not wanted:
            raise not_found(f"{self._name}/{place.path}")
        single = len(wanted) == 1 and wanted[0].rfilename == place.path
        files = tuple(
            RemoteFile(
                path=place.file_name if single else _below(sibling.rfilename, place.path),
                location=hf_hub_url(place.repository, sibling.rfilename, revision=commit),
                size=sibling.size,
                digest=Digest.of_hex(sibling.lfs.sha256) if sibling.lfs is not None else None,
                validator=f"{commit}/{sibling.rfilename}",
            )
            for sibling in wanted
        )
        uri = f"hf://{place.repository}@{commit}" + (f"/{quote(place.path)}" if place.path else "")
        media = "application/octet-stream" if single else "directory"
        return Offer(uri, files, single, media)

    def open(self, file: RemoteFile, offset: int) -> AbstractContextManager[Body]:
        """Read from an offset on. A commit's files never change, so no ETag has to match."""
        return self._web.body(file.location, offset, None)

    def _info(self) -> Any:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        seconds = min(_SECONDS, self._deadline.remaining())
        place = self._place
        try:
            return HfApi().model_info(place.repository, revision=place.revision, files_metadata=True, timeout=seconds)
        except GatedRepoError:
            raise denied(self._name, _GIVE) from None
        except RepositoryNotFoundError:
            # The hub does not tell a private repository from none.
            raise not_found(f"{self._name} (or, when it is private, a token for it: {_GIVE})") from None
        except RevisionNotFoundError:
            raise not_found(self._name) from None
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", 0)
            if status == 404:
                raise not_found(self._name) from None
            if status in {401, 403}:
                raise denied(self._name, _GIVE) from None
            raise Interrupted(unavailable(self._name, f"answers {status}")) from None
        except Exception:  # noqa: BLE001  the library's transport has errors of its own, which change between releases
            raise Interrupted(unavailable(self._name, "does not answer")) from None


def _below(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder.rstrip('/')}/") if folder else path
