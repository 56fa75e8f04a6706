"""Say what a URI means now: a pinned URI and a digest. What makes a revision's artifact immutable.

A registry of files that vouches for their hashes (OCI, large files of a hub) is believed for now and verified when
they are fetched. Everything else is read once, through the cache if there is one, so that the fetch which follows
downloads nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serin.artifacts.cache import Cache, CacheUnusable
from serin.artifacts.collect import FILES, Collected, collect, look
from serin.artifacts.digest import Digest
from serin.artifacts.failures import local_failures
from serin.artifacts.fetching import CLAIMS, entry_of
from serin.artifacts.limits import Deadline, Limits, Policy
from serin.artifacts.pickles import Pickle, is_pickle_by_name, look_for_pickles, refuse_pickles
from serin.artifacts.source import Offer, Source
from serin.artifacts.sources import Surroundings, source_of
from serin.artifacts.uri import names_content, parse_uri


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a URI means now."""

    uri: str
    """Pinned as far as the source can: a tag became a digest, an alias a version, a branch a commit."""
    digest: Digest
    size: int
    """Bytes as delivered."""
    media: str
    """A media type, or "directory"."""


def resolve(
    uri: str,
    *,
    limits: Limits | None = None,
    policy: Policy | None = None,
    cache: Cache | None = None,
    claims: Path = CLAIMS,
) -> Resolved:
    """Pin a URI.

    Without a cache nothing is written anywhere; what has to be read is hashed on its way.

    Raises:
        ArtifactError: any of the closed set.
    """
    limits, policy = limits or Limits(), policy or Policy()
    deadline = Deadline(limits.seconds_max)
    with local_failures():
        source = source_of(uri, Surroundings(deadline, limits, policy, claims))
        offer = look(source, limits, deadline, None)
        vouched = policy.pickles or names_content(parse_uri(uri, plain_http=policy.plain_http))
        if not vouched:
            refuse_pickles({file.path: Pickle() for file in offer.files if is_pickle_by_name(file.path)})
        if offer.digest is not None and offer.size is not None:
            return Resolved(offer.uri, offer.digest, offer.size, offer.media)
        got = None
        if cache is not None:
            with suppress(CacheUnusable):
                got = _through(cache, source, offer, limits, deadline, vouched=vouched)
        if got is None:
            got = collect(source, offer, None, limits, deadline, None)
        return Resolved(offer.uri, got.digest, got.size, offer.media)


def _through(
    cache: Cache, source: Source, offer: Offer, limits: Limits, deadline: Deadline, *, vouched: bool
) -> Collected:
    key = "uri-" + hashlib.sha256(offer.uri.encode()).hexdigest()
    with cache.writing(key, deadline) as folder:
        fits = cache.make_room(folder, offer.size or 0)
        got = collect(source, offer, None, limits, deadline, None, keep=folder if fits else None)
        if got.kept:
            if not vouched:
                refuse_pickles(look_for_pickles({file.path: folder / FILES / file.path for file in offer.files}))
            cache.publish(folder, entry_of(offer, got))
        elif fits:
            cache.give_up(folder)
    return got
