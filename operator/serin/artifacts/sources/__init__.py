"""One module for each protocol. None of them is imported before a URI asks for it: their libraries are large."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from serin.artifacts.limits import Deadline, Limits, Policy
from serin.artifacts.source import Source
from serin.artifacts.uri import BucketPlace, ClaimPlace, HttpPlace, HubPlace, ModelPlace, OciPlace, parse_uri


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sources need to know of the process that they run in."""

    deadline: Deadline
    limits: Limits
    policy: Policy
    claims: Path
    """The folder in which claims are mounted, each under its name."""


def source_of(uri: str, surroundings: Surroundings) -> Source:
    """Return the source that a URI names.

    Raises:
        ArtifactError: UnsupportedScheme, Unsafe, or what the source says while it is being found.
    """
    place = parse_uri(uri, plain_http=surroundings.policy.plain_http)
    match place:
        case HttpPlace():
            from serin.artifacts.sources.http import HttpSource

            return HttpSource(place, surroundings.deadline)
        case BucketPlace():
            from serin.artifacts.sources.bucket import BucketSource

            return BucketSource(place, surroundings.deadline, surroundings.limits)
        case OciPlace():
            from serin.artifacts.sources.oci import OciSource

            return OciSource(place, surroundings.deadline, plain_http=surroundings.policy.plain_http)
        case ModelPlace():
            from serin.artifacts.sources.mlflow import MlflowSource

            return MlflowSource(place, surroundings.deadline, surroundings.limits)
        case ClaimPlace():
            from serin.artifacts.sources.claim import ClaimSource

            return ClaimSource(place, surroundings.claims, surroundings.limits)
        case HubPlace():
            from serin.artifacts.sources.hub import HubSource

            return HubSource(place, surroundings.deadline)
    assert_never(place)
