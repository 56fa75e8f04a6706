"""--rewrite regenerates the transcripts. Read the diff as a change of behaviour before committing it."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what the core decides now into the transcripts")
