"""The Helm that renders the chart is the pinned one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import gobuild
from tests.unit.charts import helm


def test_the_pin_and_the_go_module_agree() -> None:
    """The version in the cache's path is the one that `go build` builds."""
    text = (Path(gobuild.__file__).parent / "gomod" / helm.TOOL.module / "go.mod").read_text()
    assert f"tool {helm.TOOL.package}\n" in text
    assert f"helm.sh/helm/v4 v{helm.VERSION} " in text


def test_it_says_the_version_that_was_built() -> None:
    """The stamp names a variable that there is; a wrong one is passed over in silence."""
    assert helm.helm("version", "--short").stdout.strip() == f"v{helm.VERSION}"


@pytest.mark.parametrize(
    ("says", "fits"), [("v4.1.4", True), ("v4.1.0+g0123abc", True), ("v4.2.4", False), ("v3.19.4", False), ("", False)]
)
def test_only_the_same_minor_version_of_another_place_is_used(tmp_path: Path, says: str, fits: bool) -> None:
    """What is rendered is compared byte for byte."""
    other = tmp_path / "helm"
    other.write_text(f"#!/bin/sh\necho '{says}'\n")
    other.chmod(0o755)
    assert helm._fits(other) == fits
