"""State as text, and many gates at once: the same state either way, to the last bit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Block, ConstantSettings, ConstantTest, Counts, RateSettings, RateTest, process, update_many

SETTINGS = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60)


def random_block(rng: np.random.Generator) -> Block:
    """Return a block of a size between nothing and ten million, at any rates."""
    n0, n1 = (int(10 ** rng.uniform(-1, 7)) for _ in range(2))
    x0, x1 = (int(rng.binomial(n, rng.uniform(0, rng.choice([0.01, 1])))) for n in (n0, n1))
    return Block(Counts(n0, x0), Counts(n1, x1), float(rng.choice([0, 0.1, 14.987, 3600])))


@given(st.integers(0, 2**32), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_json_is_a_fixed_point(seed: int, length: int) -> None:
    """Reading what was written gives an equal test, the same text, the same evidence, and the same future."""
    rng = np.random.default_rng(seed)
    rate, constant = RateTest(SETTINGS, Counts(1234, 5)), ConstantTest(ConstantSettings(maximum=0.01))
    for _ in range(length):
        block = random_block(rng)
        rate = rate.update(block.stable, block.candidate, block.seconds)
        constant = constant.update(block.candidate, block.seconds)
    rate_again, constant_again = (
        RateTest.from_json(rate.to_json()),
        ConstantTest.from_json(constant.to_json()),
    )
    assert rate_again == rate
    assert hash(rate_again) == hash(rate)
    assert rate_again.to_json() == rate.to_json()
    assert rate_again.evidence == rate.evidence
    assert constant_again == constant
    assert constant_again.to_json() == constant.to_json()
    block = random_block(rng)
    args = (block.stable, block.candidate, block.seconds)
    assert rate_again.update(*args).to_json() == rate.update(*args).to_json()


def test_no_state_is_larger_than_two_kilobytes() -> None:
    """A state with the longest number that each place can hold is under 2 KB of JSON and reads back as it was."""
    long = RateSettings(
        alpha=0.0123456789012345, beta=0.0512345678901234, margin=0.0123456789012345, tolerance=1 / 300,
        soak_seconds=1234567.890123456, overdispersion=1.2345678901234567,
    )  # fmt: skip
    row = RateTest(long).row.copy()
    row[process.TOTAL] = row[process.OPEN] = 2.0**53
    row[process.HISTORY] = (1234567890123.1234, 123456789012.12345)
    row[process.SECONDS], row[process.SECONDS_CLOSED] = 1234567890.1234567, 1234567889.1234567
    row[process.BLOCKS] = 2.0**53
    for columns in (process.FAIL, process.PASS, process.AT_MOST, process.AT_LEAST):
        row[columns] = -699.999999
    text = RateTest(long).with_row(row).to_json()
    assert len(text.encode()) < 2000
    assert RateTest.from_json(text).to_json() == text


def test_replay_gives_the_same_bytes() -> None:
    """The same blocks give the same text, also with a restart, from text, after every block."""
    rng = np.random.default_rng(4)
    blocks = [random_block(rng) for _ in range(50)]
    straight = restarted = RateTest(SETTINGS, Counts(1234, 5))
    for block in blocks:
        straight = straight.update(block.stable, block.candidate, block.seconds)
        restarted = RateTest.from_json(restarted.to_json())
        restarted = restarted.update(block.stable, block.candidate, block.seconds)
    assert restarted.to_json() == straight.to_json()


def test_many_equal_one_by_one() -> None:
    """300 tests of both kinds, updated together, equal those updated alone, bit by bit."""
    rng = np.random.default_rng(5)
    together: list[RateTest | ConstantTest] = []
    for i in range(300):
        phi = float(rng.uniform(1, 3))
        if i % 3:
            margin = float(10 ** rng.uniform(-4, -1))
            given_settings = RateSettings(margin=margin, tolerance=margin / 4, overdispersion=phi)
            together.append(RateTest(given_settings, Counts(int(rng.integers(0, 10**5)), 0)))
        else:
            together.append(ConstantTest(ConstantSettings(maximum=float(rng.uniform(0.001, 0.5)), overdispersion=phi)))
    alone = list(together)
    for _ in range(8):
        blocks = [random_block(rng) for _ in together]
        together = update_many(together, blocks)
        alone = [
            test.update(b.stable, b.candidate, b.seconds)
            if isinstance(test, RateTest)
            else test.update(b.candidate, b.seconds)
            for test, b in zip(alone, blocks, strict=True)
        ]
    assert together == alone
    assert [test.to_json() for test in together] == [test.to_json() for test in alone]
    assert [test.evidence for test in together] == [test.evidence for test in alone]


def test_many_of_none() -> None:
    """No tests and no blocks are no tests."""
    assert update_many([], []) == []


def test_as_many_blocks_as_tests() -> None:
    """A missing block is an error, not a guess."""
    with pytest.raises(ValueError, match="blocks must be as many"):
        update_many([RateTest(SETTINGS)], [])


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), None])
def test_impossible_block(seconds: object) -> None:
    """A block checks its seconds."""
    with pytest.raises(ValueError, match="seconds"):
        Block(Counts(), Counts(), seconds)  # type: ignore[arg-type]


def changed(**changes: Any) -> str:
    """Return a state with some keys changed; None removes one."""
    state = json.loads(RateTest(SETTINGS).update(Counts(900, 1), Counts(100, 9), 15).to_json())
    state.update(changes)
    return json.dumps({key: value for key, value in state.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", "JSON"),
        ("[]", "JSON object"),
        ("null", "JSON object"),
        ("{}", "with v"),
        (changed(v=2), "v must be 1, got 2"),
        (changed(kind="constant"), "kind"),
        (changed(k=None), "keys"),
        (changed(more=1), "keys"),
        (changed(k=-1), "k must not be negative"),
        (changed(k=True), "k must be a number"),
        (changed(n=[900, 1, 100]), "n must be a list of 4"),
        (changed(n=[900, 901, 100, 9]), "bad=901"),
        (changed(n=[900, float("nan"), 100, 9]), "n must be a finite"),
        (changed(open=[901, 0, 0, 0]), "open must not exceed n"),
        (changed(hist=[1, 2]), "hist"),
        (changed(sec=[1, 2]), "sec"),
        (changed(seen=[0, 2]), "seen"),
        (changed(fail=[0.5] * 9), "fail must be whole millionths"),
        (changed(fail=[701_000_000] * 9), "fail must be whole millionths"),
        (changed(**{"pass": [0, 0]}), "pass must be a list of 3"),
        (changed(set=[0, 0.05, 0.01, 0.0025, 60, 1.25, 0.0025]), "alpha"),
        (changed(set=[0.01, 0.05, 0.01, 0.0025, 60, 1.25, 0]), "grid scale"),
    ],
)
def test_impossible_state(text: str, want: str) -> None:
    """A text that no test can have written is a ValueError that says why, never a test."""
    with pytest.raises(ValueError, match=want):
        RateTest.from_json(text)


def test_kinds_are_not_mixed_up() -> None:
    """The state of one kind of test is refused by the other."""
    with pytest.raises(ValueError, match="kind must be 'constant', got 'rate'"):
        ConstantTest.from_json(RateTest(SETTINGS).to_json())
