"""What the package exports, what it must not import, and the examples of its page."""

from __future__ import annotations

import dataclasses
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import serin.stats


def test_exported_names() -> None:
    """The public surface changes only on purpose."""
    assert serin.stats.__all__ == [
        "Block", "Combined", "ConstantSettings", "ConstantTest", "Counts", "Evidence", "Margin",
        "Overdispersion", "Plan", "RateSettings", "RateTest", "Verdict", "combine", "freeze_margin",
        "largest_share", "least_margin", "overdispersion", "plan", "remaining", "update_many",
    ]  # fmt: skip


RECORDS = [name for name in serin.stats.__all__ if name[0].isupper() and name != "Verdict"]


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_frozen(name: str) -> None:
    """Every exported class is a frozen dataclass with slots."""
    record = getattr(serin.stats, name)
    assert record.__dataclass_params__.frozen
    assert "__dict__" not in dir(record)
    assert dataclasses.is_dataclass(record)


def test_documentation() -> None:
    """The examples of docs/statistics.md are true."""
    page = Path(__file__).parents[3] / "docs" / "statistics.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0


def test_light_imports() -> None:
    """Importing the package brings in numpy, but neither scipy nor anything that could do input or output."""
    program = "import serin.stats, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"scipy", "requests", "kopf", "kubernetes", "asyncio", "pydantic"} & set(loaded)
