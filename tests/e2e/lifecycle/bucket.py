"""A store of buckets inside the cluster that checks signatures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.cluster.settings import NODE_ADDRESS
from tests.e2e.lifecycle.world import World
from tests.integration.artifacts.bucket_server import Bucket, command


@contextlib.asynccontextmanager
async def store_served(world: World, name: str, port: int, bucket: str) -> AsyncIterator[Bucket]:
    """Serve a bucket until the block ends. name: of the store's folder and log."""
    root = world.folder / name
    (root / bucket).mkdir(parents=True)
    with (world.folder / f"{name}.log").open("ab") as log:
        server = world.cluster.popen(command(f"{NODE_ADDRESS}:{port}", root), stdout=log, stderr=log)
    try:
        yield Bucket(root / bucket, f"http://{NODE_ADDRESS}:{port}")
    finally:
        server.terminate()
        await asyncio.to_thread(server.wait, 10)
