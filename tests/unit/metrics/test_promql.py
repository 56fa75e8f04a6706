"""User text and names in PromQL: escaped, or refused with what would do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.metrics.promql import TemplateError, any_of, equals, expand, template_metric


@pytest.mark.parametrize(
    ("template", "metric"),
    [
        ("offers_total{${arm}}", "offers_total"),
        (" offers_total { ${arm} , kind = 'web' , } ", "offers_total"),
        ('app:offers_total{kind=~"a|b",${arm},code!~"5.."}', "app:offers_total"),
        (r'offers_total{kind="say \"hi\"",${arm}}', "offers_total"),
    ],
)
def test_a_plain_counter_is_accepted(template: str, metric: str) -> None:
    """Further matchers are welcome."""
    assert template_metric(template) == metric


@pytest.mark.parametrize(
    "template",
    [
        "offers_total",
        "offers_total{}",
        "{${arm}}",
        "rate(offers_total{${arm}}[1m])",
        "sum(offers_total{${arm}})",
        "offers_total{${arm}}[5m]",
        "offers_total{${arm}} offset 5m",
        "offers_total{${arm}} @ 5",
        "offers_total{${arm}} or vector(1)",
        "offers_total{${arm},${arm}}",
        'offers_total{kind="${arm}"}',
        'offers_total{serin_dev_revision="x",${arm}}',
        'offers_total{__name__=~".*",${arm}}',
        'offers_total{kind="}[1h]) or secrets{a=\\"",${arm}}} or x{',
        "offers_total{${arm}} # comment",
        'offers_total{${arm},\nx="\n"}',
        "x" * 2000 + "{${arm}}",
        "",
    ],
)
def test_anything_else_is_refused(template: str) -> None:
    """A gate counts; sum and rate would take the counts away."""
    with pytest.raises(TemplateError):
        template_metric(template)


def test_an_arm_is_a_matcher_on_revisions() -> None:
    """Rollouts of one policy share the query."""
    assert expand("x{${arm}}", ["b", "a", "b"]) == 'x{serin_dev_revision=~"a|b"}'


@given(st.text())
def test_values_stay_inside_their_quotes(value: str) -> None:
    """Whatever is in it, only the last quote is bare, and no line breaks."""
    for matcher in (equals("x", value), any_of("x", [value])):
        inside = matcher.partition('"')[2][:-1]
        bare = inside.replace("\\\\", "").replace('\\"', "")
        assert '"' not in bare
        assert "\n" not in inside
