"""When a status is worth a write."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serin.controller.freshness import due_seconds

Json = dict[str, Any]
INTERVAL = 30.0


def status() -> Json:
    """A status with one of everything that is compared."""
    return {
        "observedGeneration": 3,
        "phase": "Serving",
        "url": "http://iris.example.com/",
        "stable": {"revision": "iris-1-aaaaa", "version": "1", "slot": "a"},
        "replicas": 1,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Serving", "message": "serves"},
            {"type": "Promoted", "status": "True", "reason": "Promoted", "message": "is stable"},
        ],
    }


def changed(change: Callable[[Json], object]) -> Json:
    """The status with a change."""
    new = copy.deepcopy(status())
    change(new)
    return new


def test_a_status_that_says_the_same_is_not_written() -> None:
    """Whatever its age, and in whatever order its conditions stand."""
    assert due_seconds(status(), status(), 1e9, INTERVAL) is None
    assert due_seconds(status(), changed(lambda new: new["conditions"].reverse()), 1e9, INTERVAL) is None


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("another phase", lambda new: new.update(phase="Stalled")),
        ("another generation", lambda new: new.update(observedGeneration=4)),
        ("a condition's status", lambda new: new["conditions"][0].update(status="False")),
        ("one condition more", lambda new: new["conditions"].append({"type": "Stalled", "status": "True"})),
        ("another stable", lambda new: new["stable"].update(revision="iris-2-bbbbb")),
        ("a weight", lambda new: new.update(rollout={"weight": 10})),
        ("a state that cannot be read", lambda new: new.update(stable={"slot": "a"})),
    ],
)
def test_news_is_written_at_once(sentence: str, change: Callable[[Json], object]) -> None:
    """What somebody waits for, or what must be stored before it is done."""
    assert due_seconds(status(), changed(change), 0.0, INTERVAL) == 0.0, sentence


def test_a_reason_waits_for_a_sixth_of_the_interval() -> None:
    """It may flicker while pods start."""
    new = changed(lambda new: new["conditions"][0].update(reason="NotReady"))
    assert due_seconds(status(), new, 1.0, INTERVAL) == 4.0
    assert due_seconds(status(), new, 6.0, INTERVAL) == 0.0


@pytest.mark.parametrize("field", ["url", "replicas", "address", "selector"])
def test_a_number_or_a_message_waits_for_the_interval(field: str) -> None:
    """A thousand rollouts that count requests must not write a thousand times a reading."""
    new = changed(lambda new: new.update({field: "other"}))
    assert due_seconds(status(), new, 10.0, INTERVAL) == 20.0
    assert due_seconds(status(), new, 31.0, INTERVAL) == 0.0
    words = changed(lambda new: new["conditions"][0].update(message="serves, 12 requests"))
    assert due_seconds(status(), words, 10.0, INTERVAL) == 20.0


def test_the_first_status_is_written_at_once() -> None:
    """The API server's own says only that nobody has looked."""
    assert due_seconds({"observedGeneration": -1}, status(), 0.0, INTERVAL) == 0.0
