"""`make bench-artifacts`: 2 GB by https, beside curl; killed in the middle, gone on with.

The server is rclone's, in a process of its own, with TLS. curl and Serin take turns, because a busy machine is not
equally busy all the time; the median of the turns counts. curl neither hashes nor waits for Python to start, so curl
followed by sha256sum is shown, too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.artifacts.server import serving_file

_MEMORY_MAX_MB = 200
_SHARE_MIN = 0.8


def main() -> int:
    """Run, print, and return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return _bench(Path(scratch), options.megabytes * 10**6, options.turns)


def _bench(work: Path, size: int, turns: int) -> int:
    with serving_file(work, size) as server:
        environment = os.environ | {"REQUESTS_CA_BUNDLE": str(server.authority)}
        into = work / "into"
        fetch = [sys.executable, "-m", "serin", "artifact", "fetch", server.url, "--into", str(into)]
        fetch += ["--digest", server.digest]
        out = work / "curl.out"
        curl = ["curl", "--silent", "--fail", "--cacert", str(server.authority), "--output", str(out), server.url]
        cache = work / "cache"
        ours, theirs, hashed, memory = [], [], [], []
        cached: list[float] = []
        served: list[float] = []
        for _ in range(turns):
            out.unlink(missing_ok=True)
            seconds, _ = _timed(curl, environment)
            theirs.append(seconds)
            seconds, _ = _timed(["sha256sum", str(out)], environment)
            hashed.append(theirs[-1] + seconds)
            out.unlink()
            shutil.rmtree(into, ignore_errors=True)
            seconds, peak = _timed(fetch, environment)
            ours.append(seconds)
            memory.append(peak)
            for again in (False, True):
                shutil.rmtree(into)
                seconds, peak = _timed([*fetch, "--cache", str(cache)], environment)
                (served if again else cached).append(seconds)
                memory.append(peak)
            shutil.rmtree(cache)
        share = statistics.median(theirs) / statistics.median(ours)
        print(f"{size / 1e6:.0f} MB over TLS, median of {turns} turns")
        rows = {"curl": theirs, "curl, then sha256sum": hashed, "serin artifact fetch": ours}
        for name, times in (rows | {"by way of a cache": cached, "from the cache": served}).items():
            middle = statistics.median(times)
            print(
                f"  {name:22} {middle:6.2f} s  {size / 1e6 / middle:6.0f} MB/s   ({min(times):.2f} to {max(times):.2f})"
            )
        both = statistics.median(hashed) / statistics.median(ours)
        print(f"  share of curl's speed  {share:.2f}; of curl and sha256sum {both:.2f}")
        print(f"  peak memory            {max(memory):.0f} MB")
        resumed = _killed(fetch, into, environment, size)
    faults = []
    if max(memory) > _MEMORY_MAX_MB:
        faults.append(f"more than {_MEMORY_MAX_MB} MB of memory")
    if share < _SHARE_MIN:
        faults.append(f"less than {_SHARE_MIN:.0%} of curl's speed")
    if not resumed:
        faults.append("a killed download was not gone on with")
    print("; ".join(faults) or "all promises kept")
    return 1 if faults else 0


def _killed(fetch: Sequence[str], into: Path, environment: dict[str, str], size: int) -> bool:
    """Kill a download half way, run it again, and say whether the rest was enough."""
    shutil.rmtree(into, ignore_errors=True)
    process = subprocess.Popen(fetch, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and _bytes_in(into) < size // 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had = _bytes_in(into)
    done = subprocess.run(fetch, env=environment, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    brought = said.get("received", 0) / 1e6
    print(f"  killed at {had / 1e6:.0f} MB; the next call brought {brought:.0f} MB: {said['outcome']}")
    return bool(said["outcome"] == "fetched" and said["resumed"] and 0 < said["received"] <= size - had)


def _bytes_in(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("model.bin"))
    except FileNotFoundError:
        return 0


def _timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a program; return seconds and its peak memory in megabytes. Says the processor's time, too."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    cpu = usage.ru_utime + usage.ru_stime
    print(f"    {Path(command[0]).name:12} {seconds:6.2f} s, of the processor {cpu:6.2f} s", flush=True)
    return seconds, usage.ru_maxrss / 1000


if __name__ == "__main__":
    sys.exit(main())
