"""How a registry is logged in to: what it challenges, with what the pod's docker configuration says.

oras knows the file's forms (auths, credential helpers) and the token dance of registries; it is used for these
alone, because its own downloads can be neither gone on with nor ended in time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import oras.auth
import oras.container
import requests

from serin.artifacts.errors import denied
from serin.artifacts.uri import OciPlace
from serin.artifacts.web import Web

GIVE_OCI = "put a docker config.json into the folder that DOCKER_CONFIG names (kubectl create secret docker-registry)"
_TIMEOUT_SECONDS = (10.0, 30.0)


class Login:
    """One registry and one repository."""

    def __init__(self, place: OciPlace, web: Web) -> None:
        """Take a place; nothing is asked yet."""
        self._place = place
        self._web = web

    def answer(self, challenge: requests.Response) -> None:
        """Log in as a 401 asks for it; the web session has the credential from then on.

        Raises:
            ArtifactError: AccessDenied.
        """
        said = challenge.headers.get("Www-Authenticate", "")
        name = f"oci://{self._place.registry}/{self._place.repository}"
        kind = "basic" if said.lower().startswith("basic") else "token"
        insecure = challenge.url.startswith("http://")
        container = oras.container.Container(f"{self._place.registry}/{self._place.repository}")
        try:
            with _Bounded() as session:
                backend = oras.auth.get_auth_backend(kind, session, insecure)
                backend.load_configs(container, _configs())
                known = kind != "basic" or hasattr(backend, "_basic_auth")
                headers, changed = backend.authenticate_request(challenge, {}) if known else ({}, False)
        except Exception as error:  # noqa: BLE001  the library raises what it likes; its text may hold the credential
            raise denied(f"{name} (logging in failed: {type(error).__name__})", GIVE_OCI) from None
        authorization = headers.get("Authorization")
        if not changed or not isinstance(authorization, str):
            raise denied(name, GIVE_OCI)
        self._web.authorization = authorization


def _configs() -> list[str]:
    # The library looks into ~/.docker by itself, but not where every other client looks first.
    folder = os.environ.get("DOCKER_CONFIG")
    return [str(Path(folder) / "config.json")] if folder else []


class _Bounded(requests.Session):
    """A session that does not wait for ever; the library gives no time-outs of its own."""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", _TIMEOUT_SECONDS)
        return super().request(*arguments, **options)
