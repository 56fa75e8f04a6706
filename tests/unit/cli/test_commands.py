"""The commands against an API server over loopback: what they ask for, print, and exit with."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.api.builders import deployment, policy
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.conftest import Run, hold
from tests.unit.cli.stories import STORIES


def test_get_has_a_line_for_each_however_many_pages_they_come_in(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = STORIES["promoted"]()
    for number in range(1201):
        metadata = story.md["metadata"] | {"name": f"iris-{number:04}"}
        api.add("modeldeployments", story.md | {"metadata": metadata})
    assert run("get") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1202
    assert [asked.query.get("continue") for asked in api.asked] == [None, "1000"]
    assert {asked.query["limit"] for asked in api.asked} == {"1000"}


def test_lines_of_get_are_never_broken_however_long(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(api, "in_a_canary_stage")
    monkeypatch.setenv("COLUMNS", "40")
    assert run("get", "-o", "wide") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[-3:] == ["PHASE", "WAITING", "URL"]
    assert line.rstrip().endswith("http://iris.example.com/")
    assert "more requests of the candidate" in line


def test_the_namespace_is_the_contexts_unless_another_is_given(api: ApiServer, run: Run) -> None:
    run("get")
    run("get", "--namespace", "other")
    run("get", "--all-namespaces")
    assert [asked.path.removeprefix("/apis/serin.dev/v1alpha1") for asked in api.asked] == [
        "/namespaces/ml/modeldeployments",
        "/namespaces/other/modeldeployments",
        "/modeldeployments",
    ]


def test_an_empty_namespace_is_said_and_is_no_failure(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "there is no ModelDeployment in namespace ml; -A looks in all namespaces\n"


def test_an_empty_list_is_a_list_in_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("get", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_status_reads_the_revisions_of_its_deployment_only(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "rolled_back")
    assert run("status", "iris") == 0
    assert "iris-v2  version v2  Rejected (GateFailed)" in capsys.readouterr().out
    assert api.asked[-1].query["labelSelector"] == "serin.dev/deployment=iris"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_status_as_data_has_the_numbers_and_nothing_that_is_not_known(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    hold(api, "in_a_canary_stage")
    assert run("status", "iris", "-o", form) == 0
    out = capsys.readouterr().out
    found: Any = json.loads(out) if form == "json" else yaml.safe_load(out)
    assert found["standing"] == "rolling out"
    rollout = found["deployment"]["rollout"]
    assert rollout["gates"][0]["candidate"] == {"total": 150.0, "bad": 0.0}
    assert rollout["gates"][0]["interval"] == [pytest.approx(-0.0057, abs=1e-3), pytest.approx(0.031, abs=1e-3)]
    assert "difference" not in rollout["gates"][1]  # nothing was counted
    assert found["revisions"][0]["name"] == "iris-v2"


@pytest.mark.parametrize("command", ["status iris -o wide", "history iris v2 -o wide", "explain iris", "diff iris"])
def test_lines_into_a_pipe_are_whole_and_end_where_their_words_do(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    hold(api, "rolled_back")
    assert run(*command.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(len(line) for line in lines) < 500


def test_nothing_is_coloured_into_a_pipe(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    hold(api, "rolled_back")
    run("status", "iris")
    assert "\x1b" not in capsys.readouterr().out


def test_history_of_a_revision_is_found_by_its_version(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "rolled_back")
    assert run("history", "iris", "v2") == 0
    out = capsys.readouterr().out
    assert out.startswith("iris-v2  version v2  Rejected (GateFailed)")
    assert "roll back  small, 0 %  GateFailed" in out


def test_a_revision_that_is_not_there_fails_with_those_that_are(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "rolled_back")
    assert run("explain", "iris", "v9") == 1
    assert "there is no revision v9; there are: iris-v2, iris-v1" in capsys.readouterr().err


def test_diff_compares_stable_with_what_was_tried_last(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "rolled_back")
    assert run("diff", "iris", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "before": "iris-v1",
        "after": "iris-v2",
        "fields": [
            {"field": "model.version", "before": "v1", "after": "v2"},
            {
                "field": "serving.template.spec.containers[model].image",
                "before": "registry.example/iris:v1",
                "after": "registry.example/iris:v2",
            },
        ],
    }


def test_pause_writes_one_field_and_resume_takes_it_back(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")
    assert run("pause", "iris") == 0
    assert capsys.readouterr().out == "ml/iris paused; it can still roll back\n"
    written = api.asked[-1]
    assert (written.method, written.body) == ("PATCH", {"spec": {"rollout": {"paused": True}}})
    assert written.content_type == "application/merge-patch+json"
    assert written.query == {"fieldManager": "kubectl-serin"}
    assert story.md["spec"]["rollout"] == {"paused": True}
    assert run("resume", "iris") == 0
    assert story.md["spec"]["rollout"] == {}


def test_pausing_twice_writes_once(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    hold(api, "paused_after_others")
    assert run("pause", "iris") == 0
    assert capsys.readouterr().out == "ml/iris is paused already\n"
    assert {asked.method for asked in api.asked} == {"GET"}


def test_pausing_what_git_keeps_says_who_will_undo_it(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")
    story.md["metadata"]["managedFields"] = [{"manager": "argocd-controller"}, {"manager": "serin"}]
    run("pause", "iris")
    assert capsys.readouterr().err.startswith("argocd-controller keeps this object")


# --- wait ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("promoted", 0, "ml/iris promoted: iris-v1 is stable: the first revision is ready"),
        (
            "rolled_back",
            3,
            "ml/iris rolled back (RolledBack): iris-v2 was rolled back (GateFailed): errors: candidate 9",
        ),
        ("crashed", 3, "ml/iris rolled back (RolledBack): iris-v2 was rolled back (CrashLoop)"),
    ],
)
def test_wait_tells_promoted_from_rolled_back_by_its_exit_code(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], name: str, code: int, words: str
) -> None:
    hold(api, name)
    assert run("wait", "iris") == code
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize("name", ["spec_not_seen_yet", "in_a_canary_stage", "metrics_away", "first_deployment"])
def test_wait_times_out_while_there_is_no_end(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Above all not at the old Promoted=True of a spec that the operator has not looked at."""
    hold(api, name)
    assert run("wait", "iris", "--timeout", "0s") == 124
    assert capsys.readouterr().out.startswith("ml/iris timed out: ")


