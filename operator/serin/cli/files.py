"""Manifests from files, folders and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from serin.cli.failure import Unusable
from serin.plugin.manifests import Document, Finding, documents

SUFFIXES = (".yaml", ".yml", ".json")


def read_manifests(names: Sequence[str]) -> tuple[list[Document], list[Finding]]:
    """All objects of the files, and a finding for each file that is no YAML. '-' is standard input.

    Raises:
        Unusable: a file cannot be read, or there is none.
    """
    found: list[Document] = []
    faults: list[Finding] = []
    for name, text in _texts(names):
        for one in documents(name, text):
            if isinstance(one, Document):
                found.append(one)
            else:
                faults.append(one)
    return found, faults


def _texts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not names:
        raise Unusable("no file is given", "name files or folders, or - for standard input")
    for name in names:
        if name == "-":
            yield "-", sys.stdin.read()
            continue
        path = Path(name)
        files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES) if path.is_dir() else [path]
        for file in files:
            try:
                yield str(file), file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Unusable(f"{file} cannot be read: {error}") from error
