"""What may be written as a model's uri."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from serin.artifacts import ArtifactError, Reason
from serin.artifacts.uri import (
    BucketPlace,
    ClaimPlace,
    HttpPlace,
    HubPlace,
    ModelPlace,
    OciPlace,
    Place,
    names_content,
    parse_uri,
    shown,
)

SHA = "sha256:" + "0" * 64
COMMIT = "0" * 40
SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
PLACES = {
    "fetched-model": HttpPlace,
    "fetched-by-tag": OciPlace,
    "fetched-from-s3": BucketPlace,
    "fetched-from-mlflow": ModelPlace,
}


@pytest.mark.parametrize(
    ("uri", "want"),
    [
        ("https://host/a/model.onnx?v=2", HttpPlace("https://host/a/model.onnx?v=2")),
        ("s3://bucket/iris/2", BucketPlace("s3", "bucket", "iris/2")),
        ("s3://bucket/iris/2/", BucketPlace("s3", "bucket", "iris/2/")),
        ("s3://bucket/a%20b?versionId=v1", BucketPlace("s3", "bucket", "a b", "v1")),
        ("gs://bucket/iris", BucketPlace("gs", "bucket", "iris")),
        ("az://container/iris", BucketPlace("az", "container", "iris")),
        ("oci://host:5000/team/iris:2", OciPlace("host:5000", "team/iris", "2")),
        ("oci://host/iris", OciPlace("host", "iris", "latest")),
        (f"oci://host/iris@{SHA}", OciPlace("host", "iris", SHA)),
        ("models:/iris/2", ModelPlace("iris", "2", None)),
        ("models:/my%20iris@champion", ModelPlace("my iris", None, "champion")),
        ("pvc://claim/a/b", ClaimPlace("claim", "a/b")),
        ("hf://org/iris", HubPlace("org/iris", "main", "")),
        ("hf://org/iris@v1.0/onnx/model.onnx", HubPlace("org/iris", "v1.0", "onnx/model.onnx")),
        (f"hf://org/iris@{COMMIT}", HubPlace("org/iris", COMMIT, "")),
    ],
)
def test_each_form_means_one_place(uri: str, want: Place) -> None:
    """The table of docs/artifacts.md."""
    assert parse_uri(uri) == want


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("fetched-*.yaml")), ids=lambda path: path.stem)
def test_what_the_samples_fetch_can_be_fetched(sample: Path) -> None:
    """The API server takes any scheme; the program that fetches says no to most."""
    models = [
        one["spec"]["model"] for one in yaml.safe_load_all(sample.read_text()) if one["kind"] == "ModelDeployment"
    ]
    assert [type(parse_uri(model["uri"])) for model in models if "fetch" in model] == [PLACES[sample.stem]]


@pytest.mark.parametrize(
    "uri",
    [
        *("ftp://host/a", "file:///etc/passwd", "http://host/a", "https:///a", "s3://bucket", "s3://bucket/a?b=c"),
        *("oci://host", "oci://host/UPPER:1", "oci://host/iris@sha256:short", "models:/iris", "models:/iris/latest"),
        *("pvc://claim", "hf://iris", "https://host:port/a", "https://[/a"),
    ],
)
def test_everything_else_is_refused_with_what_to_write(uri: str) -> None:
    """A form that is nearly right is not guessed at."""
    with pytest.raises(ArtifactError) as error:
        parse_uri(uri)
    assert error.value.reason is Reason.UNSUPPORTED_SCHEME


@pytest.mark.parametrize(
    "uri",
    [
        *("https://ann:s3cret@host/a", "https://s3cret@host/a", "s3://key:s3cret@bucket/a"),
        *("https://host/a?X-Amz-Signature=s3cret", "https://host/a?sig=s3cret", "https://host/a?token=s3cret"),
    ],
)
def test_a_credential_in_a_uri_is_refused_and_not_printed(uri: str) -> None:
    """Everybody who may read the resource could read it."""
    with pytest.raises(ArtifactError, match="Secret") as error:
        parse_uri(uri)
    assert error.value.reason is Reason.UNSAFE
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in shown(uri)


def test_a_claims_path_stays_in_the_claim() -> None:
    """'..' is refused before anything is opened."""
    with pytest.raises(ArtifactError) as error:
        parse_uri("pvc://claim/../other")
    assert error.value.reason is Reason.UNSAFE


@pytest.mark.parametrize(
    ("uri", "want"),
    [
        (f"oci://host/iris@{SHA}", True),
        ("oci://host/iris:2", False),
        (f"hf://org/iris@{COMMIT}", True),
        ("hf://org/iris@main", False),
        ("models:/iris/2", False),
        ("s3://bucket/iris?versionId=v1", False),
    ],
)
def test_only_a_hash_in_the_uri_names_content(uri: str, want: bool) -> None:
    """A number or a version id is a name that somebody gives."""
    assert names_content(parse_uri(uri)) == want
