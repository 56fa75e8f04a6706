"""What a process has used, by the kernel's own books."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.cluster import Process


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the process began, and resident memory now."""

    cpu_seconds: float
    rss_mib: float

    @classmethod
    def of(cls, process: Process) -> Self:
        """Read /proc."""
        folder = Path(f"/proc/{process.pid}")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        pages = int((folder / "statm").read_text().split()[1])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
