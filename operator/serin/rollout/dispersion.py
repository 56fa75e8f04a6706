"""How much stable's bad requests clump, measured before the rollout: over-dispersion of the gates' tests.

Requests that fail together are fewer facts than they are requests, so each block's evidence is divided by phi (see
`serin.stats.overdispersion`). It is measured between neighbouring windows of stable's history. A rollout has an hour of
it, thirty pairs of minutes, which is too little to say that requests are more independent than is assumed otherwise: a
measurement of fewer than 80 degrees of freedom raises phi and never lowers it.

History is past when the test begins and what comes of it is frozen, so the gates' guarantees hold.
"""

from __future__ import annotations

from functools import lru_cache

from serin.stats import Counts, Overdispersion, overdispersion

ASSUMED = Overdispersion(1.25, "assumed")
"""Requests come in bursts; until something is measured, assume a quarter more variance."""

FREEDOM_TRUSTED = 80.0


@lru_cache(maxsize=1024)
def dispersion_of(windows: tuple[Counts, ...]) -> Overdispersion:
    """Phi by stable's counts in windows of equal time, oldest first; what is assumed where they say too little."""
    found = overdispersion(windows=windows)
    trusted = found.freedom >= FREEDOM_TRUSTED or found.value >= ASSUMED.value
    return found if found.source == "windows" and trusted else ASSUMED
