"""The init container that brings a model's files, and the volumes that it shares with the model server.

    serin-model         an emptyDir: the init container writes it, the container that serves reads it
    serin-model-cache   a claim or a folder of the node, for the init container alone: files by digest
    serin-model-claim   the claim of a pvc:// uri, for the init container alone, read-only

Which image fetches is the operator's affair and no content of a revision. So that an upgrade of the operator restarts
no model, a Deployment with ready pods keeps the container that it has; one that has none ready, above all one that is
scaled up to go back, takes the present image. So the names and paths below are here to stay: a container
that was kept goes by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from serin.api.artifact import PinnedArtifact
from serin.api.fetch import Fetch
from serin.api.model import Model

FETCH_CONTAINER: Final = "serin-fetch"
RESOLVE_CONTAINER: Final = "serin-resolve"
RESOLVED: Final = "--resolved-digest"
RESOLVED_URI: Final = "--resolved-uri"
MODEL_VOLUME: Final = "serin-model"
CACHE_VOLUME: Final = "serin-model-cache"
CLAIM_VOLUME: Final = "serin-model-claim"

PATH_VARIABLE: Final = "SERIN_MODEL_PATH"

_INTO: Final = "/mnt/serin/model"
_CACHE: Final = "/mnt/serin/cache"
CLAIMS: Final = "/mnt/serin/claims"
"""Where a program of a Job or an init container finds claims, each under its name."""
_CLAIM_SCHEME: Final = "pvc://"

Json = dict[str, Any]


class NoFetcher(ValueError):
    """A revision is to be fetched and nobody has said by which image."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What fetches: an image, what runs Serin in it, and what an administrator has allowed it."""

    image: str
    command: tuple[str, ...]
    allow_http: bool = False
    allow_pickles: bool = False


def add_fetch(
    pod: Json,
    serving: Json | None,
    model: Model,
    fetcher: Fetcher | None,
    live: Mapping[str, Any] | None,
    pinned: PinnedArtifact | None = None,
) -> None:
    """Let a pod fetch its model, when the model says so.

    Args:
        pod: The spec of the pod template, changed in place.
        serving: The container of it that serves.
        model: Uri, digest and how to fetch.
        fetcher: The operator's present one.
        live: The live Deployment, None when there is none yet.
        pinned: What a resolve Job has found, for a model without a digest of its own.

    Raises:
        NoFetcher: there is neither a fetcher nor a live container that could be kept.
    """
    fetch = model.fetch
    if fetch is None:
        return
    container = _kept(live, fetcher) or _container(model, fetch, fetcher, pinned)
    # First: an init container of the user's may want to find the files in place.
    _add(pod, "initContainers", container, first=True)
    for volume in _volumes(model, fetch):
        _add(pod, "volumes", volume)
    if serving is not None:
        _add(serving, "volumeMounts", {"name": MODEL_VOLUME, "mountPath": fetch.mount_path, "readOnly": True})
        if not _names(serving.get("env")) & {PATH_VARIABLE}:
            _add(serving, "env", {"name": PATH_VARIABLE, "value": fetch.mount_path})


def _add(owner: Json, key: str, entry: Json, *, first: bool = False) -> None:
    """Add to a list of the user's; what is no list is left for the API server to refuse."""
    there = owner.get(key) or []
    if isinstance(there, list):
        owner[key] = [entry, *there] if first else [*there, entry]


def _names(entries: Any) -> set[Any]:
    return {one.get("name") for one in entries if isinstance(one, dict)} if isinstance(entries, list) else set()


def _kept(live: Mapping[str, Any] | None, fetcher: Fetcher | None) -> Json | None:
    """The live container, by the fields that we set, when it is to stay as it is."""
    if live is None or (fetcher is not None and not (live.get("status") or {}).get("readyReplicas")):
        return None
    pod = live.get("spec", {}).get("template", {}).get("spec", {})
    found = next((one for one in pod.get("initContainers") or [] if one.get("name") == FETCH_CONTAINER), None)
    return {key: found[key] for key in _FIELDS if key in found} if found is not None else None


_FIELDS: Final = (
    *("name", "image", "command", "args", "envFrom", "volumeMounts"),
    *("securityContext", "terminationMessagePolicy"),
)


def _container(model: Model, fetch: Fetch, fetcher: Fetcher | None, pinned: PinnedArtifact | None) -> Json:
    if fetcher is None:
        raise NoFetcher("the operator's configuration has no artifacts.image any more, so nothing can fetch the model")
    mounts: list[Json] = [{"name": MODEL_VOLUME, "mountPath": _INTO}]
    return _program(FETCH_CONTAINER, "fetch", ["--into", _INTO, *_pins(model, pinned)], mounts, model, fetch, fetcher)


