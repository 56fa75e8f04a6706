"""What is not the API server's own word is told by its first line."""

from __future__ import annotations

import pytest

from serin.cli.failure import NotInstalled, Unreachable
from serin.cli.refusals import failure_of, status_of


@pytest.mark.parametrize("page", ["<html>bad gateway</html>", "[1]", "[" * 5000])
def test_an_answer_that_is_no_status_is_told_by_what_it_begins_with(page: str) -> None:
    """A proxy answers what it likes, and brackets without end, too, are a failure with words and no traceback."""
    failure = failure_of(502, status_of(page.encode() + b"\nmore"), "modeldeployments", "ml", "iris")
    assert isinstance(failure, Unreachable)
    assert f"the API server answered 502: {page[:200]}" in str(failure)
    assert "more" not in str(failure)


@pytest.mark.parametrize("details", [["iris"], "iris", 7, None])
def test_a_status_whose_details_are_no_object_names_nothing(details: object) -> None:
    """As a proxy makes them; then it is the kind that is not there."""
    found = failure_of(404, {"details": details}, "modeldeployments", "ml", "iris")
    assert isinstance(found, NotInstalled)
