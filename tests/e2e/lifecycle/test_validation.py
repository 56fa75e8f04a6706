"""The stage validate on a real cluster: real models, asked by real Jobs on the iris data, before any user asks them.

What is rolled out are the samples that users copy, `manifests/samples/validation-*.yaml`.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.cluster.settings import NODE_ADDRESS
from tests.demo.stage import condition
from tests.e2e.lifecycle.bucket import store_served
from tests.e2e.lifecycle.samples import Sample
from tests.e2e.lifecycle.world import (
    NAMESPACE,
    Json,
    Model,
    World,
    promoted,
    serving,
    stalled,
    together,
    waiting,
)
from tests.unit.evaluate.builders import write

ROWS = 3000
LONG = 5.8
"""Sepals above it are long; half of the flowers have such."""
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FAR = f"http://{NODE_ADDRESS}:1"
"""Nobody is there."""


def holdout(path: Path, *, age: timedelta = timedelta(days=1)) -> None:
    """Write flowers near those of the iris data, each with the day it was measured; the file's name says the format."""
    known, species = load_iris(return_X_y=True)
    chance = np.random.default_rng(7)
    picked = chance.integers(len(known), size=ROWS)
    flowers = known[picked] + chance.normal(0, 0.01, (ROWS, 4))
    columns = {
        "row": [f"flower-{number}" for number in range(ROWS)],
        **{name: flowers[:, number].tolist() for number, name in enumerate(FEATURES)},
        "species": species[picked].tolist(),
        "measured": [(datetime.now(UTC) - age).isoformat()] * ROWS,
        "length": ["long" if flower[0] > LONG else "short" for flower in flowers],
    }
    # At once, because a Job may be about to read it.
    write(path.with_name(f"new-{path.name}"), columns).replace(path)


def judged(sample: str, iris: Model) -> Sample:
    """A sample of a validation, with data."""
    plan = Sample(sample, iris)
    holdout(plan.data)
    return plan


def wrong(fraction: float) -> Json:
    """A model that gives this share of the rows another species."""
    return {"WRONG_FRACTION": fraction}


async def jobs(iris: Model) -> list[Json]:
    """The Jobs of a ModelDeployment."""
    return await iris.world.list("Job", deployment=iris.name)


async def never_saw_a_request(iris: Model) -> bool:
    """Whether the route never gave anything to the candidate's slot."""
    return set(iris.shares()) == {(100, 0)}


def recorded(revision: Json) -> list[Json]:
    """What the record has of validations."""
    return [one for one in revision["status"].get("record", []) if one["event"] == "validate"]


def answers(revision: Json) -> list[str]:
    """The same in words."""
    return [one["message"] for one in recorded(revision)]


@together
async def test_a_better_model_passes_on_data_before_it_gets_a_request(world: World) -> None:
    """The answer is in the record with numbers and where the report is, and the report is there."""
    iris = world.model("judged-well")
    plan = judged("validation-better", iris)
    async with store_served(world, iris.its("store"), 18089, "reports") as bucket:
        await plan.reach(bucket.environment)
        await iris.serve("1", faults=wrong(0.05), scikit_learn=True)
        async with world.load(iris.host) as load:
            await plan.roll_out("2")
            md = await iris.until(waiting("Validating", "holdout"))
            assert md["status"]["phase"] == "Validating"
            assert md["status"]["rollout"]["stage"] == "holdout"
            assert await never_saw_a_request(iris)
            await iris.until(promoted("2"))
        assert not load.failures
        await iris.until_verdict("2", "Stable")
        revision = await iris.revision("2")
        (entry,) = recorded(revision)
        kept = f"serin/{NAMESPACE}/{iris.name}/{revision['metadata']['name']}.1.holdout"
        content = (bucket.folder / kept / "report.json").read_bytes()
        assert entry["report"] == {
            "place": f"s3://reports/{kept}/report.json",
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        }
        assert json.loads(content)["verdict"] == "pass"
        assert "<svg" in (bucket.folder / kept / "report.html").read_text()
    assert entry["message"].startswith("pass: "), entry
    assert "good: " in entry["message"]
    assert entry["report"]["place"] in entry["message"]
    assert len(await jobs(iris)) == 1, "asked once"


