"""A link that leads nowhere is worse than none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, anchors, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """To a file or folder of the repository, and to a heading where one is named."""
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Links of links count; the folder of decisions is linked as a whole."""
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        found = ((page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link)
        for target in found:
            waiting += [target] if target.suffix == ".md" else list(target.glob("*.md")) if target.is_dir() else []
    assert [name(page) for page in PAGES if page not in reached] == []
