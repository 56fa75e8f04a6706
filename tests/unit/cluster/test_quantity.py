"""Kubernetes quantities."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.cluster.agent.quantity import parse


@pytest.mark.parametrize(
    ("text", "want"),
    [("1", "1"), ("250m", "0.25"), ("1k", "1000"), ("1Ki", "1024"), ("1.5Gi", "1610612736"), ("1e3", "1000"), (2, "2")],
)
def test_parse(text: str | int, want: str) -> None:
    """Decimal and binary suffixes, exponents and plain numbers."""
    assert parse(text) == Decimal(want)


@pytest.mark.parametrize("text", ["", "1KB", "Mi", "1 Gi", "m1", "1i"])
def test_refused(text: str) -> None:
    """Anything else is an error."""
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        parse(text)
