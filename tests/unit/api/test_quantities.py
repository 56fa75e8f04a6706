"""Quantities: what is accepted, what it means, and that the CRDs accept the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from serin.api.quantities import (
    Fraction,
    FractionOrZero,
    Points,
    PointsOrZero,
    Quantity,
    Seconds,
    SecondsOrZero,
)

ALL = (Seconds, SecondsOrZero, Fraction, FractionOrZero, Points, PointsOrZero)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("300ms", 0.3),
        ("1.2s", 1.2),
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("24h", 86400),
        ("1m500ms", 60.5),
        ("5m3s", 303),
    ],
)
def test_a_duration_is_a_number_of_seconds(text: str, want: float) -> None:
    """Units add up; decimals are allowed because objectives are written as 1.2s."""
    assert Seconds(text).seconds == pytest.approx(want)


@pytest.mark.parametrize(("text", "want"), [("1%", 0.01), ("0.5%", 0.005), ("100%", 1.0), ("100.00%", 1.0)])
def test_a_percentage_is_a_share(text: str, want: float) -> None:
    """1% is 0.01."""
    assert Fraction(text).fraction == pytest.approx(want)


@pytest.mark.parametrize(("text", "want"), [("0.2pp", 0.002), ("1pp", 0.01), ("0.05pp", 0.0005)])
def test_points_are_a_difference_of_shares(text: str, want: float) -> None:
    """0.2pp is 0.002."""
    assert Points(text).fraction == pytest.approx(want)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Seconds, ""),
        (Seconds, "0s"),
        (Seconds, "0h0m"),
        (Seconds, "120"),
        (Seconds, "2 m"),
        (Seconds, "2m "),
        (Seconds, "2m\n"),
        (Seconds, "-2m"),
        (Seconds, "2d"),
        (Seconds, "2M"),
        (Seconds, ".5s"),
        (Seconds, "1.s"),
        (Seconds, "1e3s"),
        (Seconds, "٢s"),
        (Seconds, "1s1s1s1s1s"),
        (Seconds, "100000s"),
        (Fraction, "0%"),
        (Fraction, "0.00%"),
        (Fraction, "1"),
        (Fraction, "0.01"),
        (Fraction, "101%"),
        (Fraction, "100.1%"),
        (Fraction, "1 %"),
        (Fraction, "1pp"),
        (Points, "0pp"),
        (Points, "1%"),
        (Points, "1p"),
        (Points, "0.00001pp"),
    ],
)
def test_what_is_refused_is_told_what_to_write(kind: type[Quantity], text: str) -> None:
    """The message names what is accepted, with examples."""
    with pytest.raises(ValueError, match=r"^must be .* such as "):
        kind(text)


@pytest.mark.parametrize("zero", [SecondsOrZero("0s"), FractionOrZero("0%"), PointsOrZero("0pp")])
def test_zero_is_accepted_where_it_means_something(zero: Quantity) -> None:
    """A warm-in, a share of stable and a tolerance can be none."""
    assert float(getattr(zero, "seconds", 0) or getattr(zero, "fraction", 0)) == 0


def test_the_text_stays_as_it_was_written() -> None:
    """A quantity goes back into YAML unchanged."""
    adapter = TypeAdapter(Seconds)
    assert adapter.dump_python(adapter.validate_python("90m")) == "90m"


_TEXTS = st.one_of(
    st.text(alphabet="0123456789.hmspp% ", max_size=14),
    st.from_regex(r"([0-9]{1,6}(\.[0-9]{1,4})?(h|m|s|ms)){1,5}", fullmatch=True),
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,5})?(%|pp)", fullmatch=True),
    st.text(max_size=40),
)


def _crd_accepts(kind: type[Quantity], text: str) -> bool:
    """What the generated schema says, read as an API server does: RE2 searches, `$` is the very end."""
    schema = TypeAdapter(kind).json_schema()
    (rule,) = schema["x-kubernetes-validations"]
    patterns = [schema["pattern"], *re.findall(r"self\.matches\('(.*?)'\)", rule["rule"])]
    patterns = [pattern.replace("\\\\", "\\").replace("$", r"\Z") for pattern in patterns]
    return len(text) <= schema["maxLength"] and all(re.search(pattern, text) for pattern in patterns)


@pytest.mark.parametrize("kind", ALL)
@given(text=_TEXTS)
@example(text="2m\n")
@example(text="0s")
@example(text="100%")
@example(text="0" * 33 + "s")
def test_models_and_crds_accept_the_same(kind: type[Quantity], text: str) -> None:
    """There is one accept set, whoever is asked."""
    assert kind.accepts(text) == _crd_accepts(kind, text)


@given(st.integers(min_value=1, max_value=99999 * 3600 * 1000))
def test_a_number_of_seconds_has_a_text(milliseconds: int) -> None:
    """`of` gives a text that reads back as the same number."""
    assert Seconds.of(milliseconds / 1000).seconds == pytest.approx(milliseconds / 1000)


@given(st.from_regex(r"([0-9]{1,5}(\.[0-9]{1,3})?(h|m|s|ms)){1,2}", fullmatch=True).filter(Seconds.accepts))
def test_every_accepted_duration_is_above_zero(text: str) -> None:
    """No deadline and no soak can be nothing."""
    assert Seconds(text).seconds > 0
