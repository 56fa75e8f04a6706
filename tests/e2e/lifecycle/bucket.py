"""A store of buckets inside the cluster that checks signatures, and the Secret that opens it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.cluster.settings import NODE_ADDRESS
from tests.e2e.lifecycle.world import World
from tests.integration.artifacts.bucket_server import Bucket, command


@contextlib.asynccontextmanager
async def store_served(world: World, secret: str, port: int, bucket: str) -> AsyncIterator[Path]:
    """Serve a bucket until the block ends; the Secret of that name holds its address and keys.

    Yields the folder in which the bucket's objects are.
    """
    root = world.folder / secret
    (root / bucket).mkdir(parents=True)
    keys = Bucket(root / bucket, f"http://{NODE_ADDRESS}:{port}").environment
    await world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": keys})
    with (world.folder / f"{secret}.log").open("ab") as log:
        server = world.cluster.popen(command(f"{NODE_ADDRESS}:{port}", root), stdout=log, stderr=log)
    try:
        yield root / bucket
    finally:
        server.terminate()
        await asyncio.to_thread(server.wait, 10)
