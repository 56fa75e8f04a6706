"""A folder of artifacts by digest, for all pods of a node or all that share a volume.

    entries/<digest>/entry.json   what it is; its time of change is when it was last used
    entries/<digest>/files/...    as the source delivered it, read-only
    partial/<key>/...             a download in progress, or one that was killed
    locks/<key>                   who is at it

Between processes: an entry appears by one rename and so is whole or not there; it is read under a shared lock, made
and removed under an exclusive one. Whoever comes second waits for the first and then finds the entry.

An entry is not trusted: whoever takes from it hashes what is taken. So a spoilt disk, or another pod that writes
into the folder, costs a download and never a wrong model. It does not keep secrets: who can read the folder can read
every model in it.

Nor does anything depend on it: what the volume does to us, full, read-only or gone, is `CacheUnusable`, which nobody
outside the fetch and the resolve sees.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from serin.artifacts.collect import FILES
from serin.artifacts.digest import Digest
from serin.artifacts.limits import Deadline
from serin.artifacts.locks import locked, locked_if_free

_RESERVED = "reserved"
_NAMES_MAX = 100
"""Names of one entry that are kept; whoever has another is asked once more."""
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class CacheUnusable(Exception):
    """The folder cannot be written; an artifact comes without it."""


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file of an entry."""

    path: str
    digest: Digest
    packed: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An artifact that is in the cache, as its record says; the files are still to be verified."""

    digest: Digest
    single: bool
    media: str
    size: int
    """Bytes of all files."""
    files: tuple[CachedFile, ...]
    names: Mapping[str, str] | None = None
    """What uris that do not say it themselves call the one file, by uri; None in a record of an older version."""

    def to_json(self) -> str:
        """Return the record."""
        files = [{"path": file.path, "digest": file.digest, "packed": file.packed} for file in self.files]
        named = {} if self.names is None else {"names": dict(self.names)}
        return json.dumps(
            {"digest": self.digest, "single": self.single, "media": self.media, "size": self.size, "files": files}
            | named
        )

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """Return the entry of a record.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError: it is damaged.
        """
        record = json.loads(text)
        files = tuple(CachedFile(it["path"], Digest(it["digest"]), bool(it["packed"])) for it in record["files"])
        if not all(isinstance(file.path, str) for file in files):
            raise TypeError("a path is text")
        names = record.get("names")
        if names is not None and not all(isinstance(name, str) for name in names.values()):
            raise TypeError("a name is text")
        size = int(record["size"])
        return cls(Digest(record["digest"]), bool(record["single"]), record["media"], size, files, names)


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder and what may be in it."""

    root: Path
    bytes_max: int
    """Bytes of entries and partial downloads together; the least recently used go first."""

    @contextmanager
    def reading(self, digest: Digest, deadline: Deadline) -> Iterator[Entry | None]:
        """Give an entry, kept while it is read; waits for whoever downloads it. A folder may be read-only.

        Raises:
            ArtifactError: TimedOut.
        """
        with ExitStack() as stack:
            entry = None
            with suppress(OSError):
                stack.enter_context(locked(self._lock(digest.hex), deadline, shared=True))
                entry = self._entry(digest)
            if entry is not None:
                with suppress(OSError):
                    os.utime(self._folder(digest) / "entry.json")
            yield entry

    @contextmanager
    def writing(self, key: str, deadline: Deadline) -> Iterator[Path]:
        """Give the folder in which a download is collected, to one process at a time.

        Args: key: the digest's digits, or something else that names the download while the digest is not known.

        Raises:
            ArtifactError: TimedOut.
            CacheUnusable: as it says.
        """
        with ExitStack() as stack:
            folder = self.root / "partial" / key
            with _usable():
                stack.enter_context(locked(self._lock(key), deadline))
                folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def has(self, digest: Digest) -> bool:
        """Say whether there is an entry; to be asked while writing under its digest."""
        return self._entry(digest) is not None

    def files_of(self, entry: Entry) -> Path:
        """The folder with an entry's files."""
        return self._folder(entry.digest) / FILES

    def publish(self, folder: Path, entry: Entry) -> bool:
        """Make a collected folder an entry, by one rename; it is moved away. Returns whether that could be."""
        try:
            self._publish(folder, entry)
        except OSError:
            self.give_up(folder)
            return False
        self.trim()
        return True

    def _publish(self, folder: Path, entry: Entry) -> None:
        for path in (folder / FILES).rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        _write_record(folder, entry)
        (folder / _RESERVED).unlink(missing_ok=True)
        target = self._folder(entry.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.has(entry.digest):
            self._remove(target)  # an entry whose record cannot be read
        try:
            folder.rename(target)
        except OSError:
            self._remove(folder)  # the same content came under another uri meanwhile

    def give_up(self, folder: Path) -> None:
        """Remove what a download collected, and what it has reserved."""
        with suppress(OSError):
            self._remove(folder)

    def drop(self, digest: Digest, deadline: Deadline) -> None:
        """Remove an entry that turned out to be spoilt.

        Raises:
            ArtifactError: TimedOut.
            CacheUnusable: as it says.
        """
        with _usable(), locked(self._lock(digest.hex), deadline):
            self._remove(self._folder(digest))

    def name(self, entry: Entry, uris: Iterable[str], name: str) -> Entry:
        """Note what uris call the one file of an entry, to be called while it is read; a note that fails costs nothing.

        Returns: the entry with these names. Of two that note at once one is lost, and asked for again.
        """
        names = {**(entry.names or {}), **dict.fromkeys(uris, name)}
        named = replace(entry, names=dict(list(names.items())[-_NAMES_MAX:]))
        with suppress(OSError):
            _write_record(self._folder(entry.digest), named)
        return named

    def trim(self) -> None:
        """Remove the least recently used that are too much: a source may have said no size, or a wrong one."""
        with suppress(OSError):
            self._make_room(None, 0)

    def make_room(self, folder: Path, size: int) -> bool:
        """Remove the least recently used until a download fits; what is in use stays.

        Args: folder: where the download goes, reserved in it for the eyes of others. size: its bytes, 0 when the
        source does not say.

        Returns: whether it fits.

        Raises:
            CacheUnusable: as it says.
        """
        with _usable():
            return self._make_room(folder, size)

    def _make_room(self, folder: Path | None, size: int) -> bool:
        shutil.rmtree(self.root / "trash", ignore_errors=True)
        if folder is not None:
            (folder / _RESERVED).write_text(str(size))
        kept = [it for it in self._contents() if it[2] != folder]
        total = size + sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in sorted(kept, key=lambda it: it[0]):
            if total <= self.bytes_max:
                break
            with locked_if_free(self._lock(path.name)) as free:
                if free:
                    self._remove(path)
                    total -= bytes_
        if total > self.bytes_max and folder is not None:
            (folder / _RESERVED).unlink()
        return total <= self.bytes_max

    def _contents(self) -> Iterator[tuple[float, int, Path]]:
        """When it was last used, bytes, and where, of all that takes room."""
        for folder in (*self._listed("entries"), *self._listed("partial")):
            try:
                record, reserved = folder / "entry.json", folder / _RESERVED
                used = (record if record.exists() else folder).stat().st_mtime
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                promised = int(reserved.read_text() or 0) if reserved.exists() else 0
            except (OSError, ValueError):
                continue  # it was published or removed while we looked
            yield used, max(size, promised), folder

    def _listed(self, kind: str) -> list[Path]:
        folder = self.root / kind
        return list(folder.iterdir()) if folder.is_dir() else []

    def _entry(self, digest: Digest) -> Entry | None:
        try:
            entry = Entry.from_json((self._folder(digest) / "entry.json").read_text())
        except (OSError, *_DAMAGED):
            return None
        return entry if entry.digest == digest else None

    def _remove(self, folder: Path) -> None:
        """Remove at once for everybody: what is left of a killed removal lies in the trash."""
        trash = self.root / "trash" / uuid.uuid4().hex
        trash.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(trash)
        except FileNotFoundError:
            return
        shutil.rmtree(trash, ignore_errors=True)

    def _folder(self, digest: Digest) -> Path:
        return self.root / "entries" / digest.hex

    def _lock(self, key: str) -> Path:
        return self.root / "locks" / key


def _write_record(folder: Path, entry: Entry) -> None:
    """Write what an entry is; whoever reads it meanwhile finds the old record or the new one."""
    record = folder / f"entry.{uuid.uuid4().hex}"
    with record.open("w") as file:
        file.write(entry.to_json())
        file.flush()
        os.fsync(file.fileno())
    record.rename(folder / "entry.json")


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheUnusable from error
