"""`kubectl serin` as people call it: a program of its own against the world's API server."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.demo.manifests import REPOSITORY
from tests.e2e.lifecycle.world import NAMESPACE, World


async def serin(world: World, *words: str, kubeconfig: Path | None = None) -> tuple[int, str, str]:
    """`kubectl serin`, as a program of its own: exit code, output, errors."""
    line = [sys.executable, "-m", "serin.cli.kubectl", *words, "--namespace", NAMESPACE]
    program = await asyncio.create_subprocess_exec(
        *line,
        "--kubeconfig",
        str(kubeconfig or world.cluster.kubeconfig),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "operator"), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await program.communicate()
    assert program.returncode is not None
    return program.returncode, out.decode(), err.decode()
