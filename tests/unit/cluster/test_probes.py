"""What a row of probe answers makes of a container."""

from __future__ import annotations

import pytest

from tests.cluster.agent.probes import Timing, Tracker, port_of

GOOD, BAD = True, False


def tracker(begins: bool | None, *, success: int = 1, failure: int = 3) -> Tracker:
    """A tracker with these thresholds."""
    return Tracker(Timing.of({"successThreshold": success, "failureThreshold": failure}), begins)


@pytest.mark.parametrize(
    ("begins", "success", "failure", "answers", "want"),
    [
        # readiness: begins unready, one success is enough, three failures in a row to lose it
        (False, 1, 3, [GOOD], True),
        (False, 1, 3, [BAD], False),
        (False, 1, 3, [GOOD, BAD, BAD], True),
        (False, 1, 3, [GOOD, BAD, BAD, BAD], False),
        (False, 1, 3, [GOOD, BAD, BAD, GOOD, BAD, BAD], True),
        (False, 2, 1, [GOOD, BAD, GOOD], False),
        (False, 2, 1, [GOOD, GOOD], True),
        # liveness: begins alive
        (True, 1, 1, [], True),
        (True, 1, 1, [BAD], False),
        (True, 1, 3, [BAD, BAD], True),
        # start-up: neither, until one threshold is met
        (None, 1, 3, [BAD, BAD], None),
        (None, 1, 3, [BAD, BAD, GOOD], True),
        (None, 1, 3, [BAD, BAD, BAD], False),
    ],
)
def test_state_after(begins: bool | None, success: int, failure: int, answers: list[bool], want: bool | None) -> None:
    """The state changes after as many equal answers in a row as its threshold says."""
    probe = tracker(begins, success=success, failure=failure)
    for answer in answers:
        probe.observe(answer)
    assert probe.state is want


def test_a_change_is_told_once() -> None:
    """Only the answer that changes the state says so."""
    probe = tracker(False)
    assert [probe.observe(answer) for answer in (GOOD, GOOD, BAD, BAD, BAD, BAD)] == [
        *(True, False),
        *(False, False, True, False),
    ]


def test_defaults_are_the_api_servers() -> None:
    """A probe that says nothing asks every 10 s, waits 1 s, and believes the third failure."""
    assert Timing.of({}) == Timing(0, 10, 1, 1, 3)


def test_ports_by_number_and_name() -> None:
    """A probe may name the port as the container does."""
    container = {"ports": [{"name": "http", "containerPort": 8080}]}
    assert (port_of("http", container), port_of(9000, container), port_of("9001", container)) == (8080, 9000, 9001)
