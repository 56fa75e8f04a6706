"""A configuration file that cannot be meant is refused with the field's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from serin.controller.config import InvalidConfig, load_config


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a list", "must be a YAML object"),
        (b"[" * 5000, "serin.yaml: it is nested too deep"),
        (b"only a text", "must be a YAML object"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"statusSeconds: .inf", "statusSeconds: "),
        (b"leaderElection: {leaseSeconds: 3, renewSeconds: 30}", "leaderElection: .*leaseSeconds must be above renew"),
        (b"leaderElection: {renewSeconds: 2}", "leaderElection: .*above retrySeconds"),
        (b"metricSources: [{url: 'http://a'}, {url: 'http://b'}]", r"yaml: .*the name default is there twice"),
        (b"metricSource: []", "metricSource: Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "serin.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidConfig, match=words):
        load_config(file)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    file = tmp_path / "serin.yaml"
    file.write_text("")
    assert load_config(file).metric_sources == []
