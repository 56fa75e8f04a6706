"""How long a container waits before it is started again."""

from __future__ import annotations

from dataclasses import dataclass

_SECONDS_MAX = 30.0
_HEALTHY_AFTER_SECONDS = 60.0


@dataclass
class BackOff:
    """The kubelet's rule in fast motion: at once after the first end, then doubling up to 30 s.

    A run that lasted a minute (ten for the kubelet) starts the count anew.

    >>> backoff = BackOff(first_seconds=1)
    >>> [backoff.after(ran_seconds=0.1) for _ in range(4)]
    [0.0, 1.0, 2.0, 4.0]
    """

    first_seconds: float
    _ends: int = 0

    def after(self, ran_seconds: float) -> float:
        """The delay after a run that lasted so long."""
        if ran_seconds >= _HEALTHY_AFTER_SECONDS:
            self._ends = 0
        self._ends += 1
        if self._ends == 1:
            return 0.0
        # The exponent is bounded, as a pod may crash for days.
        return min(self.first_seconds * 2.0 ** min(self._ends - 2, 16), _SECONDS_MAX)
