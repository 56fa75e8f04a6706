"""Requests that the candidate should have answered: a candidate that hangs is found by what is missing.

Requests that hang are never counted, so they are no evidence for a test of counts. But stable's count and the weights
say how many there must have been.
"""

from __future__ import annotations

import math
from dataclasses import replace

from serin.metrics.reading import Reading
from serin.rollout.state import Attempt

# Six times the default `gatewayReloadSeconds`. At weight 10 it costs a tenth of the users so long a wait where
# a candidate hangs and no caller gives up before.
UNREACHED_SECONDS_MAX = 30.0

EXPECTED_REQUESTS_MIN = 50.0
SEEN_SHARE_MIN = 0.2

# exp(-25) is 1 in 7 x 10^10: room for requests that come in bursts, and for a look every few seconds.
UNANSWERED_LOG_ODDS = 25.0


def expect(attempt: Attempt, reading: Reading, weight: int) -> Attempt:
    """Keep the books on requests that the candidate should have answered.

    With 90 of 100 requests seen at stable and a weight of 10, 90 x 10 / 90 = 10 are expected. Only intervals that lie
    wholly after the weight took effect count: 25 requests of stable from before a step from 50 to 95 percent would
    make 475 that never were. The books are closed whenever 50 were expected and enough of them seen, so that a
    candidate that hangs late is found as fast as one that hangs from the start.

    They are opened when a first request has surely come to the candidate, else `UNREACHED_SECONDS_MAX` after its weight
    left 0: a gateway on a busy machine may act on a weight much later than it usually does, and a candidate that nobody
    asks does not hang.
    """
    expected = attempt.expected + reading.stable_requests * weight / (100 - weight)
    seen = attempt.seen + reading.candidate_requests
    if expected >= EXPECTED_REQUESTS_MIN and seen >= SEEN_SHARE_MIN * expected:
        expected = seen = 0.0
    return replace(attempt, expected=expected, seen=seen)


def unanswered(attempt: Attempt, weight: int) -> bool:
    """Whether requests surely went to the candidate and were not answered.

    At least 50 expected and fewer than 20 % of them seen, and that not by chance: of n counted requests each is the
    candidate's with the weight as its probability, so seeing k or fewer has a probability of at most
    exp(-n KL(k/n || weight)) (Chernoff). At weight 10 with 450 of stable and 5 seen n KL is 33: out of the question. In
    bake at 95 % with a holdback of 5 %, 4 of stable and 11 seen make 76 expected; that is 4.6, one look in a hundred.
    """
    if not 0 < weight < 100 or attempt.expected < EXPECTED_REQUESTS_MIN:
        return False
    if attempt.seen >= SEEN_SHARE_MIN * attempt.expected:
        return False
    share = weight / 100
    counted = attempt.expected * (1 - share) / share + attempt.seen
    found = attempt.seen / counted
    divergence = (found * math.log(found / share) if found else 0.0) + (1 - found) * math.log((1 - found) / (1 - share))
    return counted * divergence >= UNANSWERED_LOG_ODDS
