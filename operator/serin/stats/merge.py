"""Many gates, one rollout.

Roll back on the weighted mean of the gates' E_fail: the mean of e-values is an e-value whatever the
dependence between them (Vovk and Wang, https://arxiv.org/abs/1912.06116), and the gates of one rollout do
depend on each other.
Promote when every required gate has passed: if one of them should not pass, that one alone already keeps the
probability at beta (intersection-union).

The price of many gates is small. With four gates of equal weight one gate alone has to reach 400 instead of
100, log 4 = 1.4 more of evidence, about one bad request more.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from serin.stats.counts import checked_number
from serin.stats.evidence import Evidence, Verdict

__all__ = ["Combined", "combine"]

_JOINT_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Combined:
    """The verdict over all gates.

    verdict: "fail", else "pass" if every required gate has passed, else "undecided".
    culprits: on "fail", the gates that did it, the strongest evidence first; otherwise empty.
    log_e: natural logarithm of the weighted mean of E_fail.
    jointly: True if no gate is a culprit by itself, and `culprits` are those that make up 80 % of the mean.
    """

    verdict: Verdict
    culprits: tuple[str, ...]
    log_e: float
    jointly: bool = False


def combine(
    evidences: Mapping[str, Evidence],
    required: Collection[str],
    weights: Mapping[str, float] | None = None,
    alpha: float = 0.01,
) -> Combined:
    """Combine the evidence of all gates of a rollout.

    Args:
        evidences: evidence by name of gate.
        required: gates that must pass. One without evidence keeps the verdict undecided; so does having none.
        weights: what each gate counts in the mean, 0 or more, scaled to sum 1; they must not depend on what
            the gates have seen. None is equal weights for the required gates and 0 for the others. A gate
            with a weight and without evidence counts as an e-value of 1.
        alpha: bound on the probability of a wrong rollback; in (0, 1).

    Culprits: with w_i E_i in falling order, the first k for the largest k with k w_(k) E_(k) >= 1/alpha. This
        is e-BH, https://arxiv.org/abs/2009.02824, on the e-values K w_i E_i, and keeps the false discovery
        rate at alpha.

    Example: E_fail of 900, 2 and 1 with equal weights has the mean 301 >= 100: fail; 1 x 300 >= 100, but
    2 x 0.67 < 100: the first gate is the culprit.

    Raises:
        ValueError: for a weight that is negative or not finite, weights that are all 0, or alpha out of
            range.
    """
    alpha = checked_number("alpha", alpha, 0.0, 1.0, open_ends=True)
    scaled = _scaled(dict.fromkeys(required, 1.0) if weights is None else dict(weights))
    parts = {
        name: math.log(weight) + (evidences[name].log_e_fail if name in evidences else 0.0)
        for name, weight in scaled.items()
        if weight > 0
    }
    for name, part in parts.items():
        checked_number(f"log_e_fail of {name}", part)
    log_e = _log_sum(list(parts.values())) if parts else 0.0
    threshold = -math.log(alpha)
    if log_e >= threshold:
        ranked = sorted(parts, key=lambda name: (-parts[name], name))
        alone = [k for k, name in enumerate(ranked, 1) if math.log(k) + parts[name] >= threshold]
        if alone:
            return Combined("fail", tuple(ranked[: alone[-1]]), log_e)
        return Combined("fail", _largest_share(ranked, parts, log_e), log_e, jointly=True)
    passed = bool(required) and all(
        name in evidences and evidences[name].passed and evidences[name].verdict != "fail" for name in required
    )
    return Combined("pass" if passed else "undecided", (), log_e)


def _scaled(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights scaled to sum 1; no weights at all is fine, all 0 is not."""
    checked = {name: checked_number(f"weight of {name}", weight, 0.0) for name, weight in weights.items()}
    if not checked:
        return {}
    most = max(checked.values())
    if most == 0.0:
        raise ValueError(f"weights must not all be 0, got {dict(weights)!r}")
    total = math.fsum(weight / most for weight in checked.values())
    return {name: weight / most / total for name, weight in checked.items()}


def _largest_share(ranked: list[str], parts: Mapping[str, float], log_e: float) -> tuple[str, ...]:
    share = 0.0
    for k, name in enumerate(ranked, 1):
        share += math.exp(parts[name] - log_e)
        if share >= _JOINT_SHARE:
            return tuple(ranked[:k])
    return tuple(ranked)


def _log_sum(terms: list[float]) -> float:
    most = max(terms)
    return most + math.log(math.fsum(math.exp(term - most) for term in terms))
