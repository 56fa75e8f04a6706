"""One block against one null: the e-variable of two Bernoulli streams, and the point it is measured at.

A block is n0 requests of stable with x0 bad ones and n1 of the candidate with x1. A guess (q0, q1), made
before the block, is compared with the null hypothesis whose edge is the line p1 = p0 + d:

    e = q0^x0 (1-q0)^(n0-x0) q1^x1 (1-q1)^(n1-x1)  /  the same at (p0*, p1*)

where (p0*, p1*) is the point of the null nearest to the guess in n0 KL(q0||p0) + n1 KL(q1||p1). Then the mean
of e is at most 1 at every point of the null, because the null is convex and the projection is the reverse
information
projection: Turner, Ly and Gruenwald, https://arxiv.org/abs/2106.02693v3 (the block e-variable) and Turner and
Gruenwald, https://arxiv.org/abs/2203.09785 (lines p1 = p0 + d). `tests/unit/stats/test_projection.py` adds up
the mean over every outcome of small blocks and finds it at most 1.

Everything here works on arrays that broadcast; each element is computed by itself, so that one gate and a
thousand gates get the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_e_one", "log_e_two", "project"]

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
Block = tuple[Floats, Floats, Floats, Floats]

# Newton needs 4 to 8 steps; the limit is never met (test_projection.py tries 10^5 hard cases) and only bounds
# the loop.
_STEPS_MAX = 100


def project(q0: Floats, q1: Floats, n0: Floats, n1: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Return (p0, p1), the point of the line p1 = p0 + d nearest to the guess (q0, q1).

    Args (arrays of one shape, or scalars that broadcast):
        q0, q1: the guessed rates, strictly between 0 and 1.
        n0, n1: requests in the block, above 0.
        d: the difference that defines the line, strictly between -1 and 1.

    The root of  n0 (p0-q0) / (p0 (1-p0)) + n1 (p1-q1) / (p1 (1-p1)) = 0,  which is the derivative of a convex
    function along the line, so there is one. We solve the cubic that is left after multiplying by
    p0 (1-p0) p1 (1-p1), in t, the smaller of the two rates: p0 = t + max(0, -d), p1 = t + max(0, d). So a
    rate of 1e-12 keeps all its digits, and near the edge the cubic is nearly straight where the derivative
    has a pole.

    Example: q0 = .01, q1 = .05, n0 = 90, n1 = 10, d = .01 gives p0 = .0120, p1 = .0220.
    """
    q0, q1, n0, n1, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (q0, q1, n0, n1, d)))
    base0, base1 = np.maximum(0.0, -d), np.maximum(0.0, d)
    w0, w1 = n0 / (n0 + n1), n1 / (n0 + n1)
    goal0, goal1 = q0 - base0, q1 - base1  # where each arm alone would like t to be: the root lies between
    base, q, weight = (base0, base1), (q0, q1), (w0, w1)
    low = np.maximum(np.minimum(goal0, goal1), 0.0)
    high = np.minimum(np.maximum(goal0, goal1), 1.0 - np.abs(d))
    at_low, at_high = (
        _cubic(low, base, q, weight)[0],
        _cubic(high, base, q, weight)[0],
    )
    done = (low >= high) | (at_low >= 0.0) | (at_high <= 0.0)
    t = np.where(done, low, low - at_low * (high - low) / np.where(done, 1.0, at_high - at_low))
    for _ in range(_STEPS_MAX):
        value, slope = _cubic(t, base, q, weight)
        low = np.where(value < 0.0, t, low)
        high = np.where(value > 0.0, t, high)
        new = t - value / np.where(slope == 0.0, 1.0, slope)
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        new = np.where(done | (value == 0.0), t, new)
        done = done | (np.abs(new - t) <= 1e-12 * new)
        t = new
        if done.all():
            break
    return t + base0, t + base1


def _cubic(t: Floats, base: Pair, q: Pair, weight: Pair) -> tuple[Floats, Floats]:
    """Return the cubic w0 (p0-q0) p1(1-p1) + w1 (p1-q1) p0(1-p0) at t, and its slope."""
    (base0, base1), (q0, q1), (w0, w1) = base, q, weight
    p0, p1 = t + base0, t + base1
    r0, r1 = 1.0 - p0, 1.0 - p1
    off0, off1 = w0 * (p0 - q0), w1 * (p1 - q1)
    s0, s1 = p0 * r0, p1 * r1
    return off0 * s1 + off1 * s0, w0 * s1 + off0 * (r1 - p1) + w1 * s0 + off1 * (r0 - p0)


def log_e_two(block: Block, q0: Floats, q1: Floats, d: Floats, side: Floats) -> Floats:
    """Return the logarithm of the block e-variable of two arms; 0 where there is nothing to bet on.

    block is (n0, x0, n1, x1). side is +1 to bet against p1 - p0 <= d and -1 to bet against p1 - p0 >= d. A
    guess that lies inside the null it is meant to refute makes no bet: its e-value is 1.

    Example: 10 bad of 100 against 0 bad of 900, guess (.001, .1), d = 0, side = +1: log e = 17.9.
    """
    n0, x0, n1, x1 = block
    p0, p1 = project(q0, q1, n0, n1, d)
    log_e = (
        x1 * np.log(q1 / p1)
        + (n1 - x1) * np.log((1.0 - q1) / (1.0 - p1))
        + x0 * np.log(q0 / p0)
        + (n0 - x0) * np.log((1.0 - q0) / (1.0 - p0))
    )
    # 1e-7 of difference: below it the bet is worth nothing and the projection divides rounding by rounding
    result: Floats = np.where(side * (q1 - q0 - d) > 1e-7, log_e, 0.0)
    return result


def log_e_one(n: Floats, x: Floats, q: Floats, c: Floats, side: Floats) -> Floats:
    """Return the logarithm of the e-variable of one arm against a known rate c; 0 without a bet.

    e = (q/c)^x ((1-q)/(1-c))^(n-x), Wald's likelihood ratio. side is +1 to bet against p <= c and -1 to bet
    against p >= c: at the other points of the null the mean is smaller still, as the ratio is monotone in x.

    Example: 5 bad of 100, q = .05, c = .01: log e = 5 log 5 + 95 log(.95/.99) = 8.05 - 3.92 = 4.13.
    """
    safe = np.clip(c, 1e-12, 1.0 - 1e-12)
    log_e = x * np.log(q / safe) + (n - x) * np.log((1.0 - q) / (1.0 - safe))
    meant = (side * (q - c) > 1e-7) & (c > 0.0) & (c < 1.0)
    result: Floats = np.where(meant, log_e, 0.0)
    return result
