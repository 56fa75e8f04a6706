"""The load generator as seen from outside: started, stopped, and its record read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import Access, Process
from tests.demo import manifests

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Count:
    """What was sent within a window, and what became of it."""

    requests: int
    failures: int
    slow: int

    @property
    def failure_rate(self) -> float:
        """Failures per request, 0 without requests."""
        return self.failures / self.requests if self.requests else 0.0


class Traffic:
    """One run of `tests.demo.load` inside the cluster.

    Args:
        cluster: Where to run it.
        record: The file that it writes.
        rate: Requests per second.
        host: The route's host name.
        seconds_max: It ends by itself after this.
    """

    def __init__(
        self,
        cluster: Access,
        record: Path,
        *,
        rate: float = 50.0,
        host: str = manifests.HOST,
        seconds_max: float = 3600.0,
    ) -> None:
        self.record = record
        record.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.demo.load", "--url", cluster.gateway_url_inside, "--host", host]
        command += ["--rate", str(rate), "--seconds", str(seconds_max), "--out", str(record)]
        self._process: Process = cluster.popen(command, cwd=manifests.REPOSITORY, stdout=subprocess.DEVNULL)

    def stop(self) -> Json:
        """End it and return its totals; answers that are due are waited for."""
        self._process.terminate()
        code = self._process.wait(30)
        totals = next((line for line in self.lines() if line["kind"] == "totals"), None)
        if totals is None:
            raise RuntimeError(f"the load generator ended with {code} and no totals")
        return totals

    def kill(self) -> None:
        """End it at once; its record stays as it is."""
        self._process.kill()
        self._process.wait(10)

    def lines(self) -> list[Json]:
        """Return all that was recorded so far; a line that is being written is left out."""
        if not self.record.exists():
            return []
        whole = self.record.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def first(self, arm: str) -> float | None:
        """Return when the first request that this version answered was sent."""
        return next((line["at"] for line in self.lines() if line["kind"] == "first" and line["arm"] == arm), None)

    def failures(self, since: float = 0.0, until: float = float("inf")) -> list[Json]:
        """Return each failed request of a window."""
        return [line for line in self.lines() if line["kind"] == "failure" and since <= line["at"] <= until]

    def count(self, since: float = 0.0, until: float = float("inf"), *, arm: str | None = None) -> Count:
        """Count a window, by whole seconds at both ends; `arm` None for all."""
        requests: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        for line in self.lines():
            if line["kind"] == "second" and int(since) <= line["at"] <= until:
                slow.update(line["slow"])
                for version, statuses in line["arms"].items():
                    requests[version] += sum(statuses.values())
        failed = Counter(failure["arm"] for failure in self.failures(since, until))
        if arm is None:
            return Count(requests.total(), failed.total(), slow.total())
        return Count(requests[arm], failed[arm], slow[arm])