def test_wait_ends_when_the_spec_asks_for_another_version(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")
    changing = _when_asked(api, 1, lambda: story.md["spec"]["model"].update(version="v3"))
    assert run("wait", "iris", "--timeout", "20s") == 5
    changing.join()
    assert capsys.readouterr().out == "ml/iris superseded: the spec asks for something else by now: version v3\n"


def test_wait_outlasts_an_api_server_that_fails_for_a_moment(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")

    def fail() -> None:
        api.broken = True

    def end() -> None:
        story.md["status"] = STORIES["rolled_back"]().md["status"]
        api.broken = False

    threads = [_when_asked(api, 1, fail), _when_asked(api, 2, end)]
    assert run("wait", "iris", "--timeout", "20s") == 3
    for thread in threads:
        thread.join()
    assert "the API server answered 500: etcdserver: request timed out; trying again" in capsys.readouterr().err


def test_wait_for_a_version_that_nobody_asked_for_is_refused(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipeline that applied nothing must not be told of the success of the version before."""
    hold(api, "promoted")
    assert run("wait", "iris", "--version", "v2") == 2
    assert "asks for version v1, not v2" in capsys.readouterr().err


# --- watch -----------------------------------------------------------------------------------------------------------


def test_watch_into_a_pipe_has_a_line_for_each_change_and_none_for_growing_numbers(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")
    same = copy.deepcopy(story.md)
    same["status"]["rollout"]["waitingFor"] = "soaking, 45 of 60 s"
    bake = STORIES["in_bake"]().md
    newer = bake | {"metadata": bake["metadata"] | {"generation": 2}}
    api.changes = [
        {"type": "MODIFIED", "object": same},
        {"type": "MODIFIED", "object": bake},
        {"type": "MODIFIED", "object": newer},
        {"type": "DELETED", "object": newer},
    ]
    assert run("watch", "iris") == 0
    lines = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert lines == [
        "Canary  stage small, 10 %, undecided  RollingOut",
        "Baking  stage bake, 95 %, pass  RollingOut",
        "not seen  the operator has not looked at this spec yet; if that lasts, see whether it runs",
    ]
    watched = next(asked for asked in api.asked if "watch" in asked.query)
    assert watched.query["resourceVersion"] == "7"
    assert watched.query["fieldSelector"] == "metadata.name=iris"


def test_watch_begins_anew_when_the_version_that_it_saw_is_too_old(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(api, "in_a_canary_stage")
    api.changes = [{"type": "ERROR", "object": {"code": 410}}]
    gone = _when_asked(api, 4, api.objects.clear)
    assert run("watch", "iris") == 0
    gone.join()
    assert capsys.readouterr().out.splitlines()[-1] == "ml/iris is gone"


# --- plan and lint ---------------------------------------------------------------------------------------------------


def test_plan_needs_no_cluster_for_the_built_in_policy(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", "--requests-per-second", "50") == 0
    out = capsys.readouterr().out
    assert out.startswith("policy built-in, at 50 requests/s\ntakes about ")
    assert api.asked == []


def test_plan_of_a_deployment_takes_its_policy_and_the_rates_that_were_seen(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    story = hold(api, "in_a_canary_stage")
    story.md["spec"] = deployment(rollout={"policyRef": {"name": "careful"}})["spec"]
    api.add("rolloutpolicies", policy() | {"metadata": {"name": "careful", "namespace": "ml", "generation": 3}})
    assert run("plan", "iris", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["policy"] == "careful, generation 3"
    assert found["requestsPerSecond"] == pytest.approx(50.0)  # 750 in 15 s
    assert found["gates"][0]["rate"] == pytest.approx(0.001, rel=0.05)


def test_plan_does_not_know_the_traffic_of_a_rollout_that_has_counted_none(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """As right after an apply. It said that --requests-per-second must not be 0, to somebody who had not given it."""
    story = hold(api, "in_a_canary_stage")
    story.md["spec"] = deployment()["spec"]
    story.md["status"]["rollout"]["evidence"]["requests_per_second"] = 0
    assert run("plan", "iris") == 2
    assert "the traffic is not known" in capsys.readouterr().err
    assert run("plan", "iris", "--requests-per-second", "0") == 2
    assert "must be above 0" in capsys.readouterr().err


def test_plan_says_that_the_policy_is_missing(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    story = hold(api, "promoted")
    story.md["spec"] = deployment(rollout={"policyRef": {"name": "careful"}})["spec"]
    assert run("plan", "iris", "--requests-per-second", "50") == 2
    assert "there is no RolloutPolicy careful in this namespace" in capsys.readouterr().err


def test_plan_of_a_file(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy()))
    assert run("plan", "-f", str(file), "--requests-per-second", "50", "--rate", "slow=2%", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["policy"] == "careful"
    assert {gate["name"]: gate.get("rate") for gate in found["gates"]}["slow"] == 0.02


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["plan"], "the traffic is not known"),
        (["plan", "--requests-per-second", "0"], "must be above 0"),
        (["plan", "--requests-per-second", "5", "--rate", "half"], "must be a percentage"),
        (["plan", "-f", "nowhere.yaml", "--requests-per-second", "5"], "nowhere.yaml cannot be read"),
        (["get", "iris", "-A"], "a name is one of a namespace"),
    ],
)
def test_what_cannot_be_used_is_said_with_exit_code_2(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], want: str
) -> None:
    assert run(*words) == 2
    assert want in capsys.readouterr().err


def test_lint_of_nothing_is_no_success(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lint", kubeconfig=None) == 2
    assert "no file is given" in capsys.readouterr().err


def test_lint_fails_on_what_would_be_refused(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    raw = deployment()
    raw["spec"]["model"]["version"] = 2
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bad.yaml").write_text(yaml.safe_dump(raw))
    (tmp_path / "notes.txt").write_text("not: [yaml")
    assert run("lint", str(tmp_path), kubeconfig=None) == 1
    assert capsys.readouterr().out == (
        f'{tmp_path}/sub/bad.yaml:1: error: ModelDeployment iris: spec.model.version: must be text; quote it: "2"\n'
        "1 object: 1 error\n"
    )


def test_lint_of_files_without_an_object_of_serin_is_no_success(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n")
    assert run("lint", str(tmp_path), kubeconfig=None) == 2
    assert "nothing was checked" in capsys.readouterr().err


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_there(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "iris") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "error: there is no ModelDeployment iris in namespace ml",
        "  `kubectl serin get --all-namespaces` lists what there is; is ml the right namespace (-n)?",
    ]


@pytest.mark.parametrize(
    "command", [["get"], ["status", "iris"], ["watch", "iris"], ["wait", "iris"], ["approve", "iris"]]
)
def test_a_cluster_without_serin(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    api.installed = False
    assert run(*command) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: the cluster does not know the kind ModelDeployment of serin.dev/v1alpha1",
        "  install Serin there (docs/quickstart.md), or choose another cluster by --context",
    ]


def test_missing_rights(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    api.forbids = True
    assert run("get", "-A") == 1
    said = capsys.readouterr().err
    assert 'User "me" cannot list resource "modeldeployments"' in said
    assert "give one: -n NAMESPACE" in said


def test_a_server_that_is_away(api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    api.port = 1  # nothing listens there
    began = time.monotonic()
    assert run("get", kubeconfig=api.kubeconfig(tmp_path)) == 1
    assert time.monotonic() - began < 20  # and not after retries for minutes
    said = capsys.readouterr().err
    assert said.startswith("error: http://127.0.0.1:1 does not answer: ")
    assert "kubectl cluster-info" in said


def test_no_kubeconfig_at_all(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("get", kubeconfig=str(tmp_path / "none")) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: no way to reach a cluster: ")
    assert "--kubeconfig FILE" in said


def test_a_context_that_is_not_there(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("get", "--context", "elsewhere") == 1
    assert "elsewhere" in capsys.readouterr().err


def test_a_time_out_that_is_no_duration(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("wait", "iris", "--timeout", "4") == 2
    assert "write 90s, 30m or 4h" in capsys.readouterr().err


def _when_asked(api: ApiServer, number: int, act: Callable[[], object]) -> threading.Thread:
    """Do something once so many requests have come."""

    def body() -> None:
        for _ in range(3000):
            if len(api.asked) >= number:
                act()
                return
            time.sleep(0.01)

    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("history iris", "iris-v2"),
        ("history iris v2", "iris-v2  version v2  Rejected (GateFailed)"),
        ("explain iris v2", "GateFailed"),
        ("explain iris", "iris-v2"),
        ("diff iris v1 v2", "registry.example/iris:v2"),
        ("card iris v2", "- Verdict: Rejected"),
        ("report iris v2", "<html"),
    ],
)
def test_records_are_read_when_their_deployment_is_gone(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str], command: str, says: str
) -> None:
    """spec.retain leaves them; which object they are of is said beside, not in the output."""
    story = hold(api, "rolled_back")
    del api.objects["modeldeployments", story.md["metadata"]["namespace"], "iris"]
    assert run(*command.split()) == 0
    captured = capsys.readouterr()
    assert says in captured.out
    assert "ModelDeployment ml/iris is gone" in captured.err


def test_a_deployment_that_left_nothing_is_not_there(
    api: ApiServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("history", "iris") == 1
    assert "gone" not in capsys.readouterr().err
