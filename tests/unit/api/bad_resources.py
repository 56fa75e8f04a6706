"""Resources that must be refused, and what must be said about each.

One table for both sides: tests/unit/api feeds it to `parse`, tests/integration/api to a real API server. Each
entry spoils a valid resource in one place. `field` must be in the answer, and so must `words`, which say what
to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.unit.api.builders import Raw, action, deployment, deployment_with_plan, policy

GONE = object()
"""In place of a value: the field is taken away."""


@dataclass(frozen=True)
class Bad:
    """One bad resource."""

    name: str
    base: Callable[[], Raw]
    changes: dict[str, Any]
    """Path below the object, steps by "/", to value."""
    field: str
    words: str
    server_words: str = ""
    """Where the API server's own words differ from ours."""

    def raw(self) -> Raw:
        """Return the spoilt resource."""
        whole = self.base()
        for path, value in self.changes.items():
            _put(whole, path, value)
        return whole


def _put(whole: Raw, path: str, value: Any) -> None:
    *way, last = path.split("/")
    place: Any = whole
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if value is GONE:
        del place[last]
    elif isinstance(place, list):
        place[int(last) : int(last) + 1] = [value]
    else:
        place[last] = value


def _md(name: str, changes: dict[str, Any], at: str, words: str, **more: Any) -> Bad:
    return Bad(name, deployment, changes, at, words, **more)


def _plan(name: str, changes: dict[str, Any], at: str, words: str, **more: Any) -> Bad:
    whole = {f"spec/rollout/{path}": value for path, value in changes.items()}
    return Bad(name, deployment_with_plan, whole, f"spec.rollout{at}", words, **more)


def _kept(name: str, report: dict[str, Any], at: str, words: str, **more: Any) -> Bad:
    """A validate stage whose report goes there."""
    evaluation = {"task": "regression", "datasets": [], "gates": [], "endpoint": {}}
    stage = {"name": "holdout", "validate": {"evaluation": evaluation, "report": report}}
    return _plan(name, {"stages/0": stage}, f".stages[0].validate.report{at}", words, **more)


def _rp(name: str, changes: dict[str, Any], at: str, words: str, **more: Any) -> Bad:
    whole = {f"spec/{path}": value for path, value in changes.items()}
    return Bad(name, policy, whole, f"spec{at}", words, **more)


def _ra(name: str, changes: dict[str, Any], at: str, words: str, **more: Any) -> Bad:
    whole = {f"spec/{path}": value for path, value in changes.items()}
    return Bad(name, action, whole, f"spec{at}", words, **more)


_NAME_WORDS = "metadata.name must be at most 40 characters: lower-case letters, digits and '-', starting with a letter"
_PINNED = {"spec/model/uri": "s3://b/i", "spec/model/digest": "sha256:" + "0" * 64}
_PLACE = (
    "must be s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or pvc://claim/folder: letters, digits, "
    "'.', '_', '=' and '-', no part that starts with '.'"
)
_REQUIRED = "is required"
_SERVER_REQUIRED = "Required value"

