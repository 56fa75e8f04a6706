"""One block against one null: the e-variable of two Bernoulli streams, and the point it is measured at.

A block is n0 requests of stable with x0 bad ones and n1 of the candidate with x1. A guess (q0, q1), made
before the block, is compared with the null hypothesis whose edge is the line p1 = p0 + d:

    e = q0^x0 (1-q0)^(n0-x0) q1^x1 (1-q1)^(n1-x1)  /  the same at (p0*, p1*)

where (p0*, p1*) is the point of the null nearest to the guess in n0 KL(q0||p0) + n1 KL(q1||p1). The mean of e
is at most 1 at every point of the null. For one request of an arm the mean of q/p* at rate p is 1 + c (p -
p*) with c = (q - p*) / (p* (1 - p*)), and "nearest" means n0 c0 + n1 c1 = 0. So t further along the line

    log mean = n0 log(1 + c0 t) + n1 log(1 + c1 t) <= (n0 c0 + n1 c1) t = 0,

and off the line, deeper in the null, it is smaller still. This is the block e-variable of Turner, Ly and
Gruenwald, https://arxiv.org/abs/2106.02693v3, for the lines of Turner and Gruenwald,
https://arxiv.org/abs/2203.09785. `tests/unit/stats/test_projection.py` adds up the mean over every outcome of
small blocks.

Everything here works on arrays that broadcast; each element is computed by itself, so that one gate and a
thousand gates get the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_e_one", "log_e_two", "project"]

Floats = NDArray[np.float64]
Block = tuple[Floats, Floats, Floats, Floats]

# Newton needs 4 to 8 steps on ordinary blocks and at most 20 on the 10^5 hard cases of test_projection.py. The
# limit only bounds the loop.
_STEPS_MAX = 100


def project(q0: Floats, q1: Floats, n0: Floats, n1: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Return (p0, p1), the point of the line p1 = p0 + d nearest to the guess (q0, q1).

    Args (arrays of one shape, or scalars that broadcast):
        q0, q1: the guessed rates, strictly between 0 and 1.
        n0, n1: requests in the block, above 0.
        d: the difference that defines the line, strictly between -1 and 1.

    The root of  n0 (p0-q0) / (p0 (1-p0)) + n1 (p1-q1) / (p1 (1-p1)) = 0,  which is the derivative of a convex
    function along the line, so there is one. We multiply by p0 (1-p0) p1 (1-p1) and solve the cubic that is
    left,
    in t, the smaller of the two rates: with e = |d|, f = 1 - e, the smaller rate's guess a and weight v, the
    other's guess b and weight w (v + w = 1) and g = b - e it is

        v (t-a) (t+e) (f-t) + w (t-g) t (1-t)
          = -v a e f  +  (v (e f - a (f-e)) - w g) t  +  (v (f-e+a) + w (1+g)) t^2  -  t^3.

    So a rate of 1e-12 keeps its digits, and near 0, where the derivative has a pole, the cubic is nearly
    straight.

    Example: q0 = .01, q1 = .05, n0 = 90, n1 = 10, d = .01 gives p0 = .01171, p1 = .02171.
    """
    q0, q1, n0, n1, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (q0, q1, n0, n1, d)))
    candidate_less = d < 0.0
    e = np.abs(d)
    a, b = np.where(candidate_less, q1, q0), np.where(candidate_less, q0, q1)
    v = np.where(candidate_less, n1, n0) / (n0 + n1)
    w = np.where(candidate_less, n0, n1) / (n0 + n1)
    f, g = 1.0 - e, b - e
    cubic = (-v * a * e * f, v * (e * f - a * (f - e)) - w * g, v * (f - e + a) + w * (1.0 + g))
    # Each arm alone would like t to be at its guess: the root lies between the two.
    t = _root(cubic, np.maximum(np.minimum(a, g), 0.0), np.minimum(np.maximum(a, g), f))
    return np.where(candidate_less, t + e, t), np.where(candidate_less, t, t + e)


def _root(cubic: tuple[Floats, Floats, Floats], low: Floats, high: Floats) -> Floats:
    """Return the root of c0 + c1 t + c2 t^2 - t^3 in [low, high], negative at low and positive at high.

    Newton's method, started where the chord crosses 0, halving the bracket whenever it would leave it.
    Elements that have converged are put aside, so what the others need does not touch them.
    """
    shape = low.shape
    c0, c1, c2, low, high = (np.ravel(array) for array in (*cubic, low, high))
    at_low, at_high = (c0 + t * (c1 + t * (c2 - t)) for t in (low, high))
    open_ = (low < high) & (at_low < 0.0) & (at_high > 0.0)
    result = np.where((low < high) & (at_high <= 0.0), high, low)
    place = np.flatnonzero(open_)
    c0, c1, c2, low, high = (array[open_] for array in (c0, c1, c2, low, high))
    t = low - at_low[open_] * (high - low) / (at_high - at_low)[open_]
    for _ in range(_STEPS_MAX):
        value = c0 + t * (c1 + t * (c2 - t))
        slope = c1 + t * (2.0 * c2 - 3.0 * t)
        low = np.where(value < 0.0, t, low)
        high = np.where(value > 0.0, t, high)
        new = t - value / np.where(slope == 0.0, 1.0, slope)
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        new = np.where(value == 0.0, t, new)
        moving = np.abs(new - t) > 1e-12 * new
        result[place] = t = new
        if not moving.any():
            break
        place = place[moving]
        c0, c1, c2, low, high, t = (array[moving] for array in (c0, c1, c2, low, high, t))
    root: Floats = result.reshape(shape)
    return root


def log_e_two(block: Block, q0: Floats, q1: Floats, d: Floats, side: Floats) -> Floats:
    """Return the logarithm of the block e-variable of two arms; 0 where there is nothing to bet on.

    block is (n0, x0, n1, x1). side is +1 to bet against p1 - p0 <= d and -1 to bet against p1 - p0 >= d. A
    guess that lies inside the null it is meant to refute makes no bet: its e-value is 1.

    Example: 10 bad of 100 against 0 bad of 900, guess (.001, .1), d = 0, side = +1: log e = 22.63.
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
