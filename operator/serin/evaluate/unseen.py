"""What rows that nobody saw may hide: n rows without an error do not say that there is none.

With a share (alpha/2)^(1/n) of rows as good as those seen, n of them had been so with probability alpha/2 even if all
others were as bad as can be (C. Clopper, E. Pearson, Biometrika 26, 1934, for 0 of n). The rest is the unseen share. It
falls with the rows and is never 0, so where a measure has a worst value nothing shows that it has its best one.
"""

from __future__ import annotations

import math


def unseen_share(rows: int, confidence: float) -> float:
    """The share of all rows, in (0, 1), of which `rows` rows, at least 1, say nothing: 1 - (alpha/2)^(1/rows).

    >>> round(unseen_share(150, 0.95), 4)
    0.0243
    """
    return -math.expm1(math.log((1 - confidence) / 2) / rows)


def rows_to_see(share: float, confidence: float) -> int:
    """The fewest rows of which the unseen share is at most `share`, in (0, 1).

    >>> rows_to_see(0.001, 0.95), unseen_share(3688, 0.95) <= 0.001 < unseen_share(3687, 0.95)
    (3688, True)
    """
    return max(math.ceil(math.log((1 - confidence) / 2) / math.log1p(-share)), 1)
