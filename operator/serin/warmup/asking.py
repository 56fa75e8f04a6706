"""What a warm-up sends: the user's own request, or one that the model's metadata describe.

The Open Inference Protocol says at GET /v2/models/NAME what inputs a model takes. A dimension of -1 is as large as one
likes, so it becomes 1; every value is zero, an empty string or false. That loads and compiles what a real request
would, but not for every shape: a model whose speed depends on the shape is warmed by a request of the user's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]

VALUES_MAX = 1_000_000
"""Of a made-up input; a picture of 1,000 x 1,000 pixels is one."""

_ZEROS: dict[str, Any] = {"BOOL": False, "BYTES": ""}


class NoRequest(Exception):
    """The metadata do not say how the model is asked; the text says what to give instead."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, sent again and again. body: sent as JSON."""

    path: str
    body: Any


def from_metadata(model: str, metadata: Any) -> Request:
    """Return the request that a model's metadata describe.

    >>> from_metadata("iris", {"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]}).body
    {'inputs': [{'name': 'x', 'datatype': 'FP64', 'shape': [1, 2], 'data': [0, 0]}]}

    Raises:
        NoRequest: they are not of the protocol, or an input is too large to be made up.
    """
    inputs = metadata.get("inputs") if isinstance(metadata, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise NoRequest(f"the metadata of {model} list no inputs; give the stage a request")
    return Request(f"{path_of(model)}/infer", {"inputs": [_input(model, one) for one in inputs]})


def path_of(model: str) -> str:
    """Return the model's path of the protocol; a name with a slash in it is one part.

    >>> path_of("team/iris")
    '/v2/models/team%2Firis'
    """
    return f"/v2/models/{quote(model, safe='')}"


def _input(model: str, described: Any) -> Json:
    try:
        name, kind = str(described["name"]), str(described["datatype"])
        shape = [max(int(size), 1) for size in described["shape"]]
    except (TypeError, KeyError, ValueError, OverflowError) as error:  # OverflowError: a size of infinity
        raise NoRequest(f"an input of {model} has no name, datatype or shape; give the stage a request") from error
    values = math.prod(shape)
    if values > VALUES_MAX:
        raise NoRequest(f"input {name} of {model} has {values:,} values, too many to make up; give the stage a request")
    return {"name": name, "datatype": kind, "shape": shape, "data": [_ZEROS.get(kind, 0)] * values}