@together
async def test_a_worse_model_is_rejected_and_nobody_has_seen_it(world: World) -> None:
    """ValidationFailed with the gate and its interval; stable was never touched. The store of reports is away."""
    iris = world.model("judged-bad")
    plan = judged("validation-better", iris)
    await plan.reach({"AWS_ENDPOINT_URL": FAR})
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host) as load:
        await plan.roll_out("2", wrong(0.4))
        md = await iris.until(stalled("RolledBack", "ValidationFailed", "good: ", "the report was not stored: "))
        assert serving(md, "1")
    assert not load.failures
    assert not load.of("2")
    assert await never_saw_a_request(iris)
    await iris.until_verdict("2", "Rejected")
    (entry,) = recorded(await iris.revision("2"))
    assert list(entry["report"]) == ["trouble"], entry
    await iris.told_once("ValidationFailed")


@together
async def test_a_first_model_is_judged_by_itself_before_anybody_sees_it(world: World) -> None:
    """A bad one is stalled with its numbers and no request reaches it; a good one takes its place and serves."""
    iris = world.model("judged-first")
    plan = judged("validation-better", iris)
    del plan.stage("validate")["report"]
    await plan.roll_out("1", wrong(0.4))
    md = await iris.until(stalled("FirstRevisionFailing", "stage holdout", "good: "))
    assert "no-worse" not in condition(md, "Stalled")["message"], "nothing serves that it could be compared with"
    assert condition(md, "Ready")["status"] == "False"
    assert {weights for weights in iris.shares() if weights != (0, 100)} == set(), "slot a had no weight"
    await plan.roll_out("2")
    await iris.until(promoted("2"))
    await iris.until_answered_by("2")
    await iris.until_verdict("2", "Stable")
    (answer,) = answers(await iris.revision("2"))
    assert answer.startswith("pass: "), answer


@together
async def test_a_higher_score_with_negative_flips_is_stopped(world: World) -> None:
    """90 % right before and 94 % now, but about 4 % of what was right before is wrong now."""
    iris = world.model("judged-flips")
    await iris.serve("1", faults=wrong(0.08), scikit_learn=True)
    await judged("validation-flips", iris).roll_out("2", wrong(0.04))
    md = await iris.until(stalled("RolledBack", "ValidationFailed", "flips: "))
    assert "better: " not in condition(md, "Stalled")["message"], "the score is higher; it is the flips that stop it"


@together
async def test_a_model_that_is_biased_against_a_group_is_stopped(world: World) -> None:
    """Its score is good enough; of the long flowers it gets many more wrong than of the short ones."""
    iris = world.model("judged-biased")
    await iris.serve("1", scikit_learn=True)
    await judged("validation-bias", iris).roll_out("2", wrong(0.3) | {"WRONG_ABOVE": LONG})
    md = await iris.until(stalled("RolledBack", "ValidationFailed", "fair: "))
    assert "good: " not in condition(md, "Stalled")["message"]


@together
async def test_preprocessing_that_training_did_not_have_is_caught(world: World) -> None:
    """The same rows through the endpoint and through the artifact: the served one shifts a feature first."""
    iris = world.model("judged-skewed")
    plan = judged("validation-skew", iris)
    trained = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
    skops.io.dump(trained, plan.seen_as(plan.evaluation["skew"]["artifact"]))
    await iris.serve("1", scikit_learn=True)
    await plan.roll_out("2", {"SHIFT": 0.3})
    md = await iris.until(stalled("RolledBack", "ValidationFailed", "skew: "))
    assert "good: " not in condition(md, "Stalled")["message"], "the score alone would let it pass"


@together
async def test_a_stale_set_holds_until_it_is_renewed(world: World) -> None:
    """Too old is neither a pass nor a failure; the question is asked again, and answered by newer data."""
    iris = world.model("judged-late")
    plan = Sample("validation-stale", iris)
    holdout(plan.data, age=timedelta(days=45))
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host):
        await plan.roll_out("2")
        md = await iris.until(waiting("ValidationUndecided", "DatasetStale"))
        assert serving(md, "1")
        assert await never_saw_a_request(iris)
        holdout(plan.data)
        await iris.until(promoted("2"))
    await iris.until_verdict("2", "Stable")
    said = answers(await iris.revision("2"))
    assert [one.partition(":")[0] for one in (said[0], said[-1])] == ["undecided", "pass"], said


