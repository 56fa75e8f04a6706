"""The folder that the model server reads.

While files are being brought, they lie in a work folder inside it; a rename of each puts them in place, and a marker
written last says that all of it is there. So a killed call never leaves something that looks finished, and one that
is started again on a finished folder only verifies it.

    .serin-artifact.json   what is here: the artifact's digest, and that of the files as they lie here
    .serin-artifact-work/  only while it is being brought
    .serin-artifact-lock
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serin.artifacts.digest import CHUNK_BYTES, RESERVED, Digest, digest_of_file, digest_of_files
from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.limits import Deadline
from serin.artifacts.locks import locked

_IGNORED = {"lost+found"}
"""What a fresh volume may hold."""


class Target:
    """A folder that is ours alone."""

    def __init__(self, folder: Path) -> None:
        """Take a folder, which need not be there yet."""
        self.folder = folder
        self._marker = folder / f"{RESERVED}.json"
        self._work = folder / f"{RESERVED}-work"

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[None]:
        """Keep others that bring something into the same folder waiting.

        Raises:
            ArtifactError: Unsafe when the folder holds what is not ours, TimedOut.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / f"{RESERVED}-lock", deadline):
            strangers = [path.name for path in self._others() if path.name not in _IGNORED]
            if strangers and not self._marker.exists() and not self._work.exists():
                raise ArtifactError(
                    Reason.UNSAFE,
                    f"the folder holds {strangers[0][:100]!r}, which Serin did not put there; give a folder or volume "
                    f"of its own",
                    field="--into",
                )
            yield

    def holds(self, digest: Digest) -> bool:
        """Say whether the artifact is here, whole and unchanged; every byte is looked at."""
        try:
            marker = json.loads(self._marker.read_text())
            return bool(marker["digest"] == digest and marker["tree"] == self._tree({}))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def download(self, key: str) -> Path:
        """Return the work folder of a download; one of another key is removed."""
        downloads = self._work / "download"
        for path in downloads.iterdir() if downloads.is_dir() else ():
            if path.name != key:
                shutil.rmtree(path)
        folder = downloads / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def forget_downloads(self) -> None:
        """Remove what killed calls have left, because it comes from elsewhere.

        The work folder itself stays: it says that what lies beside it is ours until there is a marker.
        """
        shutil.rmtree(self._work / "download", ignore_errors=True)

    def forget_work(self) -> None:
        """Remove what a call has left that was killed when all was in place."""
        shutil.rmtree(self._work, ignore_errors=True)

    def staging(self) -> Path:
        """Return an empty folder in which the artifact is put together."""
        staged = self._work / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        return staged

    def finish(self, digest: Digest, known: Mapping[str, Digest]) -> None:
        """Put what was staged in place of whatever an earlier call put here.

        Args: known: digests of files, by path, that were computed on their way here; the others are read once more.
        """
        self._marker.unlink(missing_ok=True)
        for path in self._others():
            if path.name not in _IGNORED:
                _remove(path)
        staged = self._work / "staged"
        for path in list(staged.iterdir()):
            path.rename(self.folder / path.name)
        marker = self._work / "marker"
        marker.write_text(json.dumps({"digest": digest, "tree": self._tree(known)}))
        marker.rename(self._marker)
        shutil.rmtree(self._work)

    def _others(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if not path.name.startswith(RESERVED)]

    def _tree(self, known: Mapping[str, Digest]) -> Digest:
        files: dict[str, Digest] = {}
        for top in self._others():
            if top.name in _IGNORED:
                continue
            for path in top.rglob("*") if top.is_dir() else [top]:
                if not path.is_dir():
                    name = path.relative_to(self.folder).as_posix()
                    files[name] = known.get(name) or digest_of_file(path)
        return digest_of_files(files)


def copy_hashed(source: Path, target: Path, deadline: Deadline) -> Digest:
    """Copy a file and return the digest of what was copied.

    Raises:
        ArtifactError: TimedOut.
    """
    running = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb", buffering=0) as opened, target.open("xb") as out:
        while count := opened.readinto(buffer):
            deadline.remaining()
            out.write(buffer[:count])
            running.update(buffer[:count])
    return Digest.of_hex(running.hexdigest())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
