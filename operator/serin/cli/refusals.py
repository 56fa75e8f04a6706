"""What it means when the API server refuses something, and what to do: HTTP answers as failures of a command."""

from __future__ import annotations

import json
from typing import Any

from serin.api.names import GROUP, VERSION
from serin.cli.failure import Failure, NoRights, NotInstalled, NotThere, Refused, Unreachable

Json = dict[str, Any]

_ONE = {
    "modeldeployments": "ModelDeployment",
    "modelrevisions": "ModelRevision",
    "rolloutpolicies": "RolloutPolicy",
    "rolloutactions": "RolloutAction",
}


def status_of(data: bytes) -> Json:
    """The Status object of a failure; of anything else (a proxy's page) its first line as the message."""
    text = data.decode(errors="replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else {"message": text.strip().partition("\n")[0][:200]}


def failure_of(status: int, said: Json, plural: str, namespace: str | None, name: str | None) -> Failure:
    """What to raise for an answer that is no success."""
    words = str(said.get("message") or f"HTTP {status}")
    details = said.get("details")
    where = f" in namespace {namespace}" if namespace else ""
    match status:
        # A kind that is not served is answered with a plain page; an object that is not there with its name.
        case 404 if isinstance(details, dict) and details.get("name"):
            return NotThere(
                f"there is no {_ONE[plural]} {name}{where}",
                f"`kubectl serin get --all-namespaces` lists what there is; is {namespace} the right namespace (-n)?",
            )
        case 404:
            return NotInstalled(
                f"the cluster does not know the kind {_ONE[plural]} of {GROUP}/{VERSION}",
                "install Serin there (docs/quickstart.md), or choose another cluster by --context"
                + ("; an older Serin there has no acts yet" if plural == "rolloutactions" else ""),
            )
        case 401:
            return NoRights(words, "the API server does not know you: renew your login, or choose another --context")
        case 403:
            return NoRights(
                words,
                f"ask for the right on {plural}.{GROUP}; the chart's roles add it to view, edit and admin. "
                + ("" if namespace else "Without rights on all namespaces, give one: -n NAMESPACE"),
            )
        case 400 | 409 | 422:
            return Refused(words)
        case _:
            return Unreachable(f"the API server answered {status}: {words}", "try again; if it lasts, look at its logs")
