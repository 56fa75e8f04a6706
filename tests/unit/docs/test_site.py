"""The site: links out of docs/ lead to pages of it, nothing is loaded from elsewhere, no page is missing.

That it builds without a warning is said by `make docs-site`, which `make check` runs.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

from tests.unit.docs.pages import ROOT
from tests.unit.docs.scripts import script

HOOKS: Any = script("site_hooks")


@pytest.fixture(scope="module")
def config() -> MkDocsConfig:
    return load_config(str(ROOT / "mkdocs.yml"))


def _page(uri: str) -> Any:
    return SimpleNamespace(file=SimpleNamespace(src_uri=uri))


@pytest.mark.parametrize(
    ("uri", "given", "want"),
    [
        ("routes.md", "[a](metrics.md#presets)", "[a](metrics.md#presets)"),
        (
            "routes.md",
            "[a](../manifests/samples/policy.yaml)",
            "[a](repository/manifests/samples/policy.yaml.md)",
        ),
        ("routes.md", "[a](../SECURITY.md#rights)", "[a](repository/SECURITY.md#rights)"),
        ("reasons/Paused.md", "[a](../../manifests/monitoring)", "[a](../repository/manifests/monitoring/index.md)"),
        ("repository/CONTRIBUTING.md", "[a](docs/concepts.md)", "[a](../concepts.md)"),
        ("repository/manifests/samples/index.md", "[a](policy.yaml)", "[a](policy.yaml.md)"),
        ("routes.md", "[a](https://example.com)", "[a](https://example.com)"),
        ("routes.md", "`[a](../SECURITY.md)`", "`[a](../SECURITY.md)`"),
        ("routes.md", "```\n[a](../SECURITY.md)\n```", "```\n[a](../SECURITY.md)\n```"),
    ],
)
def test_a_link_out_of_docs_leads_to_the_page_that_stands_for_the_file(uri: str, given: str, want: str) -> None:
    """And a link to nowhere is left as it is, so that the build complains of it."""
    assert HOOKS.on_page_markdown(given, _page(uri), None, Files([])) == want
    assert HOOKS.on_page_markdown("[a](../nowhere.md)", _page(uri), None, Files([])) == "[a](../nowhere.md)"


def test_a_list_after_a_paragraph_is_a_list() -> None:
    """As forges read it; in a fence nothing is touched."""
    assert list(HOOKS._spaced(["Words:", "- a", "- b", "```", "x", "- c", "```"])) == [
        "Words:",
        "",
        "- a",
        "- b",
        "```",
        "x",
        "- c",
        "```",
    ]


@pytest.mark.parametrize(
    ("output", "fine"),
    [
        ('<a href="https://example.com">', True),
        ('<script src="assets/a.js">', True),
        ('<script src="https://example.com/a.js">', False),
        ('<link rel="stylesheet" href="//example.com/a.css">', False),
        ('<img alt="" src="http://example.com/a.png">', False),
        ('<pre class="mermaid">', False),
    ],
)
def test_a_page_that_loads_something_from_elsewhere_is_refused(output: str, fine: bool) -> None:
    if fine:
        assert HOOKS.on_post_page(output, _page("a.md"), None) == output
    else:
        with pytest.raises(PluginError, match=r"a\.md"):
            HOOKS.on_post_page(output, _page("a.md"), None)


def test_every_page_is_in_the_table_of_contents_once(config: MkDocsConfig) -> None:
    """Those that nobody names come under More; names of pages that are not there yet are left out."""
    named = list(HOOKS._names(HOOKS.on_config(config).nav))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(named) == sorted(pages)


def test_the_theme_needs_no_network(config: MkDocsConfig) -> None:
    assert config.theme["font"] is False
    assert not config.extra_javascript
    assert not config.extra_css
    assert set(config.plugins) - {"docs/site_hooks.py"} == {"material/search"}
