"""Sequential tests on counts: numbers in, evidence out.

What belongs here: comparing a candidate's requests with stable's or with a constant, merging the evidence of
    many gates, and planning. What never does: a clock, randomness, I/O, Kubernetes, or anything else of
    Serin.

The public surface is what this file exports. All records are frozen; a test is updated by making a new one.
"""

from serin.stats.batch import Block, update_many
from serin.stats.constant import ConstantSettings, ConstantTest
from serin.stats.counts import Counts
from serin.stats.evidence import Evidence, Verdict
from serin.stats.margin import Margin, freeze_margin
from serin.stats.merge import Combined, combine
from serin.stats.overdispersion import Overdispersion, overdispersion
from serin.stats.planning import Plan, least_margin, plan, remaining
from serin.stats.ramp import largest_share
from serin.stats.rate import RateSettings, RateTest

__all__ = [
    "Block",
    "Combined",
    "ConstantSettings",
    "ConstantTest",
    "Counts",
    "Evidence",
    "Margin",
    "Overdispersion",
    "Plan",
    "RateSettings",
    "RateTest",
    "Verdict",
    "combine",
    "freeze_margin",
    "largest_share",
    "least_margin",
    "overdispersion",
    "plan",
    "remaining",
    "update_many",
]
