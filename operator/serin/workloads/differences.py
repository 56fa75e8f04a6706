"""Whether a server-side apply would change anything: no write may change nothing.

The live object holds more than we set (defaults of the API server, fields of others), so equality is of no
use. An apply changes something in exactly two cases:

1. a field that we set has another value, where the API server's own way of writing a value (quantities,
dropped zeros) is no
   difference;
2. a field that we own from an earlier apply (metadata.managedFields) is not in the object any more, so that
it would be removed.

The second needs managedFields in the live object; where a cache has dropped them only the first is seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from serin.api.names import FIELD_MANAGER

LIST_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "resourceClaims": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ports": ("containerPort", "port", "protocol"),
    "ownerReferences": ("uid",),
}
"""Lists that the API merges by key; every other list is atomic: an apply replaces all of it."""

ATOMIC_MAPS: Final = frozenset({"selector", "matchLabels", "nodeSelector"})
QUANTITIES: Final = frozenset({"limits", "requests", "overhead", "sizeLimit", "storage", "divisor"})
INT_OR_STRING: Final = frozenset({"port", "targetPort", "maxSurge", "maxUnavailable"})
NOT_DROPPED: Final = frozenset({"weight", "replicas"})
"""Fields whose zero means something else than their absence."""

SUFFIXES: Final[Mapping[str, Decimal]] = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate(("m", "u", "n"), 1)},
}


def differs(desired: Mapping[str, Any], live: Mapping[str, Any] | None, *, manager: str = FIELD_MANAGER) -> bool:
    """Say whether applying `desired` would change anything; `live` None means that it is to be created.

    >>> live = {"spec": {"replicas": 2, "paused": False, "template": {"spec": {"dnsPolicy": "ClusterFirst"}}}}
    >>> differs({"spec": {"replicas": 2}}, live), differs({"spec": {"replicas": 3}}, live)
    (False, True)
    """
    if live is None:
        return True
    return not _covers(live, desired, "", quantity=False) or _would_remove(desired, live, manager)


def quantity(value: object) -> Decimal | None:
    """Read a Kubernetes quantity, None when it is none.

    >>> quantity("1Gi") == quantity("1024Mi"), quantity("0.5") == quantity("500m"), quantity("x")
    (True, True, None)
    """
    text = str(value).strip()
    factor = Decimal(1)
    for suffix, meaning in SUFFIXES.items():
        if text.endswith(suffix):
            text, factor = text[: -len(suffix)], meaning
            break
    try:
        return Decimal(text) * factor
    except InvalidOperation:
        return None


def _covers(live: Any, desired: Any, key: str, *, quantity: bool) -> bool:
    """Say whether `live` holds all that `desired` sets, at a field named `key`."""
    quantity = quantity or key in QUANTITIES
    if isinstance(desired, Mapping):
        if not desired and live is None:
            return True
        if not isinstance(live, Mapping):
            return False
        if key in ATOMIC_MAPS and set(desired) != set(live):
            return False
        return all(_covers(live.get(name), value, name, quantity=quantity) for name, value in desired.items())
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        return _covers_list(live or [], desired, key, quantity=quantity)
    if live is None:
        # Go drops zeros of optional fields: an empty string, false or 0 that we set comes back as nothing.
        return desired is None or (not desired and key not in NOT_DROPPED)
    if isinstance(live, bool) or isinstance(desired, bool):
        return live is desired
    if quantity:
        return _same_quantity(live, desired)
    if key in INT_OR_STRING:
        return str(live) == str(desired)
    return bool(live == desired)


def _covers_list(live: Any, desired: Sequence[Any], key: str, *, quantity: bool) -> bool:
    keys = LIST_KEYS.get(key)
    if keys is None or not all(isinstance(item, Mapping) for item in [*desired, *live]):
        return len(live) == len(desired) and all(
            _covers(have, want, key, quantity=quantity) for have, want in zip(live, desired, strict=True)
        )
    return all(
        any(_same_item(have, want, keys) and _covers(have, want, "", quantity=quantity) for have in live)
        for want in desired
    )


def _same_item(have: Mapping[str, Any], want: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Say whether two items have the same merge key; one that `want` leaves to its default matches any."""
    return all(have.get(key) == want[key] for key in keys if key in want)


def _same_quantity(live: Any, desired: Any) -> bool:
    have, want = quantity(live), quantity(desired)
    return live == desired if have is None or want is None else have == want


def _would_remove(desired: Mapping[str, Any], live: Mapping[str, Any], manager: str) -> bool:
    """Say whether an earlier apply of ours owns a field that `desired` does not set any more."""
    entries = live.get("metadata", {}).get("managedFields") or []
    return any(
        not _sets(desired, entry.get("fieldsV1") or {})
        for entry in entries
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    )


def _sets(desired: Any, fields: Mapping[str, Any]) -> bool:
    """Say whether `desired` sets every field of a fieldsV1 tree.

    ```
    f:<name>   a field                k:<json>   an item of a list by its merge key
    v:<json>   an item of a set       .          the thing itself
    ```
    """
    for step, below in fields.items():
        if step == ".":
            continue
        kind, _, rest = step.partition(":")
        found: Any = None
        if kind == "f":
            found = desired.get(rest) if isinstance(desired, Mapping) else None
        elif kind == "k" and isinstance(desired, Sequence):
            key = json.loads(rest)
            found = next((item for item in desired if _same_item(key, _only(item, key), list(key))), None)
        elif kind == "v" and isinstance(desired, Sequence):
            found = next((item for item in desired if item == json.loads(rest)), None)
        if found is None or (below and not _sets(found, below)):
            return False
    return True


def _only(item: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key in keys} if isinstance(item, Mapping) else {}
