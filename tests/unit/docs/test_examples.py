"""What people copy from the pages works."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from serin.api import crd
from serin.api.names import revision_name
from serin.api.parse import InvalidSpec, parse_model_deployment, parse_rollout_action, parse_rollout_policy
from serin.api.reasons import Reason
from serin.api.schema import unknown_fields
from serin.cli.main import _parser
from serin.controller.config import Artifacts, Config, LeaderElection, Listen
from serin.controller.telemetry import Telemetry
from serin.metrics.presets import PRESETS
from serin.metrics.promql import template_metric
from serin.metrics.source import MetricSource
from tests.unit.docs.pages import PAGES, ROOT, Block, blocks, name

YAML = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
TABLES = [block for page in PAGES for block in blocks(page) if "STABLE" in block.text]
PARSERS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "ModelDeployment": parse_model_deployment,
    "RolloutAction": parse_rollout_action,
    "RolloutPolicy": parse_rollout_policy,
}
SPECS = {
    kind.name: crd.definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for kind in crd.KINDS
}
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
METRICS = (ROOT / "docs" / "metrics.md").read_text()


def _title(block: Block) -> str:
    return f"{name(block.page)}: {block.text.strip().splitlines()[0]}"


@pytest.mark.parametrize("block", YAML, ids=_title)
def test_yaml_is_accepted(block: Block) -> None:
    """Resources of Serin parse and hold no unknown field; a configuration is one; everything else is at least YAML."""
    for raw in yaml.safe_load_all(block.text):
        if "metricSources" in raw:
            assert Config.model_validate(raw).metric_sources
        if not isinstance(raw, dict) or raw.get("kind") not in SPECS:
            continue
        parsed = PARSERS[raw["kind"]](raw)
        assert not isinstance(parsed, InvalidSpec), str(parsed)
        assert unknown_fields(SPECS[raw["kind"]], raw["spec"]) == []
        for gate in raw["spec"].get("gates", []):
            for template in (gate.get("query", {}).get(part) for part in ("total", "bad")):
                assert template is None or template_metric(template)


def test_the_readme_shows_the_smallest_resource() -> None:
    """Smaller is not possible: without any of its fields it is refused."""
    (block,) = [block for block in YAML if block.page == ROOT / "README.md"]
    raw = yaml.safe_load(block.text)
    for path in ("model.version", "serving.port", "serving.template", "traffic"):
        spoilt = yaml.safe_load(block.text)["spec"]
        parent, _, field = path.rpartition(".")
        (spoilt[parent] if parent else spoilt).pop(field)
        assert isinstance(parse_model_deployment(raw | {"spec": spoilt}), InvalidSpec)


@pytest.mark.parametrize("block", TABLES, ids=_title)
def test_tables_have_the_columns_that_kubectl_shows(block: Block) -> None:
    """And each row has a reason that there is, in its place."""
    (kind,) = [kind for kind in crd.KINDS if kind.name == "ModelDeployment"]
    head, *rows = block.text.splitlines()[1:]
    assert head.split() == ["NAME", *(column.name.upper() for column in kind.columns if not column.wide)]
    assert rows
    for row in rows:
        assert row[head.index("REASON") :].split()[0] in list(Reason)
        assert row[head.index("READY") :].split()[0] in {"True", "False"}
        starts = [found.start() for found in re.finditer(r"\S+", head)]
        assert all(row[start - 1 : start].isspace() for start in starts[1:] if start < len(row))


def test_names_of_revisions_look_like_ours() -> None:
    """`iris-3-4d9gr`, with a suffix of our alphabet."""
    like = revision_name("iris", "3", "sha256:00")
    for page in PAGES:
        for found in re.findall(r"\biris-\d-[a-z0-9]{5}\b", page.read_text()):
            assert len(found) == len(like)
            assert set(found.rpartition("-")[2]) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_commands_of_the_readme_are_in_the_makefile() -> None:
    """The two that it promises, and every other `make` on the pages."""
    makefile = (ROOT / "Makefile").read_text()
    asked = {target for page in PAGES for target in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", page.read_text())}
    assert {"demo", "test"} <= asked
    assert [target for target in sorted(asked) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_every_option_of_the_command_is_documented() -> None:
    """`serin run`, in docs/operations.md."""
    (commands,) = [action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    options = {option for action in commands.choices["run"]._actions for option in action.option_strings}
    assert [option for option in sorted(options - {"-h", "--help"}) if option not in OPERATIONS] == []


def test_every_field_of_the_configuration_is_documented() -> None:
    """With its default, in docs/operations.md."""
    fields = {
        **{field.alias or key: field for key, field in Config.model_fields.items()},
        **{field.alias or key: field for key, field in MetricSource.model_fields.items()},
    }
    nested: dict[str, type[BaseModel]] = {"leaderElection": LeaderElection, "listen": Listen, "artifacts": Artifacts}
    fields |= {
        f"{alias}.{field.alias or key}": field
        for alias, section in nested.items()
        for key, field in section.model_fields.items()
    }
    rows = dict(re.findall(r"(?m)^\| `([\w.]+)` \| ([^|]*) \|", OPERATIONS))
    assert sorted(fields.keys() - nested.keys()) == sorted(rows.keys() & fields.keys())
    for alias, field in fields.items():
        if isinstance(field.default, bool):
            assert rows[alias] == str(field.default).lower(), alias
        elif isinstance(field.default, int | float | str):
            assert rows[alias] == (f"{field.default:g}" if isinstance(field.default, float) else str(field.default))


def test_every_metric_of_the_operator_is_documented() -> None:
    """And none that there is not."""
    exported = {metric.name for metric in Telemetry().registry.collect()}
    named = {one.removesuffix("_total") for one in re.findall(r"(?m)^\| `(serin_[a-z_]+)", OPERATIONS)}
    assert named == exported


def test_every_preset_is_documented() -> None:
    """With what it can measure, in docs/metrics.md."""
    rows = {cells[1].strip(" `"): cells for line in METRICS.splitlines() if len(cells := line.split("|")) == 9}
    assert set(PRESETS) == rows.keys() - {"preset", "---"}
    for preset in PRESETS.values():
        what = ("serverErrors", "clientErrors", "slowerThan")
        can = [one in preset.can for one in what]
        assert can == [rows[preset.name][column].strip() != "no" for column in (4, 5, 6)], preset.name
        assert ("model server" in rows[preset.name][2]) == (preset.plane == "model-server")


def test_words_of_reasons_are_reasons() -> None:
    """A page that names MetricsUnavailble sends people nowhere: whatever ends like a reason and stands alone is one."""
    rows = re.findall(r"(?m)^\| \[?([A-Z][a-z]+[A-Z]\w+)\b[^|]* \|", METRICS)
    assert rows
    assert set(rows) <= set(Reason)
    assert set(re.findall(r"(?:True|False|undecided) +([A-Z]\w+) +True", README)) <= set(Reason)
