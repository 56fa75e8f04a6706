"""The configuration's sections about endpoints: where they are, what they speak, how they are asked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, HttpUrl, model_validator

from serin.evaluate.sections import Duration, Section

Protocol = Literal["openInference", "kserveV1", "mlflow", "custom"]
"""Open Inference Protocol v2 (REST), KServe v1 `:predict`, MLflow `/invocations`, or a path and template of yours."""


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token of RFC 9110, 5.6.2."""


def sendable(value: str) -> bool:
    r"""Whether a header may have this value; a line break would begin another header (RFC 9110, 5.5).

    >>> sendable("Bearer abc"), sendable("abc\n")
    (True, False)
    """
    return all(character == "\t" or (character >= " " and character != "\x7f") for character in value)


class Request(Section):
    """How rows become a request."""

    tensor: str = "features"
    """Open Inference, layout matrix: the name of the one input tensor."""
    datatype: Literal["FP64", "FP32", "INT64", "INT32"] = "FP64"
    """Open Inference, layout matrix: the tensor's type."""
    layout: Literal["matrix", "columns"] | None = None
    """One tensor [rows, features], or a tensor [rows, 1] for each column by its name; default: matrix if all columns
    are numbers."""


class Answer(Section):
    """Where predictions and scores are in an answer.

    Open Inference: names of outputs. KServe v1 and MLflow: keys, when each prediction is an object or `predictions` is
    an object of lists. Custom: JSON pointers (RFC 6901) to lists.
    """

    prediction: str | None = None
    """Classes or numbers. Without a name: all that the answer holds, if that is one thing."""
    scores: str | None = None
    """Probabilities [rows, classes], of the positive class alone [rows], or for ranking what rows are ordered by."""
    prediction_is: Literal["label", "index"] = "label"
    """Whether a predicted class is said as it stands in `classes`, or by its place there, from 0."""


class Endpoint(Section):
    """One arm's endpoint."""

    url: HttpUrl
    """Scheme, host and port; a path stands before the protocol's own."""
    protocol: Protocol = "openInference"
    """What it speaks."""
    model: str | None = None
    """The model's name in the path, where the protocol has one."""
    version: str | None = None
    """Open Inference: the version in the path."""
    path: str | None = None
    """The path instead of the protocol's; needed for custom."""
    template: Any = None
    """Custom: the request's JSON; the strings ${rows}, ${columns} and ${records} are replaced by lists."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with each request, such as Host. `${NAME}` is the environment's NAME, so that a secret stays one."""
    request: Request = Request()
    """How rows become a request."""
    answer: Answer = Answer()
    """Where predictions and scores are."""

    @model_validator(mode="after")
    def _headers_can_be_sent(self) -> Endpoint:
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"headers: {name!r} is no name of a header")
            if not sendable(value):
                raise ValueError(f"headers: {name} holds a line break or another control character")
        return self

    @model_validator(mode="after")
    def _url_is_whole(self) -> Endpoint:
        if self.url.username is not None or self.url.password is not None:
            raise ValueError("url: no user and password: send them as a header, with ${NAME} of the environment")
        if self.url.query is not None or self.url.fragment is not None:
            raise ValueError("url: it ends with the path; a query belongs into path")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Endpoint:
        if self.protocol == "custom":
            if self.path is None or self.template is None:
                raise ValueError("custom needs path and template")
            if self.answer.prediction is None and self.answer.scores is None:
                raise ValueError("custom needs answer.prediction or answer.scores, as JSON pointers")
            for pointer in (self.answer.prediction, self.answer.scores):
                if pointer is not None and not pointer.startswith("/"):
                    raise ValueError(f"{pointer} is no JSON pointer: it has to begin with /")
        elif self.template is not None:
            raise ValueError("template is for custom")
        if self.protocol in {"openInference", "kserveV1"} and self.model is None and self.path is None:
            raise ValueError(f"{self.protocol} needs model, or a path")
        return self


class Endpoints(Section):
    """Who is asked."""

    candidate: Endpoint
    """The model on trial."""
    stable: Endpoint | None = None
    """The one that serves by default; without it nothing is compared."""


class Asking(Section):
    """How fast, how long, how often."""

    batch_rows: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Rows in a request."""
    in_flight: Annotated[int, Field(ge=1, le=64)] = 2
    """Requests to an arm at a time."""
    rows_per_second: Annotated[float, Field(gt=0)] | None = None
    """Most rows a second that each arm is asked, so that stable's users notice nothing."""
    request_timeout: Duration = timedelta(seconds=30)
    """For one request, all of its answer included."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 4
    """Of a request that finds nobody, is late, gets a 408, 425, 429, 499 or 5xx, or no JSON or nothing."""
    backoff: Duration = timedelta(milliseconds=500)
    """Before the second attempt; twice as long before each further, 30 s at most."""
    deadline: Duration = timedelta(hours=1)
    """For the whole evaluation."""
    answer_megabytes_max: Annotated[float, Field(gt=0)] = 64.0
    """A longer answer is malformed."""

    @model_validator(mode="after")
    def _times_end(self) -> Asking:
        # To the HTTP client 0 s means for ever.
        for name, value in (("requestTimeout", self.request_timeout), ("deadline", self.deadline)):
            if value <= timedelta(0):
                raise ValueError(f"{name} must be above 0 s")
        return self
