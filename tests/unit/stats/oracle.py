"""The test of two rates once more, slow and obvious: plain Python, one gate, bisection, a list of blocks.

Nothing is shared with the package. It keeps every closed block and starts from the first one each time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Counted = tuple[int, int, int, int]


def nearest_point(q0: float, q1: float, n0: float, n1: float, d: float) -> tuple[float, float]:
    """Return the point of p1 = p0 + d nearest to (q0, q1), by halving an interval of the smaller rate."""
    base0, base1 = max(0.0, -d), max(0.0, d)
    low, high = 0.0, 1.0 - abs(d)
    for _ in range(2000):
        t = (low + high) / 2
        if t in {low, high}:
            break
        a, b = t + base0, t + base1
        if a in {0.0, 1.0} or b in {0.0, 1.0}:
            slope = -1.0 if t < 0.5 * (1 - abs(d)) else 1.0
        else:
            slope = n0 * (a - q0) / (a * (1 - a)) + n1 * (b - q1) / (b * (1 - b))
        low, high = (t, high) if slope < 0 else (low, t)
    return low + base0, low + base1


def log_e(block: Counted, q0: float, q1: float, d: float, side: int) -> float:
    """Return the log e-variable of one block; side +1 against p1 - p0 <= d, -1 against >= d."""
    if side * (q1 - q0 - d) <= 1e-7:
        return 0.0
    n0, x0, n1, x1 = block
    a, b = nearest_point(q0, q1, n0, n1, d)
    top = [(x0, q0), (n0 - x0, 1 - q0), (x1, q1), (n1 - x1, 1 - q1)]
    bottom = [(x0, a), (n0 - x0, 1 - a), (x1, b), (n1 - x1, 1 - b)]
    return math.fsum(k * math.log(p) for k, p in top) - math.fsum(k * math.log(p) for k, p in bottom)


@dataclass
class Slow:
    """The specification, word by word; compare `log_e_fail` and `log_e_pass` after any updates."""

    margin: float
    tolerance: float
    phi: float
    history: tuple[float, float]  # requests, bad

    def __post_init__(self) -> None:
        """Start without blocks."""
        self.blocks: list[tuple[Counted, float]] = []  # with the seconds since the block before
        self.open = [0, 0, 0, 0]
        self.waited = 0.0
        self.traffic = False

    def update(self, block: Counted, seconds: float) -> None:
        """Add counts; close the block if both arms have clip(N1/8, 1, 20) requests."""
        self.traffic = self.traffic or block[2] > 0
        if self.traffic:
            self.waited += seconds
        self.open = [a + b for a, b in zip(self.open, block, strict=True)]
        n1 = sum(counts[2] for counts, _ in self.blocks)
        need = min(20.0, max(1.0, n1 / 8))
        if self.open[0] >= need and self.open[2] >= need:
            n0, x0, n1, x1 = self.open
            self.blocks.append(((n0, x0, n1, x1), self.waited))
            self.open, self.waited = [0, 0, 0, 0], 0.0

    def evidence(self) -> tuple[float, float]:
        """Return (log E_fail, log E_pass) from all closed blocks."""
        n, x = self.history
        wealth = [[0.0] * 9 for _ in self.blocks]  # by change point and guess: log of the product since then
        passing = [0.0, 0.0, 0.0]
        for k, (block, seconds) in enumerate(self.blocks):
            q0 = min(max((x + 0.5) / (n + 50), 1e-5), 0.7)
            for j in range(9):
                q1 = min(q0 + self.tolerance + (self.margin - self.tolerance) * 2**j, 0.9)
                gain = log_e(block, q0, q1, self.tolerance, +1) / self.phi
                for start in range(k + 1):
                    wealth[start][j] += gain
            for j, q1 in enumerate((q0, q0 + self.margin / 2, q0 / 2)):
                passing[j] += log_e(block, q0, q1, self.margin, -1) / self.phi
            fade = math.exp(-seconds / 3600)
            n, x = n * fade + block[0], x * fade + block[1]
        shares = [0.5 if k == 1 else 0.5 / (k * (k - 1)) for k in range(1, len(self.blocks) + 1)]
        weights = [0.4] + [0.075] * 8
        fail = (
            1
            - math.fsum(shares)
            + math.fsum(share * weights[j] * math.exp(wealth[k][j]) for k, share in enumerate(shares) for j in range(9))
        )
        pass_ = math.fsum(w * math.exp(v) for w, v in zip((0.7, 0.2, 0.1), passing, strict=True))
        return math.log(fail), math.log(pass_)
