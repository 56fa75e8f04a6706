"""The acts of people: make a RolloutAction in one's own name, and wait for its answer."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from serin.cli.cluster import ACTIONS, DEPLOYMENTS, Cluster, Json
from serin.cli.durations import seconds
from serin.cli.failure import Failure, NoRights, NotThere, Unreachable
from serin.cli.output import Format, note, show
from serin.plugin.acts import Aim, advice, answer_of, exit_code, manifest, missing_right
from serin.plugin.aiming import NothingToDo, aim, named
from serin.plugin.objects import Deployment
from serin.plugin.reading import deployment_of, revision_of

if TYPE_CHECKING:
    from serin.api.rollout_action import ActionKind

AGAIN_SECONDS = 0.5


def act(
    cluster: Cluster,
    action: ActionKind,
    name: str,
    namespace: str | None,
    *,
    revision: str | None,
    stage: str | None,
    reason: str | None,
    wait: bool,
    timeout: str,
    form: Format,
) -> int:
    """Do it; the exit code says what the operator made of it."""
    until = time.monotonic() + seconds("--timeout", timeout)
    md = deployment_of(cluster.get(DEPLOYMENTS, namespace or cluster.namespace, name))
    try:
        what = aim(md, action, _revision(cluster, md, revision) if revision is not None else None, stage)
    except NothingToDo as nothing:
        raise Failure(str(nothing), nothing.remedy) from nothing
    actor = cluster.whoami()
    data = form in {Format.JSON, Format.YAML}
    say = note if data else partial(print, flush=True)  # it may take a while until there is more
    say(f"{what.words}, as {actor}")
    if action == "Promote" and md.paused:
        note(f"{md.key} is paused: it is promoted when it is resumed")
    raw = _make(cluster, what, manifest(what, actor, reason))
    made = str(raw["metadata"]["name"])
    answered = _until_answered(cluster, md.namespace, made, raw, until) if wait else raw
    if data:
        show(form, _shown(answered), lambda _wide: made)
    if not wait:
        say(f"rolloutaction {made} is made; `kubectl get ra {made} -n {md.namespace}` says what became of it")
        return 0
    answer = answer_of(answered)
    if answer is None:
        note(
            f"no answer to rolloutaction {made} within {timeout}: it stands, and is answered when the operator looks;"
            f" `kubectl delete ra {made} -n {md.namespace}` takes it back"
        )
    else:
        say(answer.words)
        if remedy := advice(what, answer):
            note(f"  {remedy}")
    return exit_code(answer)


def _revision(cluster: Cluster, md: Deployment, word: str) -> str:
    """The name of the revision that a word means: a name, its end, a version, stable or candidate."""
    known = named(md, word)
    if known is not None:
        return known
    from serin.plugin.history import NoSuchRevision, find_revision, history

    entries = history(md, [revision_of(raw) for raw in cluster.revisions(md.namespace, md.name)])
    try:
        return find_revision(entries, word).revision.name
    except NoSuchRevision as error:
        raise NotThere(str(error), "`kubectl serin history NAME` lists them with what became of each") from error


def _make(cluster: Cluster, what: Aim, body: Json) -> Json:
    try:
        return cluster.create(ACTIONS, what.namespace, body)
    except NoRights as failure:
        missing = missing_right(what, str(failure))
        if missing is None:
            raise
        raise NoRights(*missing) from failure
    except Unreachable as failure:
        remedy = f"it may have been made all the same: `kubectl get ra -n {what.namespace}`"
        raise Unreachable(str(failure), remedy) from failure


def _until_answered(cluster: Cluster, namespace: str, name: str, raw: Json, until: float) -> Json:
    """The action with its answer, or as it is when the time is over. An API server that is away may come back."""
    while answer_of(raw) is None and (left := until - time.monotonic()) > 0:
        time.sleep(min(AGAIN_SECONDS, left))
        try:
            raw = cluster.get(ACTIONS, namespace, name)
        except Unreachable as failure:
            note(f"{failure}; trying again")
        except NotThere as failure:
            raise NotThere(f"rolloutaction {name} was deleted before it had an answer") from failure
        except NoRights as failure:
            words = f"rolloutaction {name} is made, but its answer cannot be read: {failure}"
            raise NoRights(
                words, "ask for get on rolloutactions.serin.dev, which the roles view and up have"
            ) from failure
    return raw


def _shown(raw: Json) -> Json:
    """The object as kubectl prints it: without who wrote which field."""
    return raw | {"metadata": {key: value for key, value in raw["metadata"].items() if key != "managedFields"}}
