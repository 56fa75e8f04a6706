"""Bring an artifact into a folder: from the cache if it is there, else from its source, and into the cache with it.

What a source cannot reach it cannot stop: with the artifact in the cache no source is asked at all, but for the name
of a single layer that the cache has from elsewhere, once. What comes from a source is written to both and hashed once;
only what the cache had is read from there, and hashed on its way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serin.artifacts.archives import is_archive_by_name, unpack
from serin.artifacts.cache import Cache, CachedFile, CacheUnusable, Entry
from serin.artifacts.collect import FILES, Collected, collect, look
from serin.artifacts.digest import Digest, check_paths, digest_of_files
from serin.artifacts.errors import ArtifactError
from serin.artifacts.failures import local_failures
from serin.artifacts.limits import Deadline, Limits, Policy
from serin.artifacts.pickles import look_for_pickles, refuse_pickles
from serin.artifacts.source import Offer, Source
from serin.artifacts.sources import Surroundings, source_of
from serin.artifacts.target import Target, copy_hashed
from serin.artifacts.uri import file_name, names_content, parse_uri

CLAIMS = Path("/mnt/claims")
"""Where a Job mounts claims, each under its name."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was done."""

    uri: str
    """As pinned as the source can, or as it was given when no source was asked."""
    digest: Digest
    size: int
    """Bytes of the artifact as delivered; 0 when it was already in the folder."""
    received: int
    """Bytes that came from the source in this call."""
    resumed: bool
    """Whether an earlier call's part was gone on with."""
    cached: bool
    """Whether the cache had it."""


def fetch(
    uri: str,
    digest: Digest | None,
    into: Path,
    *,
    limits: Limits | None = None,
    policy: Policy | None = None,
    cache: Cache | None = None,
    trusted: bool = True,
    resolved_uri: str | None = None,
    claims: Path = CLAIMS,
) -> Fetched:
    """Bring an artifact into a folder of its own, verified.

    Args: uri: as in spec.model.uri. digest: what it must have; None takes what is there now. into: an empty
    folder, or one from an earlier call. trusted: whether a person gave the digest; False when Serin found it
    out itself, so that nobody vouches for pickles. resolved_uri: what `resolve` made of the uri; it is read in its
    place, because a tag or an alias may have moved since, and vouches for nothing that the uri does not.

    Raises:
        ArtifactError: any of the closed set. A partial download is kept for the next call with the same folder or
        cache, unless its content was wrong.
    """
    limits, policy = limits or Limits(), policy or Policy()
    deadline = Deadline(limits.seconds_max)
    surroundings = Surroundings(deadline, limits, policy, claims)
    with local_failures():
        job = _Fetch(uri, resolved_uri or uri, digest, Target(into), surroundings, cache, trusted)
        with job.target.held(deadline):
            return job.run()


