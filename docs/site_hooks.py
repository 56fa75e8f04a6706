"""What the site needs besides the pages: links that leave docs/, and a table of contents that misses no page.

Pages link to files of the repository as a forge wants it (`../manifests/samples/policy.yaml`). On the site such a file
has a page of its own below `repository/`: Markdown as it stands, everything else as a listing, a folder as a list.
"""  # noqa: INP001 - hooks of mkdocs, not a package

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OUTSIDE = "repository"

_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*\bhref="(?:https?:)?//"""
    r"""|class="mermaid\b"""  # diagrams of that kind are drawn by a script that the theme fetches
)
_ITEM = re.compile(r"(?:-|\d+\.) ")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".lua": "lua", ".toml": "toml"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the table of contents: stars, pages that are not there yet, pages that nobody named."""
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    named = {one for one in _names(config.nav or []) if "*" not in one}
    nav = _filled(config.nav or [], pages, named)
    more = sorted(pages - set(_names(nav)))
    config.nav = [*nav, {"More": more}] if more else nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside of docs/, and what is linked from there."""
    waiting = [DOCS / file.src_uri for file in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for target in _targets(page):
            uri = _uri(target)
            if target.exists() and files.get_file_from_path(uri) is None:
                files.append(_file(config, uri, target))
                waiting += [target] if target.is_dir() or target.suffix == ".md" else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let links that leave docs/ lead to the page that stands for the file."""
    source = _source(page.file.src_uri)
    here = os.path.dirname(page.file.src_uri)  # noqa: PTH120 - an address, not a file

    def moved(found: re.Match[str]) -> str:
        path, mark, anchor = found[2].partition("#")
        target = (source.parent / path).resolve()
        if not path or "://" in path or not target.exists():
            return found[0]
        return f"{found[1]}{os.path.relpath(_uri(target), here or '.')}{mark}{anchor}{found[3]}"

    markdown = "\n".join(_spaced(markdown.splitlines()))
    # Words between code only: every other part is a fence or a span.
    parts = _CODE.split(markdown)
    return "".join(one if index % 2 else _LINK.sub(moved, one) for index, one in enumerate(parts))


def _spaced(lines: list[str]) -> Iterator[str]:
    """Put a blank line before a list that follows a paragraph, as forges read it and Python-Markdown does not."""
    fenced, before = False, ""
    for line in lines:
        fenced ^= line.lstrip().startswith("```")
        if not fenced and _ITEM.match(line) and before and not (before[0] in " |#" or _ITEM.match(before)):
            yield ""
        yield line
        before = line


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Refuse a page that loads anything from elsewhere.

    Raises:
        PluginError: it does.
    """
    loaded = _LOADED.search(output)
    if loaded is not None:
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {loaded[0]}")
    return output


def _targets(page: Path) -> Iterator[Path]:
    if page.is_dir():
        yield from _listed(page)
        return
    for _, link, _ in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        path = link.partition("#")[0]
        if path and "://" not in path:
            yield (page.parent / path).resolve()


def _listed(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith("."))


def _uri(target: Path) -> str:
    """The source of a file's page on the site."""
    inside = target.is_relative_to(DOCS)
    uri = target.relative_to(DOCS if inside else ROOT).as_posix()
    uri = uri if inside else f"{OUTSIDE}/{uri}"
    if target.is_dir():
        return f"{uri}/index.md"
    return uri if inside or target.suffix == ".md" else f"{uri}.md"


def _source(uri: str) -> Path:
    """The file of the repository that a page's links are relative to."""
    return ROOT / uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(f"{OUTSIDE}/") else DOCS / uri


def _file(config: MkDocsConfig, uri: str, target: Path) -> File:
    name = target.relative_to(ROOT).as_posix()
    if target.is_dir():
        entries = "".join(
            f"- `{one.name}`\n" for one in sorted(target.iterdir()) if not one.name.startswith((".", "_"))
        )
        return File.generated(config, uri, content=f"# {name}\n\n{entries}")
    text = target.read_text(encoding="utf-8")
    if target.suffix == ".md":
        return File.generated(config, uri, content=text)
    fence = "`" * 6
    return File.generated(
        config, uri, content=f"# {name}\n\n{fence}{_LANGUAGES.get(target.suffix, 'text')}\n{text}\n{fence}\n"
    )


def _names(nav: list[Any]) -> Iterator[str]:
    for item in nav:
        for entry in item.values() if isinstance(item, dict) else [item]:
            yield from _names(entry) if isinstance(entry, list) else [entry]


def _filled(nav: list[Any], pages: set[str], named: set[str]) -> list[Any]:
    filled: list[Any] = []
    for item in nav:
        if isinstance(item, str) and item.endswith("*"):
            filled += sorted(page for page in pages - named if page.startswith(item[:-1]))
        elif isinstance(item, str):
            filled += [item] if item in pages else []
        else:
            ((title, entry),) = item.items()
            inside = _filled(entry if isinstance(entry, list) else [entry], pages, named)
            if inside:
                filled.append({title: inside if isinstance(entry, list) else inside[0]})
    return filled