BAD = (
    # --- names
    _md("a name of 41 characters", {"metadata/name": "i" * 41}, "metadata.name", _NAME_WORDS),
    _md("a name that starts with a digit", {"metadata/name": "2iris"}, "metadata.name", _NAME_WORDS),
    _md("a name with a dot", {"metadata/name": "iris.v2"}, "metadata.name", _NAME_WORDS),
    # --- model
    _md("no spec", {"spec": GONE}, "spec", _REQUIRED, server_words=_SERVER_REQUIRED),
    _md("no model", {"spec/model": GONE}, "spec.model", _REQUIRED, server_words=_SERVER_REQUIRED),
    _md(
        "no version",
        {"spec/model/version": GONE},
        "spec.model.version",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
    _md(
        "a version that is a number",
        {"spec/model/version": 2},
        "spec.model.version",
        'must be text; quote it: "2"',
        server_words="must be of type string",
    ),
    _md(
        "a version with a blank",
        {"spec/model/version": "2 final"},
        "spec.model.version",
        "must be letters, digits, '.', '_', '+' and '-'",
    ),
    _md("an empty model name", {"spec/model/name": ""}, "spec.model.name", "must be letters, digits"),
    _md(
        "a uri without a scheme",
        {"spec/model/uri": "bucket/iris"},
        "spec.model.uri",
        "must be a URI with a scheme",
    ),
    _md(
        "a uri with a password",
        {"spec/model/uri": "s3://me:secret@bucket/iris"},
        "spec.model.uri",
        "must not hold a password",
    ),
    _md(
        "a digest of the wrong kind",
        {"spec/model/uri": "s3://b/i", "spec/model/digest": "md5:00"},
        "spec.model.digest",
        "must be sha256: and 64 hexadecimal digits",
    ),
    _md(
        "a digest of nothing",
        {"spec/model/digest": "sha256:" + "0" * 64},
        "spec.model.digest",
        "digest needs uri",
    ),
    _md(
        "files to fetch from nowhere",
        {"spec/model/fetch": {}},
        "spec.model.fetch",
        "fetch needs uri",
    ),
    _md(
        "a poll of what is pinned",
        {**_PINNED, "spec/model/fetch": {}, "spec/model/pollInterval": "10m"},
        "spec.model.pollInterval",
        "pollInterval needs fetch, and no digest",
    ),
    _md(
        "a poll of what is not fetched",
        {"spec/model/uri": "s3://b/i", "spec/model/pollInterval": "10m"},
        "spec.model.pollInterval",
        "pollInterval needs fetch, and no digest",
    ),
    _md(
        "a poll at every moment",
        {"spec/model/uri": "s3://b/i", "spec/model/fetch": {}, "spec/model/pollInterval": "59.9s"},
        "spec.model.pollInterval",
        "pollInterval must be 1m or longer",
    ),
    _md(
        "a cache that is two",
        {
            **_PINNED,
            "spec/model/fetch": {"cache": {"hostPath": {"path": "/c"}, "persistentVolumeClaim": {"claimName": "c"}}},
        },
        "spec.model.fetch.cache",
        "cache has exactly one of persistentVolumeClaim and hostPath",
    ),
    _md(
        "a mount path that is relative",
        {**_PINNED, "spec/model/fetch": {"mountPath": "models"}},
        "spec.model.fetch.mountPath",
        "must be an absolute path",
    ),
    _md(
        "a size without a unit",
        {**_PINNED, "spec/model/fetch": {"maxBytes": "500"}},
        "spec.model.fetch.maxBytes",
        "must be a number of bytes such as 500Mi",
    ),
    _md(
        "a runbook that is no link",
        {"spec/model/card": {"runbook": "ask Bob"}},
        "spec.model.card.runbook",
        "must be a link that starts with https://",
    ),
    _md(
        "an owner twice",
        {"spec/model/card": {"owners": ["ann", "ann"]}},
        "spec.model.card.owners",
        "holds ann twice",
        server_words="Duplicate value",
    ),
    # --- serving
    _md("no port", {"spec/serving/port": GONE}, "spec.serving.port", _REQUIRED, server_words=_SERVER_REQUIRED),
    _md(
        "port 0",
        {"spec/serving/port": 0},
        "spec.serving.port",
        "must be at least 1",
        server_words="should be greater than or equal to 1",
    ),
    _md(
        "a port by name",
        {"spec/serving/port": "http"},
        "spec.serving.port",
        "must be a whole number",
        server_words="must be of type integer",
    ),
    _md(
        "fewer than no replicas",
        {"spec/serving/replicas": -1},
        "spec.serving.replicas",
        "must be at least 0",
        server_words="should be greater than or equal to 0",
    ),
    _md(
        "an unknown protocol",
        {"spec/serving/protocol": "v2"},
        "spec.serving.protocol",
        "must be one of open-inference, kserve-v1, mlflow, http, grpc",
        server_words='supported values: "open-inference", "kserve-v1", "mlflow", "http", "grpc"',
    ),
    _md(
        "nothing that serves",
        {"spec/serving/template": GONE},
        "spec.serving",
        "serving needs a template (the pods of the model), or existing (a Service that already serves it)",
    ),
    _md(
        "a template without containers",
        {"spec/serving/template": {"spec": {}}},
        "spec.serving.template.spec.containers",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
    _md(
        "a container without a name",
        {"spec/serving/template": {"spec": {"containers": [{"image": "i"}]}}},
        "spec.serving.template.spec.containers[0].name",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
    _md(
        "two containers of one name",
        {"spec/serving/template": {"spec": {"containers": [{"name": "m"}, {"name": "m"}]}}},
        "spec.serving.template.spec.containers",
        "holds m twice",
        server_words="Duplicate value",
    ),
    _md(
        "pods that end",
        {"spec/serving/template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m"}]}}},
        "spec.serving.template.spec.restartPolicy",
        "must be Always",
        server_words='supported values: "Always"',
    ),
    _md(
        "a label of Serin's in the template",
        {"spec/serving/template/metadata": {"labels": {"serin.dev/slot": "a"}}},
        "spec.serving.template.metadata.labels",
        "labels that start with serin.dev/ are set by Serin; remove them",
    ),
    _md(
        "an existing Service with a namespace",
        {"spec/serving/existing": {"service": "other/iris"}},
        "spec.serving.existing.service",
        "must be lower-case letters, digits and '-'",
    ),
    # --- traffic
    _md("no traffic", {"spec/traffic": GONE}, "spec.traffic", _REQUIRED, server_words=_SERVER_REQUIRED),
    _md(
        "traffic without a route",
        {"spec/traffic": {}},
        "spec.traffic",
        "traffic has exactly one of httpRoute and grpcRoute",
    ),
    _md(
        "traffic over two routes",
        {
            "spec/serving/protocol": "open-inference",
            "spec/traffic/grpcRoute": {"ref": {"name": "shop"}},
        },
        "spec.traffic",
        "traffic has exactly one of httpRoute and grpcRoute",
    ),
    _md(
        "a route of nobody",
        {"spec/traffic": {"httpRoute": {}}},
        "spec.traffic.httpRoute",
        "a route has exactly one of ref (a route that others keep) and parentRefs (Serin makes the route)",
    ),
    _md(
        "a route of others with parents of ours",
        {"spec/traffic": {"httpRoute": {"ref": {"name": "shop"}, "parentRefs": [{"name": "gw"}]}}},
        "spec.traffic.httpRoute",
        "a route has exactly one of ref",
    ),
    _md(
        "a route of others with host names of ours",
        {"spec/traffic": {"httpRoute": {"ref": {"name": "shop"}, "hostnames": ["a.example.com"]}}},
        "spec.traffic.httpRoute.hostnames",
        "with ref they stand in the route itself, so remove them here",
    ),
    _md(
        "a route of others with a path of ours",
        {"spec/traffic": {"httpRoute": {"ref": {"name": "shop"}, "path": "/v2"}}},
        "spec.traffic.httpRoute.path",
        "with ref it stands in the route itself, so remove it here",
    ),
    _md(
        "a path without a slash",
        {"spec/traffic/httpRoute/path": "v2"},
        "spec.traffic.httpRoute.path",
        "must start with /",
    ),
    _md(
        "a host name with a scheme",
        {"spec/traffic/httpRoute/hostnames": ["https://iris.example.com"]},
        "spec.traffic.httpRoute.hostnames[0]",
        "must be a host name such as iris.example.com",
    ),
    _md(
        "gRPC over an HTTPRoute",
        {"spec/serving/protocol": "grpc"},
        "spec.traffic",
        "serving.protocol grpc needs traffic.grpcRoute",
    ),
    _md(
        "HTTP over a GRPCRoute",
        {
            "spec/serving/protocol": "mlflow",
            "spec/traffic": {"grpcRoute": {"parentRefs": [{"name": "gw"}]}},
        },
        "spec.serving.protocol",
        "traffic.grpcRoute needs serving.protocol grpc or open-inference",
    ),
    # --- stages
    _plan(
        "weight 0",
        {"stages/0/canary/weight": 0},
        ".stages[0].canary.weight",
        "must be at least 1",
        server_words="should be greater than or equal to 1",
    ),
    _plan(
        "weight 100",
        {"stages/1/canary/weight": 100},
        ".stages[1].canary.weight",
        "must be at most 99",
        server_words="should be less than or equal to 99",
    ),
    _plan(
        "a weight in percent",
        {"stages/0/canary/weight": "10%"},
        ".stages[0].canary.weight",
        "must be a whole number",
        server_words="must be of type integer",
    ),
    _plan(
        "weights that fall",
        {"stages/0/canary/weight": 60},
        ".stages",
        "the weights of canary stages must rise from stage to stage",
    ),
    _plan(
        "weights that stay",
        {"stages/0/canary/weight": 50},
        ".stages",
        "the weights of canary stages must rise from stage to stage",
    ),
    _plan(
        "a stage without a soak",
        {"stages/0/canary/soak": GONE},
        ".stages[0].canary.soak",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
    _plan(
        "a soak without a unit",
        {"stages/0/canary/soak": "120"},
        ".stages[0].canary.soak",
        "must be a duration above zero such as 300ms, 1.2s, 2m or 1h30m",
    ),
    _plan(
        "a soak of nothing",
        {"stages/0/canary/soak": "0s"},
        ".stages[0].canary.soak",
        "must be a duration above zero such as 300ms, 1.2s, 2m or 1h30m",
    ),
    _plan(
        "a soak in days",
        {"stages/0/canary/soak": "2d"},
        ".stages[0].canary.soak",
        "must be a duration above zero such as 300ms, 1.2s, 2m or 1h30m",
    ),
    _plan(
        "a soak of 33 characters",
        {"stages/0/canary/soak": "0" * 32 + "s"},
        ".stages[0].canary.soak",
        "must be a duration above zero such as 300ms, 1.2s, 2m or 1h30m",
        server_words="Too long: may not be more than 32",
    ),
    _plan(
        "a stage that is two things",
        {"stages/1/bake": {"for": "1m"}},
        ".stages[1]",
        "a stage has exactly one of validate, warmup, canary, approval and bake",
    ),
    _plan(
        "a stage that is nothing",
        {"stages/1": {"name": "half"}},
        ".stages[1]",
        "a stage has exactly one of validate, warmup, canary, approval and bake",
    ),
    _kept("a report on a web server", {"uri": "https://reports.example.com/ml"}, ".uri", _PLACE),
    _kept("a report in a bucket's root", {"uri": "s3://reports"}, ".uri", _PLACE),
    _kept("a report with a key of the store", {"uri": "s3://ann:secret@reports/ml"}, ".uri", _PLACE),
    _kept("a report out of its claim", {"uri": "pvc://reports/../etc"}, ".uri", _PLACE),
    _kept("a report in a hidden folder", {"uri": "s3://reports/ml/.trash"}, ".uri", _PLACE),
    _kept("a report in a claim that has no such name", {"uri": "pvc://my_claim/ml"}, ".uri", _PLACE),
    _kept(
        "a report of 201 characters",
        {"uri": "s3://reports/" + "r" * 188},
        ".uri",
        _PLACE,
        server_words="Too long: may not be more than 200",
    ),
    _kept(
        "no report is kept",
        {"uri": "s3://reports/ml", "keep": 0},
        ".keep",
        "must be at least 1",
        server_words="should be greater than or equal to 1",
    ),
    _kept(
        "too many reports are kept",
        {"uri": "s3://reports/ml", "keep": 1001},
        ".keep",
        "must be at most 1000",
        server_words="should be less than or equal to 1000",
    ),
    _kept("a report nowhere", {"keep": 5}, ".uri", _REQUIRED, server_words=_SERVER_REQUIRED),
    _plan(
        "an approval before a canary",
        {"stages/0": {"name": "sign-off", "approval": {}}},
        ".stages",
        "an approval stage waits at the weight of the canary stage before it; put a canary stage first",
    ),
    _plan(
        "an approval by nobody",
        {"stages/1": {"name": "sign-off", "approval": {"approvers": 0}}},
        ".stages[1].approval.approvers",
        "must be at least 1",
        server_words="should be greater than or equal to 1",
    ),
    _plan(
        "an approval that is over at once",
        {"stages/1": {"name": "sign-off", "approval": {"expires": "0h"}}},
        ".stages[1].approval.expires",
        "must be a duration above zero such as 300ms, 1.2s, 2m or 1h30m",
    ),
    _plan(
        "bake before a canary",
        {
            "stages/1": {"name": "half", "bake": {"for": "1m"}},
            "stages/2": {"name": "late", "canary": {"weight": 60, "soak": "1m"}},
        },
        ".stages",
        "bake must be the last of the stages, and there can be only one",
    ),
    _plan(
        "two bakes",
        {"stages/1": {"name": "half", "bake": {"for": "1m"}}},
        ".stages",
        "bake must be the last of the stages, and there can be only one",
    ),
    _plan(
        "no canary at all",
        {"stages": [{"name": "bake", "bake": {"for": "1m"}}]},
        ".stages",
        "stages must hold a canary stage",
    ),
    _plan(
        "no stages at all",
        {"stages": []},
        ".stages",
        "must not be empty",
        server_words="should have at least 1 items",
    ),
    _plan(
        "17 stages",
        {"stages": [{"name": f"s{n}", "canary": {"weight": n, "soak": "1m"}} for n in range(1, 18)]},
        ".stages",
        "must hold at most 16 entries",
        server_words="must have at most 16 items",
    ),
    _plan(
        "two stages of one name",
        {"stages/1/name": "small"},
        ".stages",
        "holds small twice",
        server_words="Duplicate value",
    ),
    _plan(
        "a stage name in capitals",
        {"stages/0/name": "Small"},
        ".stages[0].name",
        "must be lower-case letters, digits and '-'",
    ),
    _plan(
        "a stage that lists an unknown gate",
        {"stages/0/canary/gates": ["errors", "typo"]},
        ".stages",
        "a stage lists a gate that is not among gates",
    ),
    _plan(
        "a bake that lists an unknown gate",
        {"stages/2/bake/gates": ["typo"]},
        ".stages",
        "a stage lists a gate that is not among gates",
    ),
    _plan(
        "a stage that lists a gate twice",
        {"stages/0/canary/gates": ["errors", "errors"]},
        ".stages[0].canary.gates",
        "holds errors twice",
        server_words="Duplicate value",
    ),
    _plan(
        "a holdback of more than half",
        {"stages/2/bake/holdback": 51},
        ".stages[2].bake.holdback",
        "must be at most 50",
        server_words="should be less than or equal to 50",
    ),
    _plan(
        "an unknown way to advance",
        {"stages/1/canary/advance": "always"},
        ".stages[1].canary.advance",
        "must be one of notFailing, passed",
        server_words='supported values: "notFailing", "passed"',
    ),
    # --- gates
    _plan(
        "a gate that is nothing",
        {"gates/0": {"name": "errors"}},
        ".gates[0]",
        "a gate has exactly one of compare, limit, query and hard",
    ),
    _plan(
        "a gate that is two things",
        {"gates/0/hard": {"restarts": 1}},
        ".gates[0]",
        "a gate has exactly one of compare, limit, query and hard",
    ),
    _plan(
        "slowerThan without an objective",
        {"gates/1/compare/objective": GONE},
        ".gates[1].compare.objective",
        "objective goes with what: slowerThan and only with it; add objective: 300ms, or remove it",
    ),
    _plan(
        "an objective for errors",
        {"gates/0/compare/objective": "300ms"},
        ".gates[0].compare.objective",
        "objective goes with what: slowerThan and only with it",
    ),
    _plan(
        "a limit on latency without an objective",
        {"gates/2/limit/objective": GONE},
        ".gates[2].limit.objective",
        "objective goes with what: slowerThan and only with it",
    ),
    _plan(
        "an objective in words",
        {"gates/1/compare/objective": "fast"},
        ".gates[1].compare.objective",
        "must be a duration above zero such as 300ms",
    ),
    _plan(
        "an unknown thing to compare",
        {"gates/0/compare/what": "errors"},
        ".gates[0].compare.what",
        "must be one of serverErrors, clientErrors, slowerThan",
        server_words='supported values: "serverErrors", "clientErrors", "slowerThan"',
    ),
    _plan(
        "a margin in percent",
        {"gates/0/compare/margin/plus": "1%"},
        ".gates[0].compare.margin.plus",
        "must be percentage points above 0pp and up to 100pp such as 0.2pp or 1pp",
    ),
    _plan(
        "a margin of nothing",
        {"gates/0/compare": {"what": "serverErrors", "margin": {"plus": "0pp"}}},
        ".gates[0].compare.margin.plus",
        "must be percentage points above 0pp",
    ),
    _plan(
        "a share of stable in points",
        {"gates/0/compare/margin/ofStable": "25pp"},
        ".gates[0].compare.margin.ofStable",
        "must be a percentage from 0% to 100% such as 25% or 0.5%",
    ),
    _plan(
        "a cap below the margin",
        {"gates/0/compare/margin": {"plus": "3pp"}},
        ".gates[0].compare.margin.max",
        "max must be at least plus; raise margin.max (2pp when not given) or lower margin.plus",
    ),
    _plan(
        "a tolerance as wide as the margin",
        {"gates/0/compare/tolerance": "0.2pp"},
        ".gates[0].compare.tolerance",
        "tolerance must be below margin.plus",
    ),
    _plan(
        "a limit in points",
        {"gates/2/limit/max": "1pp"},
        ".gates[2].limit.max",
        "must be a percentage above 0% and up to 100%",
    ),
    _plan(
        "a limit above everything",
        {"gates/2/limit/max": "101%"},
        ".gates[2].limit.max",
        "must be a percentage above 0% and up to 100%",
    ),
    _plan(
        "a query that cannot tell the arms apart",
        {"gates/3/query/total": "offers_total"},
        ".gates[3].query.total",
        "total must hold ${arm} inside its braces",
    ),
    _plan(
        "a query without a bad part",
        {"gates/3/query/bad": GONE},
        ".gates[3].query.bad",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
    _plan(
        "a hard gate that judges nothing",
        {"gates/4/hard": {"outOfMemory": False}},
        ".gates[4].hard",
        "hard judges nothing; give restarts, readyWithin or outOfMemory: true",
    ),
    _plan(
        "fewer than no restarts",
        {"gates/4/hard/restarts": -1},
        ".gates[4].hard.restarts",
        "must be at least 0",
        server_words="should be greater than or equal to 0",
    ),
    _plan(
        "two gates of one name",
        {"gates/1/name": "errors"},
        ".gates",
        "holds errors twice",
        server_words="Duplicate value",
    ),
    # --- the rest of a rollout
    _plan(
        "a policy in another namespace",
        {"policyRef": {"name": "other/careful"}},
        ".policyRef.name",
        "must be the name of a Kubernetes object",
    ),
    _plan(
        "a risk above one half",
        {"risk": {"falseRollback": "60%"}},
        ".risk.falseRollback",
        "falseRollback must be at most 50%",
    ),
    _plan(
        "a risk of nothing",
        {"risk": {"falsePromotion": "0%"}},
        ".risk.falsePromotion",
        "must be a percentage above 0% and up to 100% such as 1% or 0.5%",
    ),
    _plan(
        "an address for a metric source",
        {"metrics": {"source": "http://prometheus:9090"}},
        ".metrics.source",
        "must be lower-case letters, digits and '-'",
    ),
    _plan(
        "a deadline of nothing",
        {"timeouts": {"progress": "0m"}},
        ".timeouts.progress",
        "must be a duration above zero",
    ),
    _plan(
        "an unknown end of time",
        {"timeouts": {"onTimeout": "Promote"}},
        ".timeouts.onTimeout",
        "must be one of Rollback, Hold",
        server_words='supported values: "Rollback", "Hold"',
    ),
    _plan(
        "a pause that is no truth value",
        {"paused": "yes"},
        ".paused",
        "must be true or false",
        server_words="must be of type boolean",
    ),
    _md(
        "an unknown deletion policy",
        {"spec/deletionPolicy": "Keep"},
        "spec.deletionPolicy",
        "must be one of Delete, Orphan",
        server_words='supported values: "Delete", "Orphan"',
    ),
    _md(
        "a history of more than a hundred",
        {"spec/revisionHistoryLimit": 101},
        "spec.revisionHistoryLimit",
        "must be at most 100",
        server_words="should be less than or equal to 100",
    ),
    # --- the same in a policy
    _rp(
        "a policy with weights that fall",
        {"stages/0/canary/weight": 60},
        ".stages",
        "the weights of canary stages must rise from stage to stage",
    ),
    _rp(
        "a policy with an unknown gate",
        {"stages/0/canary/gates": ["typo"]},
        ".stages",
        "a stage lists a gate that is not among gates",
    ),
    _rp(
        "a policy with a risk above one half",
        {"risk": {"falsePromotion": "75%"}},
        ".risk.falsePromotion",
        "falsePromotion must be at most 50%",
    ),
    _rp(
        "a policy with a warm-in in words",
        {"warmIn": "a while"},
        ".warmIn",
        "must be a duration such as 0s, 300ms",
    ),
    _rp(
        "a policy with an unknown way out",
        {"onStableDown": "Panic"},
        ".onStableDown",
        "must be one of Hold, Promote",
        server_words='supported values: "Hold", "Promote"',
    ),
    # --- windows and freezes
    _rp(
        "a window with a time of another shape",
        {"windows": [{"from": "9:00"}]},
        ".windows[0].from",
        'must be a time of day from "00:00" to "24:00" such as "09:30", in quotes',
    ),
    _rp(
        "a window on no day",
        {"windows": [{"days": []}]},
        ".windows[0].days",
        "must not be empty",
        server_words="should have at least 1 items",
    ),
    _rp(
        "a window on a day of another language",
        {"windows": [{"days": ["Lun"]}]},
        ".windows[0].days[0]",
        "must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun",
        server_words='supported values: "Mon"',
    ),
    _rp(
        "a window on a day twice",
        {"windows": [{"days": ["Mon", "Mon"]}]},
        ".windows[0].days",
        "holds Mon twice",
        server_words="Duplicate value",
    ),
    _rp(
        "a window that is over at once",
        {"windows": [{"from": "09:00", "to": "09:00"}]},
        ".windows[0].from",
        "from must be another time than to, and before 24:00; leave both out for the whole day",
    ),
    _rp(
        "a window in a time zone with a blank",
        {"windows": [{"timezone": "Middle Europe"}]},
        ".windows[0].timezone",
        "must be the name of a time zone such as UTC or Europe/Berlin",
    ),
    _rp(
        "a freeze that ends before it begins",
        {"freezes": [{"from": "2026-12-24T00:00:00Z", "to": "2026-12-20T00:00:00Z"}]},
        ".freezes[0].from",
        "from must be before to; exchange the two, or correct the year",
    ),
    _rp(
        "a freeze without an end",
        {"freezes": [{"from": "2026-12-24T00:00:00Z"}]},
        ".freezes[0].to",
        _REQUIRED,
        server_words=_SERVER_REQUIRED,
    ),
)

BAD_ACTIONS = (
    _ra("an unknown act", {"action": "Shutdown"}, ".action", "must be one of Approve, Abort", server_words="supported"),
    _ra("an act about no revision", {"revision": GONE}, ".revision", _REQUIRED, server_words=_SERVER_REQUIRED),
    _ra("an act of nobody", {"actor": ""}, ".actor", "must not be empty", server_words="at least 1 chars long"),
    _ra("a stage to abort", {"action": "Abort", "stage": "half"}, ".stage", "stage goes with action: Approve only"),
)
"""The same for what people do by hand."""
