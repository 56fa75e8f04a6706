"""How much stable's bad requests clump: measured before a rollout, frozen with the gate's test.

A test that took requests which fail together for independent ones would promise alpha and break it. So each gate
divides its evidence by phi (`serin.stats.overdispersion`), measured on stable alone in the hour before the attempt. It
is stored with the gate, so that a restart, the status and the forecast all speak of the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from serin.metrics.reading import StableHistory
from serin.rollout.gates import LimitGate, RateGate
from serin.stats import Overdispersion, overdispersion
from serin.stats.counts import checked_number
from serin.stats.overdispersion import Source

Json = dict[str, Any]

ASSUMED = overdispersion()
"""What is taken where nothing could be measured: a quarter more variance than independent requests have."""

SOURCES: tuple[Source, ...] = get_args(Source)


def measured(gate: RateGate, history: StableHistory) -> Overdispersion:
    """Over-dispersion for one gate, from what stable did before.

    A limit gate has no stable arm beside it, so that what hits all pods together does not cancel: for it the windows
    count, in which that is seen, also where pods could be told apart.
    """
    pods = () if isinstance(gate, LimitGate) else history.pods
    return overdispersion(pods, history.windows)


def dump(phi: Overdispersion) -> Json:
    """As it is stored; nothing for what was assumed, as before there was a measurement."""
    if phi == ASSUMED:
        return {}
    return {"overdispersion": [phi.value, phi.source, phi.freedom]}


def load(raw: Mapping[str, Any]) -> Overdispersion:
    """What `dump` wrote, or of a version that measured nothing.

    Raises:
        ValueError: it is not three values as `dump` writes them.
    """
    stored = raw.get("overdispersion")
    if stored is None:
        return ASSUMED
    value, source, freedom = stored
    if source not in SOURCES:
        raise ValueError(f"overdispersion must be from {', '.join(SOURCES)}, got {source!r}")
    return Overdispersion(
        checked_number("overdispersion", value, 1.0), source, checked_number("overdispersion's freedom", freedom, 0.0)
    )
