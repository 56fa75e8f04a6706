"""The only way from names and user text into PromQL.

Names become escaped label values. A user's template is a plain vector selector and nothing else, because
counts need raw counters: `offers_total{${arm}}`, with further matchers if wanted. `${arm}` is replaced by a
matcher on the revision label; sum, rate, ranges and offsets are Serin's business and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["TemplateError", "any_of", "equals", "expand", "quote", "regex_escape", "template_metric"]

_REVISION_LABEL = "serin_dev_revision"
_PLACEHOLDER = "${arm}"
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_VALUE = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_MATCHER = rf"[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*{_VALUE}"
_ITEM = rf"(?:{_MATCHER}|\$\{{arm\}})"
_TEMPLATE = re.compile(rf"\s*(?P<name>{_NAME})\s*\{{\s*(?P<items>{_ITEM}(?:\s*,\s*{_ITEM})*)\s*,?\s*\}}\s*")
_TEMPLATE_LENGTH_MAX = 1024


class TemplateError(ValueError):
    """A query template that is not what the gate can use; the text says what is."""


def quote(value: str) -> str:
    r"""A PromQL string literal.

    >>> print(quote('say "hi"'))
    "say \"hi\""
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def regex_escape(value: str) -> str:
    r"""A regular expression (RE2) that matches `value` and nothing else.

    >>> print(regex_escape("a.b-c"))
    a\.b-c
    """
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value)


def equals(label: str, value: str) -> str:
    """A matcher for one value."""
    return f"{label}={quote(value)}"


def any_of(label: str, values: Iterable[str]) -> str:
    """A matcher for any of the values; PromQL anchors it at both ends."""
    return f"{label}=~{quote('|'.join(regex_escape(value) for value in values))}"


def template_metric(template: str) -> str:
    """Check a template and return the name of its metric.

    >>> template_metric('offers_total{${arm}, kind="web"}')
    'offers_total'

    Raises:
        TemplateError: it is anything but a vector selector with `${arm}` once.
    """
    if len(template) > _TEMPLATE_LENGTH_MAX:
        raise TemplateError(f"a query template has at most {_TEMPLATE_LENGTH_MAX} characters")
    found = _TEMPLATE.fullmatch(template)
    if not found:
        raise TemplateError(
            f"{template!r} is not a plain counter: write metric{{{_PLACEHOLDER}}}, more matchers if wanted, "
            "but no sum, rate, a range or an offset; Serin takes exact differences itself"
        )
    bare = re.sub(_VALUE, "", template)
    if template.count(_PLACEHOLDER) != 1 or bare.count(_PLACEHOLDER) != 1:
        raise TemplateError(f"{template!r} must have {_PLACEHOLDER} exactly once among its matchers")
    if re.search(rf"\b(?:{_REVISION_LABEL}|__name__)\s*[=!]", template):
        raise TemplateError(
            f"{template!r} must leave {_REVISION_LABEL} and __name__ to {_PLACEHOLDER} and the metric's name"
        )
    return found["name"]


def expand(template: str, revisions: Iterable[str]) -> str:
    """A template for some revisions at once.

    >>> print(expand("offers_total{${arm}}", ["iris-1-aaaaa", "iris-2-bbbbb"]))
    offers_total{serin_dev_revision=~"iris-1-aaaaa|iris-2-bbbbb"}

    Raises:
        TemplateError: see `template_metric`.
    """
    template_metric(template)
    return template.strip().replace(_PLACEHOLDER, any_of(_REVISION_LABEL, sorted(set(revisions))))
