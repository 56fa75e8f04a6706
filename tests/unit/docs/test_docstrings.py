"""The examples in docstrings are true: one that nobody runs is wrong within a month."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "operator"
EXAMPLES = [path for path in sorted(SOURCES.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.relative_to(SOURCES).as_posix())
def test_the_examples_of_a_module_are_true(path: Path) -> None:
    """Run as they stand."""
    module = importlib.import_module(".".join(path.relative_to(SOURCES).with_suffix("").parts))
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