def _pins(model: Model, pinned: PinnedArtifact | None) -> list[str]:
    if model.digest is not None:
        return ["--digest", model.digest]
    assert pinned is not None  # noqa: S101 - a revision that nobody has pinned has no pods
    # What nobody but a source vouches for is verified all the same, but no pickle is taken from it (unless allowed).
    pins = [RESOLVED, pinned.digest]
    # An alias that moved would leave a new pod of what serves without its files. A uri that ends so was cut to fit.
    if pinned.uri is not None and pinned.uri != model.uri and not pinned.uri.endswith("…"):
        pins += [RESOLVED_URI, _literal(pinned.uri)]
    return pins


def _literal(uri: str) -> str:
    # The kubelet would put a variable of the container, such as a key of the store, in place of $(NAME).
    return uri.replace("$", "$$")


def resolve_pod(model: Model, fetch: Fetch, fetcher: Fetcher) -> Json:
    """Return containers and volumes of the pod that says what a uri means.

    It has the credentials of the fetch, its limits and its cache: what had to be read to know its digest is not
    downloaded again.
    """
    container = _program(RESOLVE_CONTAINER, "resolve", [], [], model, fetch, fetcher)
    volumes = [one for one in _volumes(model, fetch) if one["name"] != MODEL_VOLUME]
    return {"containers": [container], "volumes": volumes}


def fetched_pin(live: Mapping[str, Any] | None) -> PinnedArtifact | None:
    """What a live Deployment fetches that a resolve Job has pinned, None for none."""
    pod = ((live or {}).get("spec") or {}).get("template", {}).get("spec", {})
    for one in pod.get("initContainers") or ():
        args = list(one.get("args") or ())
        if one.get("name") == FETCH_CONTAINER and (digest := _value(args, RESOLVED)) is not None:
            uri = _value(args, RESOLVED_URI)
            return PinnedArtifact(digest=digest, uri=uri.replace("$$", "$") if uri is not None else None)
    return None


def _value(args: list[Any], option: str) -> str | None:
    return str(args[args.index(option) + 1]) if option in args[:-1] else None


def _program(
    name: str, act: str, options: list[str], mounts: list[Json], model: Model, fetch: Fetch, fetcher: Fetcher
) -> Json:
    """The container that runs an act of `serin artifact`."""
    if fetch.cache is not None:
        mounts.append({"name": CACHE_VOLUME, "mountPath": _CACHE})
        options += ["--cache", _CACHE]
        if fetch.cache.size_limit is not None:
            options += ["--cache-bytes", fetch.cache.size_limit]
    claim = claim_of(str(model.uri))
    if claim is not None:
        mounts.append({"name": CLAIM_VOLUME, "mountPath": f"{CLAIMS}/{claim}", "readOnly": True})
        options += ["--claims", CLAIMS]
    if fetch.max_bytes is not None:
        options += ["--max-bytes", fetch.max_bytes]
    if fetch.timeout is not None:
        options += ["--timeout", f"{fetch.timeout.seconds:g}"]
    if fetcher.allow_http:
        options.append("--allow-http")
    if fetcher.allow_pickles:
        options.append("--allow-pickles")
    container: Json = {
        "name": name,
        "image": fetcher.image,
        "command": [*fetcher.command, "artifact", act],
        "args": [*options, _literal(str(model.uri))],
        "volumeMounts": mounts,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        # What ends before it could write its message has at least a last line in the log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if fetch.env_from:
        container["envFrom"] = [one.to_dict() for one in fetch.env_from]
    return container


def _volumes(model: Model, fetch: Fetch) -> list[Json]:
    size = {"sizeLimit": fetch.size_limit} if fetch.size_limit is not None else {}
    volumes: list[Json] = [{"name": MODEL_VOLUME, "emptyDir": size}]
    cache = fetch.cache
    if cache is not None and cache.persistent_volume_claim is not None:
        volumes.append({"name": CACHE_VOLUME, "persistentVolumeClaim": cache.persistent_volume_claim.to_dict()})
    if cache is not None and cache.host_path is not None:
        path = {"path": cache.host_path.path, "type": "DirectoryOrCreate"}
        volumes.append({"name": CACHE_VOLUME, "hostPath": path})
    claim = claim_of(str(model.uri))
    if claim is not None:
        volumes.append({"name": CLAIM_VOLUME, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    return volumes


def claim_of(uri: str) -> str | None:
    """The claim that a pvc://claim/path names; None for another uri."""
    return uri.removeprefix(_CLAIM_SCHEME).partition("/")[0] or None if uri.startswith(_CLAIM_SCHEME) else None
