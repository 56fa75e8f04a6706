"""A gate's state as text, and as the record that leaves the package.

The text is JSON with a scheme number. Log capitals are whole millionths, as `process.quantised` leaves them;
the other numbers are written with as many digits as give back the same float. So reading what was written
gives the same state to the last bit, and writing that gives the same text.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from serin.stats import process
from serin.stats.counts import COUNT_MAX, Counts, checked_count, checked_number
from serin.stats.evidence import Evidence, Verdict
from serin.stats.process import Floats

__all__ = ["SCHEME", "SECONDS_MAX", "check_totals", "dump", "evidence_of", "load"]

SCHEME = 1
SECONDS_MAX = 1e10  # 300 years
_KEYS = {"v", "kind", "set", "n", "open", "hist", "sec", "k", "seen", "fail", "pass", "most", "least"}


def check_totals(total: Floats, stable: Counts, candidate: Counts) -> None:
    """Raise ValueError if adding these counts would pass 2^53, where floats stop counting."""
    for name, before, new in (("stable", total[0], stable.total), ("candidate", total[2], candidate.total)):
        if int(before) + new > COUNT_MAX:
            raise ValueError(f"{name} must stay at most 2^53 requests in all, got {int(before)} + {new}")


def evidence_of(row: Floats, reference: float | None) -> Evidence:
    """Return what a row says. reference is the known rate of a one-sample test, None for two arms."""
    stable, candidate = (Counts(int(row[i]), int(row[i + 1])) for i in (1, 3))
    against = stable.rate if reference is None else reference
    difference = None if candidate.rate is None or against is None else candidate.rate - against
    lower, upper = float(row[process.INTERVAL.start]), float(row[process.INTERVAL.start + 1])
    if reference is not None:
        lower, upper = max(lower, -reference), min(upper, 1.0 - reference)
    if difference is not None:
        # Widening costs no coverage. It happens when the arms changed on the way.
        lower, upper = min(lower, difference), max(upper, difference)
    passed = bool(row[process.SEEN_PASSED])
    verdict: Verdict = "fail" if row[process.SEEN_FAILED] else "pass" if passed else "undecided"
    return Evidence(
        verdict=verdict,
        log_e_fail=float(row[process.LOG_E_FAIL]),
        log_e_pass=float(row[process.LOG_E_PASS]),
        difference=difference,
        interval=(lower, upper),
        stable=stable,
        candidate=candidate,
        passed=passed,
    )


def dump(kind: str, settings: list[float], row: Floats) -> str:
    """Return a row as JSON text."""
    state = {
        "v": SCHEME,
        "kind": kind,
        "set": [_short(value) for value in settings],
        "n": [int(value) for value in row[process.TOTAL]],
        "open": [int(value) for value in row[process.OPEN]],
        "hist": [_short(value) for value in row[process.HISTORY]],
        "sec": [_short(row[process.SECONDS]), _short(row[process.SECONDS_CLOSED])],
        "k": int(row[process.BLOCKS]),
        "seen": [int(row[process.SEEN_PASSED]), int(row[process.SEEN_FAILED])],
        "fail": _millionths(row[process.FAIL]),
        "pass": _millionths(row[process.PASS]),
        "most": _millionths(row[process.AT_MOST]),
        "least": _millionths(row[process.AT_LEAST]),
    }
    return json.dumps(state, separators=(",", ":"))


def load(kind: str, settings: int, text: str) -> tuple[list[float], Floats]:
    """Return the settings and the row that `dump` wrote; the derived columns are still empty.

    Raises:
        ValueError: if the text is not JSON, of another scheme or kind, or holds impossible numbers.
    """
    try:
        state: Any = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"state must be JSON text, got {str(text)[:60]!r}") from error
    if not isinstance(state, dict) or "v" not in state:
        raise ValueError(f"state must be a JSON object with v, got {str(text)[:60]!r}")
    if state.get("v") != SCHEME:
        raise ValueError(f"v must be {SCHEME}, got {state.get('v')!r}")
    if state.get("kind") != kind:
        raise ValueError(f"kind must be {kind!r}, got {state.get('kind')!r}")
    if set(state) != _KEYS:
        raise ValueError(f"state must have the keys {sorted(_KEYS)}, got {sorted(state)}")
    row = process.new_rows(1)[0]
    for key in ("n", "open"):
        row[process.TOTAL if key == "n" else process.OPEN] = _four_counts(state, key)
    closed = row[process.TOTAL] - row[process.OPEN]
    if (closed < 0).any() or closed[0] < closed[1] or closed[2] < closed[3]:
        raise ValueError(f"open must not exceed n, got {state['open']!r} of {state['n']!r}")
    history = _numbers(state, "hist", 2)
    if not 0 <= history[1] <= history[0]:
        raise ValueError(f"hist must be requests and the bad ones among them, got {history!r}")
    row[process.HISTORY] = history
    seconds = _numbers(state, "sec", 2)
    if not 0 <= seconds[1] <= seconds[0]:
        raise ValueError(f"sec must be two times in order, got {seconds!r}")
    row[process.SECONDS], row[process.SECONDS_CLOSED] = seconds
    row[process.BLOCKS] = checked_count("k", state["k"])
    seen = _numbers(state, "seen", 2)
    if not {*seen} <= {0.0, 1.0}:
        raise ValueError(f"seen must be two of 0 and 1, got {seen!r}")
    row[process.SEEN_PASSED], row[process.SEEN_FAILED] = seen
    for key, columns in (
        ("fail", process.FAIL),
        ("pass", process.PASS),
        ("most", process.AT_MOST),
        ("least", process.AT_LEAST),
    ):
        values = np.array(_numbers(state, key, columns.stop - columns.start))
        if (np.abs(values) > -process.LOG_FLOOR * 1e6).any() or (values != np.floor(values)).any():
            raise ValueError(f"{key} must be whole millionths within 700, got {state[key]!r}")
        row[columns] = values / 1e6
    return _numbers(state, "set", settings), row


def _numbers(state: dict[str, Any], key: str, length: int) -> list[float]:
    values = state[key]
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"{key} must be a list of {length} numbers, got {values!r}")
    return [checked_number(key, value) for value in values]


def _four_counts(state: dict[str, Any], key: str) -> tuple[int, int, int, int]:
    n0, x0, n1, x1 = (checked_count(key, value) for value in _numbers(state, key, 4))
    stable, candidate = Counts(n0, x0), Counts(n1, x1)
    return stable.total, stable.bad, candidate.total, candidate.bad


def _millionths(values: Floats) -> list[int]:
    return [int(value) for value in np.rint(values * 1e6)]


def _short(value: float) -> float | int:
    """Return a whole float as int: it reads back as the same float and is two characters shorter."""
    number = float(value)
    return int(number) if number == math.floor(number) and abs(number) < 1e15 else number
