"""What a gate has seen so far: the record that leaves the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from serin.stats.counts import Counts

__all__ = ["Evidence", "Verdict"]

Verdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one gate after all updates so far.

    verdict: "fail" once E_fail has reached 1/alpha, and for good; else "pass" once `passed`; else
        "undecided".
    log_e_fail: natural logarithm of E_fail now, the evidence that the candidate is worse than the tolerance
        allows. 0 is no evidence, 4.6 is 100 to 1.
    log_e_pass: the same for E_pass, the evidence that the candidate is not worse by the margin or more.
    difference: candidate's rate less stable's (or less the constant) in [-1, 1]; above 0 is worse. None while
        an arm has had no request.
    interval: (lower, upper) of a 95 % confidence sequence for the difference, in [-1, 1]. It holds at every
        look at once, so it is wider than an interval computed for one look. (-1, 1) says that nothing is
        known.
    stable, candidate: all requests counted so far. A one-sample gate has Counts(0, 0) as stable.
    passed: the latched pass. It stays True when the candidate breaks later; then `verdict` is "fail".
    """

    verdict: Verdict
    log_e_fail: float
    log_e_pass: float
    difference: float | None
    interval: tuple[float, float]
    stable: Counts
    candidate: Counts
    passed: bool
