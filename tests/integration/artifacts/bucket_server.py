"""A bucket on an S3-compatible server that checks signatures, kept in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.artifacts.processes import free_port, running

KEY = "ann"
SECRET = "s3cret-key-of-the-tests"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the folder in which the server keeps it."""

    folder: Path
    endpoint: str

    def put(self, key: str, content: bytes) -> None:
        """Write an object; by a new file, as an upload would."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know of it."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


def command(address: str, data: Path, *, looks_each_time: bool = False) -> list[str]:
    """What serves the folders in `data` as buckets at HOST:PORT.

    looks_each_time: sees what was put into the folder and not through the server. Writing through it is slow then, and
    may hang: this server writes nothing while it does not know a folder.
    """
    return [
        str(Path(sys.executable).parent / "rclone"),
        *("serve", "s3", "--addr", address, "--auth-key", f"{KEY},{SECRET}"),
        *("--config", os.devnull, "--vfs-cache-mode", "off"),
        *(("--dir-cache-time", "0s") if looks_each_time else ()),
        str(data),
    ]


@contextmanager
def bucket_served(root: Path, name: str, *, looks_each_time: bool = False) -> Iterator[Bucket]:
    """Serve a bucket on loopback until the block ends."""
    (root / "data" / name).mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    serving = command(address, root / "data", looks_each_time=looks_each_time)
    with running(serving, f"http://{address}", root / "log"):
        yield Bucket(root / "data" / name, f"http://{address}")
