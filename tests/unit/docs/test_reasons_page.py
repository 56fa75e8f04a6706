"""docs/reasons.md is generated, and current."""

from __future__ import annotations

import subprocess
import sys

from serin.api.reasons import Reason
from tests.unit.docs.pages import ROOT, anchors

SCRIPT = ROOT / "docs" / "reasons_page.py"


def test_the_page_is_current() -> None:
    """Run `python docs/reasons_page.py` after a change of a reason."""
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_reason_can_be_linked_to() -> None:
    """A message or a runbook may point to docs/reasons.md#notraffic."""
    assert {reason.lower() for reason in Reason} <= anchors(ROOT / "docs" / "reasons.md")
