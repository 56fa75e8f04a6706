"""What a Job would refuse, said by `lint` before there is one: a uri that no fetch reads, an evaluation that is none.

The API server lets both pass: any uri may be for the container to read, and an evaluation is the program's own. The
programs' own readers are asked, because two would come to differ.
"""

from __future__ import annotations

from collections.abc import Iterator

from serin.api.stages import Validate
from serin.plugin.manifests import Finding, Level, Subject
from serin.workloads.evaluation import Trial, evaluation_config, own_container

_ANYWHERE = "http://model.invalid"
"""Where the models answer is Serin's to say, and of no interest here."""


def job_faults(subject: Subject) -> Iterator[Finding]:
    """Everything that the Jobs of a ModelDeployment, or of a policy, would end with."""
    yield from _uri(subject)
    for stage in subject.policy.stages:
        if stage.validation is not None:
            yield from _evaluation(subject, stage.name, stage.validation)


def _uri(subject: Subject) -> Iterator[Finding]:
    model = subject.md.spec.model if subject.md is not None else None
    if model is None or model.uri is None or model.fetch is None:
        return
    from serin.artifacts.errors import ArtifactError
    from serin.artifacts.uri import parse_uri

    try:
        # Whether plain http is good enough is said in the operator's configuration.
        parse_uri(model.uri, plain_http=True)
    except ArtifactError as error:
        yield subject.finding("error", error.field, error.message)


def _evaluation(subject: Subject, stage: str, asked: Validate) -> Iterator[Finding]:
    try:
        from serin.evaluate.config import faults_of
    except ImportError:
        yield subject.finding(
            "advice", f"stage {stage}", "its evaluation was not read; `pip install 'serin[evaluate]'` lets lint do it"
        )
        return
    # A program of the user's may take what it likes.
    level: Level = "warning" if _stands_in(asked) else "error"
    trial = Trial("lint", 1, "b", "a")
    for field, words in faults_of(evaluation_config(asked.evaluation, trial, lambda _slot: _ANYWHERE)):
        # Both arms are asked in the same way: what is wrong with one is wrong with the other.
        if not field.startswith("endpoints.stable"):
            place = "" if field == "file" else "." + field.replace("endpoints.candidate", "endpoint", 1)
            yield subject.finding(level, f"stage {stage}", f"evaluation{place}: {words.removeprefix('Value error, ')}")


def _stands_in(asked: Validate) -> bool:
    """Whether the stage says which image runs, or what in it."""
    own = own_container("evaluate", {"template": asked.template})
    return any(own.get(field) for field in ("image", "command", "args"))
