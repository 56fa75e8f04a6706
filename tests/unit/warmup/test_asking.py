"""A request made from a model's metadata."""

from __future__ import annotations

from typing import Any

import pytest

from serin.warmup.asking import NoRequest, from_metadata


def described(*shape: int, datatype: str = "FP32", name: str = "x") -> dict[str, Any]:
    """An input."""
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def test_every_input_is_sent_with_zeros_of_its_type() -> None:
    inputs = [
        described(-1, 3),
        described(2, datatype="BYTES", name="words"),
        described(1, datatype="BOOL", name="flag"),
    ]
    request = from_metadata("iris", {"inputs": inputs})
    assert request.path == "/v2/models/iris/infer"
    assert [(one["shape"], one["data"]) for one in request.body["inputs"]] == [
        ([1, 3], [0, 0, 0]),
        ([2], ["", ""]),
        ([1], [False]),
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {},
        {"inputs": []},
        {"inputs": "x"},
        {"inputs": [{"name": "x"}]},
        {"inputs": [None]},
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": ["wide"]}]},
        {"inputs": [described(1000, 1001)]},
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [float("inf")]}]},
    ],
)
def test_metadata_that_do_not_say_how_to_ask_are_no_request(metadata: Any) -> None:
    """And the words say what to do."""
    with pytest.raises(NoRequest, match="give the stage a request"):
        from_metadata("iris", metadata)


def test_a_name_with_a_slash_is_one_part_of_the_path() -> None:
    """As the evaluation asks it."""
    assert from_metadata("team/iris", {"inputs": [described(1)]}).path == "/v2/models/team%2Firis/infer"
