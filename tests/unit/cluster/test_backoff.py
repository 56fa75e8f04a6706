"""How long a container waits before it is started again."""

from __future__ import annotations

import pytest

from tests.cluster.agent.backoff import BackOff


def test_delays_double_up_to_the_limit() -> None:
    """The first restart is immediate, then the delay doubles up to 30 s."""
    backoff = BackOff(first_seconds=1)
    assert [backoff.after(ran_seconds=0.1) for _ in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("ran_seconds", "want"), [(59.9, 2), (60.0, 0)])
def test_a_long_run_forgives(ran_seconds: float, want: float) -> None:
    """After a minute's run the count begins anew."""
    backoff = BackOff(first_seconds=1)
    for _ in range(2):
        backoff.after(ran_seconds=0)
    assert backoff.after(ran_seconds) == want


def test_days_of_crashes_do_not_overflow() -> None:
    """The exponent is bounded."""
    backoff = BackOff(first_seconds=1)
    assert {backoff.after(ran_seconds=0) for _ in range(5000)} == {0, 1, 2, 4, 8, 16, 30}
