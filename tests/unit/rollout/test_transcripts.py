"""Whole rollouts as text: testdata/*.txt holds what was given and, in full, what the core decided.

Only commit a change of a transcript if you understand what caused it. To regenerate them:
    pytest tests/unit/rollout --rewrite
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rollout.transcript import replayed, transcripts

FOLDER = Path(__file__).parent / "testdata"


@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_a_rollout_goes_as_its_transcript_says(path: Path, request: pytest.FixtureRequest) -> None:
    before = path.read_text(encoding="utf-8")
    after = replayed(before)
    if request.config.getoption("--rewrite", default=False):
        path.write_text(after, encoding="utf-8")
    else:
        assert after == before