@dataclass(slots=True)
class _Fetch:
    """One call."""

    uri: str
    where: str
    digest: Digest | None
    target: Target
    around: Surroundings
    cache: Cache | None
    trusted: bool
    vouched: bool = False

    def run(self) -> Fetched:
        place = parse_uri(self.uri, plain_http=self.around.policy.plain_http)
        self.vouched = (self.trusted and self.digest is not None) or names_content(place)
        if self.digest is not None and self.target.holds(self.digest):
            self.target.forget_work()
            return Fetched(self.uri, self.digest, 0, 0, False, False)
        if self.digest is not None and self.cache is not None:
            return self._through(self.cache, self.digest)
        source, offer = self._look(self.digest)
        known = self.digest or offer.digest
        if self.cache is not None and known is not None:
            return self._through(self.cache, known)
        return self._directly(source, offer, self.digest)

    def _through(self, cache: Cache, digest: Digest) -> Fetched:
        """Take it from the cache, or bring it there, too."""
        deadline = self.around.deadline
        with suppress(CacheUnusable):
            for _ in range(3):  # somebody may spoil or evict it between two steps; not for ever
                with cache.reading(digest, deadline) as entry:
                    if entry is not None and self._place_copy(cache, entry):
                        return Fetched(self.uri, digest, entry.size, 0, False, True)
                if entry is not None:
                    cache.drop(digest, deadline)
                with cache.writing(digest.hex, deadline) as keep:
                    if cache.has(digest):
                        continue
                    source, offer = self._look(digest)
                    fits = cache.make_room(keep, offer.size or 0)
                    got = self._collect(source, offer, digest, keep if fits else None)
                    if fits and not got.kept:
                        cache.give_up(keep)
                    held = got.kept and cache.publish(keep, entry_of(offer, got, self._nameless(offer)))
                return self._placed(offer, got, digest, held=held)
        return self._directly(*self._look(digest), digest)

    def _directly(self, source: Source, offer: Offer, digest: Digest | None) -> Fetched:
        """Bring it without a cache."""
        return self._placed(offer, self._collect(source, offer, digest, None), digest, held=False)

    def _look(self, digest: Digest | None) -> tuple[Source, Offer]:
        source = source_of(self.where, self.around)
        return source, look(source, self.around.limits, self.around.deadline, digest)

    def _collect(self, source: Source, offer: Offer, digest: Digest | None, keep: Path | None) -> Collected:
        """Bring all files; the target folder keeps what a killed call has got, and the cache's does."""
        folder = self.target.download(_key(digest))
        return collect(source, offer, folder, self.around.limits, self.around.deadline, digest, keep=keep)

    def _placed(self, offer: Offer, got: Collected, digest: Digest | None, *, held: bool) -> Fetched:
        """Put what was collected in place.

        Args: held: whether the cache has it, too.
        """
        files = self.target.download(_key(digest)) / FILES
        self._place(files, entry_of(offer, got), _link_or_move, spent=held)
        return Fetched(offer.uri, got.digest, got.size, got.received, got.resumed, False)

    def _place_copy(self, cache: Cache, entry: Entry) -> bool:
        """Copy from the cache; False when the entry turns out to be spoilt."""
        deadline = self.around.deadline
        expected = {file.path: file.digest for file in entry.files}

        def copy(source: Path, target: Path, path: str) -> None:
            if copy_hashed(source, target, deadline) != expected[path]:
                raise _Spoilt

        if not _is_consistent(entry):
            return False
        entry = self._named(cache, entry)
        self.target.forget_downloads()  # the volume may have no room for both
        try:
            self._place(cache.files_of(entry), entry, copy, scratch=True)
        except (_Spoilt, FileNotFoundError):
            return False
        return True

    def _place(
        self,
        files: Path,
        entry: Entry,
        put: Callable[[Path, Path, str], None],
        *,
        scratch: bool = False,
        spent: bool = False,
    ) -> None:
        """Put files and the content of archives into the target.

        Args: put: brings a file from here to there. scratch: whether an archive has to be put somewhere, too, to be
        verified before it is opened. spent: whether an archive may go once it is unpacked, so that not all of them
        and all that is in them have to fit on the volume at once.
        """
        staged = self.target.staging()
        names = self._names(entry)
        packed = self._packed(entry, names)
        for path, name in names.items():
            if path not in packed:
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                put(files / path, staged / name, path)
        for path in packed:
            archive = files / path
            if scratch:
                archive = staged.with_name("archive")
                archive.unlink(missing_ok=True)
                put(files / path, archive, path)
            unpack(archive, staged, self.around.limits, self.around.deadline)
            if spent:
                archive.unlink()
        if not (self.vouched or self.around.policy.pickles):
            unpacked = {path.relative_to(staged).as_posix(): path for path in staged.rglob("*") if path.is_file()}
            refuse_pickles(look_for_pickles(unpacked))
        kept = {names[file.path]: file.digest for file in entry.files if file.path not in packed}
        self.target.finish(entry.digest, kept)

    def _names(self, entry: Entry) -> dict[str, str]:
        """What each file is called in the target.

        A file by itself is known by its content alone, so the cache may have it from another uri, under another name.

        Raises:
            ArtifactError: Unsafe.
        """
        own = (self._own_name() or (entry.names or {}).get(self.where)) if entry.single else None
        names = {file.path: own or file.path for file in entry.files}
        check_paths(names.values())
        return names

    def _named(self, cache: Cache, entry: Entry) -> Entry:
        """The entry with what this uri calls its one file.

        A manifest says it and the uri does not, so the registry is asked for that, and for no layer. If it does not
        answer there is an error: under another's name the model server would not find its file.
        """
        known = entry.names is None or self.where in entry.names  # an older record is taken at its word
        if known or not entry.single or self._own_name() is not None:
            return entry
        _, offer = self._look(entry.digest)
        return cache.name(entry, self._nameless(offer), offer.files[0].path) if offer.single else entry

    def _own_name(self) -> str | None:
        return file_name(parse_uri(self.where, plain_http=self.around.policy.plain_http))

    def _nameless(self, offer: Offer) -> tuple[str, ...]:
        """The uris of this call that do not say what a single file is called."""
        return (self.where, offer.uri) if self._own_name() is None and offer.single else ()

    def _packed(self, entry: Entry, names: Mapping[str, str]) -> list[str]:
        if not self.around.policy.unpack:
            return []
        if entry.single:
            return [path for path, name in names.items() if is_archive_by_name(name)]
        return [file.path for file in entry.files if file.packed]


def _key(digest: Digest | None) -> str:
    return digest.hex if digest is not None else "unpinned"


def entry_of(offer: Offer, got: Collected, uris: Iterable[str] = ()) -> Entry:
    """Return the record of what was collected.

    Args: uris: those that mean it and do not say what a single file is called.
    """
    files = tuple(CachedFile(file.path, got.digests[file.path], file.packed) for file in offer.files)
    names = dict.fromkeys(uris, offer.files[0].path)
    return Entry(got.digest, offer.single, offer.media, got.size, files, names)


class _Spoilt(Exception):
    """A file in the cache is not what its record says."""


def _is_consistent(entry: Entry) -> bool:
    """Whether a record's files add up to its digest; a record is no more trusted than a file.

    The name of a single file is no part of its digest, so a record that somebody else wrote may lead out of the target.
    """
    digests = {file.path: file.digest for file in entry.files}
    if not digests or len(digests) != len(entry.files) or (entry.single and len(digests) != 1):
        return False
    try:
        check_paths(digests)
        for name in (entry.names or {}).values():
            check_paths([name])
    except ArtifactError:
        return False
    return entry.digest == (entry.files[0].digest if entry.single else digest_of_files(digests))


def _link_or_move(source: Path, target: Path, _path: str) -> None:
    # A link leaves the download whole until everything is in place; not every volume knows links.
    try:
        os.link(source, target)
    except OSError:
        source.rename(target)
