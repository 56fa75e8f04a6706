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
        ("hf://org/iris@refs/pr/12/onnx/model.onnx", HubPlace("org/iris", "refs/pr/12", "onnx/model.onnx")),
        ("hf://org/iris@refs/pr/12", HubPlace("org/iris", "refs/pr/12", "")),
        ("s3://bucket/a%23b", BucketPlace("s3", "bucket", "a#b")),
        ("s3://bucket/a%3Fb", BucketPlace("s3", "bucket", "a?b")),
        ("az://$web/iris", BucketPlace("az", "$web", "iris")),
        ("https://host/a#part", HttpPlace("https://host/a")),
        ("Models:/iris/2", ModelPlace("iris", "2", None)),
        ("S3://bucket/a", BucketPlace("s3", "bucket", "a")),
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


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "it has no scheme; supported are https"),
        ("iris", "it has no scheme; supported are https"),
        ("mlflow://m@", "a model of an MLflow registry is models:/name/3 or models:/name@champion"),
        ("mlflow://m@champion", "a model of an MLflow registry is models:/name/3 or models:/name@champion"),
        ("abfss://container@account.example/a", "the scheme 'abfss' is not supported"),
        ("x" * 3000 + "://a", f"the scheme '{'x' * 40}' is not supported"),
        ("models:/iris@", "models:/name@champion for an alias"),
        ("https://host@/a", "it names no host"),
        ("https://@host/a", "there is nobody before the '@'; leave it out"),
        ("https://host:99999/a", "a port is a number from 0 to 65535"),
        ("oci://host:99999/iris", "a port is a number from 0 to 65535"),
        ("hf://org:iris/name", "write hf://org/name"),
        ("hf://org/n\u00e4me", "write hf://org/name"),
        ("https://host/my iris", "a space in a name is written %20"),
        ("https://host/iris\n", "a space or a control character"),
        ("s3://bucket@/a", "write s3://bucket/key"),
        ("s3://@bucket/a", "write s3://bucket/key"),
        ("s3://bucket:80/a", "write s3://bucket/key"),
        ("s3://b\u00fccket/a", "write s3://bucket/key"),
        ("s3://bucket/a#b", "write %23 where a name has one"),
        ("oci://host/iris#2", "write %23 where a name has one"),
        ("pvc://claim/a#b", "write %23 where a name has one"),
        ("s3://bucket/a?versionId=", "there may be versionId=... and nothing else"),
        ("s3://bucket/a?versionid=1", "there may be versionId=... and nothing else"),
        ("s3://bucket/a?b", "a '?' in a key is written %3F"),
        ("s3://bucket/a?versionId=1&versionId=2", "there may be versionId=... and nothing else"),
        ("pvc://claim@/a", "write pvc://claim/path"),
        ("pvc://user@claim/a", "write pvc://claim/path"),
        (f"pvc://claim/{'a' * 256}", "no file has a name of more than 255 bytes"),
    ],
)
def test_the_words_are_about_what_is_wrong(uri: str, words: str) -> None:
    """An '@' that stands for an alias is no credential, and what would not be looked at is not left out in silence."""
    with pytest.raises(ArtifactError) as error:
        parse_uri(uri)
    assert error.value.reason is Reason.UNSUPPORTED_SCHEME
    assert words in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("scheme", ["https", "s3", "gs", "az", "oci", "pvc", "hf", "mlflow", "ftp"])
def test_a_password_is_a_credential_whatever_the_scheme(scheme: str) -> None:
    """The uri is wrong otherwise, too; this has to be taken out first."""
    for host in ("host", ""):
        with pytest.raises(ArtifactError, match="Secret") as error:
            parse_uri(f"{scheme}://ann:s3cret@{host}/a")
        assert error.value.reason is Reason.UNSAFE
        assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a//b", "%00", "./x"])
def test_a_path_of_a_hub_stays_in_its_repository(path: str) -> None:
    """As that of a claim does."""
    with pytest.raises(ArtifactError) as error:
        parse_uri(f"hf://org/iris/{path}")
    assert error.value.reason is Reason.UNSAFE


@pytest.mark.parametrize("uri", ["hf://./..", "hf://org/..", "hf://org/iris@.."])
def test_a_repository_of_a_hub_is_a_name(uri: str) -> None:
    """A server would take the dots for another address of its own."""
    with pytest.raises(ArtifactError):
        parse_uri(uri)


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
