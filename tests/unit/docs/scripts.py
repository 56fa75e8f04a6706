"""The scripts in docs/, which are no package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.unit.docs.pages import ROOT


def script(name: str) -> ModuleType:
    """docs/<name>.py, loaded once."""
    key = f"docs_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, ROOT / "docs" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]
