"""Every rule by its name, and what it did to one scenario's rollouts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.decisions import peers, serin_rule
from tests.bench.decisions.kayenta import kayenta
from tests.bench.decisions.peers import Decisions
from tests.bench.decisions.scenarios import Scenario
from tests.bench.decisions.traffic import DAY, Floats, Hour, Stream

__all__ = ["NAMES", "SERIN", "Result", "run"]

SERIN = "Serin"
_PEERS: dict[str, Callable[[Hour], Decisions]] = {
    "Flagger": peers.flagger,
    "Argo Rollouts": peers.argo,
    "OME": peers.ome,
    "Kayenta": kayenta,
    "z-test each minute": peers.z_test,
}
_OURS = {
    SERIN: serin_rule.Rule(),
    "Serin, tolerance 0": serin_rule.Rule(tolerance_share=0.0),
}
NAMES = (*_PEERS, *_OURS)


@dataclass(frozen=True, slots=True)
class Result:
    """One rule on one scenario.

    verdict: 1 promoted, -1 rolled back, 0 neither. seconds: until then. excess: failures of the candidate that stable
    would not have had, expected, until the verdict and, once promoted, for the rest of the day, per 1M requests of
    a day.
    """

    verdict: NDArray[np.int8]
    seconds: NDArray[np.float32]
    excess: tuple[float, float]

    @property
    def runs(self) -> int:
        """How many rollouts were simulated."""
        return len(self.verdict)


def run(scenario: Scenario, seed: tuple[int, ...], runs: int, names: tuple[str, ...] = NAMES) -> dict[str, Result]:
    """Give the same traffic to every rule."""
    stream = Stream(scenario.speed, scenario.share, scenario.base, scenario.rate, runs, np.random.default_rng(seed))
    history, hour = stream.history(), stream.hour()
    results = {}
    for name in names:
        if name in _PEERS:
            decisions = _PEERS[name](hour)
        else:
            decisions = serin_rule.decide(_OURS[name], copy.deepcopy(stream), history, hour)
        harm = _excess(scenario, decisions)
        results[name] = Result(
            decisions.verdict.astype(np.int8),
            decisions.seconds.astype(np.float32),
            (float(harm.mean()), float(harm.var())),
        )
    return results


def _excess(scenario: Scenario, decisions: Decisions) -> Floats:
    """Expected, not counted: the counts would only add noise that is the same for every rule."""
    until = np.where(decisions.verdict == 0, DAY, decisions.seconds) / DAY
    after = np.where(decisions.verdict == 1, 1 - until, 0.0)
    return 1e6 * (scenario.rate - scenario.base) * (scenario.share * until + after)