@together
async def test_data_that_cannot_be_used_stall_and_a_corrected_stage_goes_on(world: World) -> None:
    """A column has another name than the configuration says; nothing is held against the candidate."""
    iris = world.model("judged-columns")
    plan = judged("validation-stale", iris)
    (dataset,) = plan.evaluation["datasets"]
    target, dataset["target"] = dataset["target"], "kind"
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host):
        await plan.roll_out("2")
        md = await iris.until(stalled("ValidationBlocked", "WrongColumns", "kind"))
        assert serving(md, "1")
        dataset["target"] = target
        await plan.roll_out("2")
        await iris.until(promoted("2"))


@together
async def test_a_slow_loader_gets_its_first_user_when_it_is_warm(world: World) -> None:
    """Its first answer takes 0.4 s; the requests that find that out are no user's."""
    iris = world.model("warmed")
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host) as load:
        await Sample("validation-warmup", iris).roll_out("2", {"START_DELAY_SECONDS": 2, "COLD_SECONDS": 0.4})
        await iris.until(waiting("Validating", "stage warm", "settle"))
        assert await never_saw_a_request(iris)
        await iris.until(promoted("2"))
    assert not load.failures
    await iris.until_verdict("2", "Stable")
    (answer,) = answers(await iris.revision("2"))
    first = re.match(r"pass: warm: the first answer took (\d+) ms", answer)
    assert first, answer
    assert int(first[1]) >= 400


@together
async def test_a_candidate_that_never_answers_is_rejected_by_its_warm_up(world: World) -> None:
    """It is Ready, and hangs; nobody has waited for it but the warm-up, with a request made from its metadata."""
    iris = world.model("never-warm")
    plan = Sample("validation-warmup", iris)
    plan.stage("warmup").pop("request")
    plan.stage("warmup").update(within="8s", requestTimeout="3s")
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host) as load:
        await plan.roll_out("2", {"HANG_FRACTION": 1})
        md = await iris.until(stalled("RolledBack", "ValidationFailed", "nothing was answered within 8 s"))
        assert serving(md, "1")
    assert not load.failures
    assert await never_saw_a_request(iris)


@together
async def test_a_validation_that_is_interrupted_runs_again_and_counts_once(world: World) -> None:
    """Its pod is deleted, as when its node goes; then somebody deletes the Job itself."""
    iris = world.model("judged-twice")
    plan = judged("validation-stale", iris)
    plan.evaluation["asking"] = {"batchRows": 50, "inFlight": 1, "rowsPerSecond": 300}
    await iris.serve("1", scikit_learn=True)
    async with world.load(iris.host):
        await plan.roll_out("2")
        await iris.until(waiting("Validating"))
        first = await _running_pod(iris)
        await world.delete("Pod", first)
        second = await _running_pod(iris, other_than=first)
        (job,) = await jobs(iris)
        await world.delete("Job", job["metadata"]["name"])
        await world.until_gone("Pod", second)
        await iris.until(promoted("2"))
    await iris.until_verdict("2", "Stable")
    assert len(answers(await iris.revision("2"))) == 1


@together
async def test_a_validation_that_nobody_asks_for_any_more_is_ended(world: World) -> None:
    """The spec asks for the stable version again while the Job runs."""
    iris = world.model("judged-no-more")
    plan = judged("validation-stale", iris)
    plan.evaluation["asking"] = {"batchRows": 50, "inFlight": 1, "rowsPerSecond": 100}
    await iris.serve("1", scikit_learn=True)
    await plan.roll_out("2")
    await _running_pod(iris)
    (job,) = await jobs(iris)
    await iris.apply(iris.spec("1", scikit_learn=True))
    await iris.until(promoted("1"))
    await world.until_gone("Job", job["metadata"]["name"])


async def _running_pod(iris: Model, other_than: str = "") -> str:
    found: list[str] = []

    async def runs() -> bool:
        pods = await iris.world.list("Pod", deployment=iris.name, stage="holdout")
        found[:] = [
            pod["metadata"]["name"]
            for pod in pods
            if pod["metadata"]["name"] != other_than and pod["status"].get("phase") == "Running"
        ]
        return bool(found)

    await iris.world.eventually(runs, "a pod of the Job runs")
    return found[0]
