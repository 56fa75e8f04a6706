"""The whole warm-up against an endpoint on loopback."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from serin.cli.main import main
from serin.warmup.asking import Request
from serin.warmup.program import Config, run
from tests.unit.evaluate.test_short_answer import fits

Json = dict[str, Any]
Answering = Callable[[int], web.Response | float]
"""From a request's number to an answer, or to the seconds that it takes."""

METADATA = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]}


def warmed(answering: Answering, *, metadata: Any = METADATA, **fields: Any) -> tuple[Json, list[Json]]:
    """The short answer about such an endpoint, and what it was asked."""
    asked: list[Json] = []

    async def describe(_: web.Request) -> web.Response:
        return web.Response(text=metadata) if isinstance(metadata, str) else web.json_response(metadata)

    async def infer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        found = answering(len(asked))
        if isinstance(found, web.Response):
            return found
        await asyncio.sleep(found)
        return web.json_response({"outputs": []})

    async def story() -> Json:
        app = web.Application()
        app.router.add_get("/v2/models/iris", describe)
        app.router.add_post("/v2/models/iris/infer", infer)
        app.router.add_post("/predict", infer)
        async with TestServer(app) as server:
            defaults: Json = {"request": None, "window": 5, "within_seconds": 20.0, "timeout_seconds": 5.0}
            config = Config("iris-2-ab", f"http://127.0.0.1:{server.port}", "iris", **(defaults | fields))
            return await run(config)

    return asyncio.run(story()), asked


def gate(answer: Json) -> tuple[str, str]:
    """The verdict and its words."""
    assert fits(json.dumps(answer))
    (only,) = answer["gates"]
    assert only["verdict"] == answer["verdict"]
    assert answer["revision"] == "iris-2-ab"
    return only["verdict"], only["message"]


def first_milliseconds(words: str) -> float:
    """What the words say of the first answer."""
    found = re.match(r"the first answer took (\d+) ms", words)
    assert found, words
    return float(found[1])


def test_it_asks_until_the_answers_have_settled() -> None:
    """By the metadata's request, two windows after the last slow one."""
    answer, asked = warmed(lambda number: 0.3 if number <= 2 else 0.0)
    verdict, words = gate(answer)
    assert verdict == "pass"
    assert first_milliseconds(words) >= 300
    assert len(asked) >= 10
    assert asked[0] == {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [0, 0]}]}


def test_the_users_own_request_is_sent() -> None:
    answer, asked = warmed(lambda _: 0.0, request=Request("/predict", {"rows": [[1]]}), metadata=None)
    assert gate(answer)[0] == "pass"
    assert asked[0] == {"rows": [[1]]}


def test_a_model_that_never_answers_fails() -> None:
    answer, _ = warmed(lambda _: web.Response(status=503), within_seconds=1.2)
    assert gate(answer) == ("fail", "nothing was answered within 1.2 s: 0 answered; 3 times 503")


def test_a_model_that_hangs_fails() -> None:
    answer, _ = warmed(lambda _: 60.0, within_seconds=1.0, timeout_seconds=0.2)
    verdict, words = gate(answer)
    assert verdict == "fail"
    assert "times too late" in words


def test_a_model_that_comes_up_late_is_waited_for() -> None:
    answer, _ = warmed(lambda number: web.Response(status=503) if number <= 2 else 0.0)
    verdict, words = gate(answer)
    assert verdict == "pass"
    assert words.endswith(" answered; 2 times 503"), words


def test_a_request_that_does_not_fit_is_nothing_against_the_model() -> None:
    """It may be the stage's request that is wrong; asking on would only say so again."""
    answer, asked = warmed(lambda _: web.Response(status=422, text="no input y"))
    verdict, words = gate(answer)
    assert verdict == "undecided"
    assert words.endswith("is answered with 422: no input y")
    assert len(asked) == 1


@pytest.mark.parametrize("metadata", [{"name": "iris"}, "<html>", "[" * 5000])
def test_metadata_without_inputs_are_undecided(metadata: Any) -> None:
    """A model may say of itself what it likes; nested without end is no JSON either."""
    verdict, words = gate(warmed(lambda _: 0.0, metadata=metadata)[0])
    assert verdict == "undecided"
    assert "give the stage a request" in words


def test_steady_above_the_objective_fails() -> None:
    answer, _ = warmed(lambda _: 0.05, objective_seconds=0.01, within_seconds=1.5)
    verdict, words = gate(answer)
    assert verdict == "fail"
    assert "above the objective of 10 ms" in words


def test_answers_that_never_settle_are_undecided() -> None:
    answer, _ = warmed(lambda number: 0.2 if (number - 1) // 2 % 2 else 0.0, window=2, within_seconds=1.5)
    verdict, words = gate(answer)
    assert verdict == "undecided"
    assert words.startswith("not settled within 1.5 s: the median")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 5000, '{"revision": "x", "url": "u", "model": "m", "window": "many"}']
)
def test_a_configuration_that_cannot_be_read_ends_with_2(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so; nothing was asked."""
    (tmp_path / "warmup.json").write_text(text)
    assert main(["warmup", "--config", str(tmp_path / "warmup.json")]) == 2
    assert "warmup.json" in capsys.readouterr().err


def test_the_answer_is_left_where_the_kubelet_looks(tmp_path: Path) -> None:
    """Of an address where nobody listens, too."""
    config = {
        "revision": "iris-2-ab",
        "url": "http://127.0.0.1:9/",
        "model": "iris",
        "request": {"path": "/predict", "body": {}},
        "window": 5,
        "withinSeconds": 0.7,
        "timeoutSeconds": 1,
    }
    (tmp_path / "warmup.json").write_text(json.dumps(config))
    log = tmp_path / "termination-log"
    assert main(["warmup", "--config", str(tmp_path / "warmup.json"), "--termination-log", str(log)]) == 0
    verdict, words = gate(json.loads(log.read_text()))
    assert verdict == "fail"
    assert words.startswith("nothing was answered within 0.7 s")
