"""The status of a ModelDeployment as lines for people: one block when something happens, else every few seconds.

     1:23  v3  more 30 %     undecided   waits for: 4 s more of its soak
           errors            stable 2 of 812 (0.2 %)   candidate 14 of 201 (7.0 %)   +6.7 pp [+2.1, +12.0]
           undecided

Only what `kubectl get md iris -o yaml` shows is used. No terminal is needed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

NUMBERS_EVERY_SECONDS = 5.0


class Timeline:
    """Prints what changed.

    Args:
        write: Where lines go.
        clock: Seconds, for the first column.
    """

    def __init__(self, write: Callable[[str], None] = print, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._start = clock()
        self._shown: object = None
        self._numbers_at = float("-inf")

    def say(self, text: str) -> None:
        """Write one line with its time."""
        self._write(f"{self._stamp()}  {text}")

    def see(self, md: Json) -> None:
        """Take in a state of the ModelDeployment; write a block when it says something new."""
        status = md.get("status") or {}
        rollout = status.get("rollout")
        if not rollout:
            landmark: object = ("idle", status.get("phase"), _promise(status))
            if landmark != self._shown:
                self._shown = landmark
                self.say(f"{status.get('phase') or 'new'}: {_promise(status)}")
            return
        waits = rollout.get("waitingFor") or ""
        verdicts = tuple((gate["name"], gate.get("verdict")) for gate in rollout.get("gates", []))
        # "4 s more" and "3 s more" are the same wait.
        landmark = (
            rollout.get("stage"),
            rollout.get("weight"),
            rollout.get("reason"),
            re.sub(r"[\d.,]+", "#", waits),
            verdicts,
        )
        due = self._clock() - self._numbers_at >= NUMBERS_EVERY_SECONDS
        if landmark == self._shown and not due:
            return
        self._shown, self._numbers_at = landmark, self._clock()
        version = (status.get("candidate") or status.get("stable") or {}).get("version", "?")
        where = f"{rollout.get('stage', '?')} {rollout.get('weight', 0)} %"
        self.say(f"v{version}  {where:<14} {rollout.get('verdict', ''):<10} {rollout.get('reason', '')}: {waits}")
        for gate in rollout.get("gates", []):
            if _is_empty(gate):
                continue
            if line := gate_line(gate):
                self._write(f"{'':>6}      {line}")

    @property
    def seconds(self) -> float:
        """Since the first line's zero."""
        return self._clock() - self._start

    def _stamp(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{minutes:>3}:{seconds:02}"


def gate_line(gate: Json) -> str:
    """Return one gate in a line: both arms, the difference with its interval, the verdict."""
    parts = [f"{gate['name']:<14}"]
    for arm in ("stable", "candidate"):
        counts = gate.get(arm)
        if counts:
            parts.append(f"{arm} {counts.get('bad', 0):g} of {counts.get('total', 0):g}{_rate(counts)}")
    interval = gate.get("interval")
    if gate.get("difference") is not None:
        bounds = f" [{_points(interval[0])}, {_points(interval[1])}]" if interval else ""
        parts.append(f"{_points(gate['difference'])} pp{bounds}")
    verdict = gate.get("verdict", "undecided")
    parts.append(verdict if verdict != "undecided" or not gate.get("reason") else f"{verdict} ({gate['reason']})")
    if len(parts) == 2:  # a hard gate has no numbers
        parts.append(gate.get("message", ""))
    return "   ".join(part for part in parts if part)


def _is_empty(gate: Json) -> bool:
    """Say whether a gate that counts has not counted anything yet."""
    arms = [gate[arm] for arm in ("stable", "candidate") if gate.get(arm)]
    return bool(arms) and not any(counts.get("total") for counts in arms)


def _rate(counts: Json) -> str:
    total = counts.get("total", 0)
    return f" ({100 * counts.get('bad', 0) / total:.1f} %)" if total else ""


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _promise(status: Json) -> str:
    for entry in status.get("conditions") or []:
        if entry["type"] == "Promoted":
            return f"Promoted={entry['status']} {entry.get('reason', '')}: {entry.get('message', '')}"
    return "no condition yet"
