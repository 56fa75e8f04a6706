"""A scikit-learn model behind the Open Inference Protocol (REST), as a user's image would hold it.

    python -m tests.demo.model_server

The model tells three species of iris apart. It is model.skops in the folder SERIN_MODEL_PATH, where Serin has fetched
one, or is trained at start, on the data that scikit-learn ships.
Every answer carries the version in `x-serin-version`. Own metrics at /metrics.

Faults, by environment, because a demonstration needs bad versions:

    FAIL_FRACTION         this share of inference requests answers 500
    SLOW_FRACTION         this share takes SLOW_SECONDS (default 0.5) longer
    HANG_FRACTION         this share is never answered
    WRONG_FRACTION        this share of rows gets another species: always the same rows, but others in each version
    WRONG_ABOVE           only rows whose first feature is above this are wrong: a model that is biased against a group
    SHIFT                 added to the first feature: preprocessing that training did not have
    COLD_SECONDS          the first request takes so long, the next 29 ever less: weights are loaded, caches filled
    CRASH_AFTER_SECONDS   the process ends with exit code 1
    START_DELAY_SECONDS   it is live but not ready for so long

Also MODEL_PORT (8080) and DRAIN_SECONDS (3). On SIGTERM readiness fails at once while requests are answered
on; the process ends when none is in flight, at the earliest after DRAIN_SECONDS.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import signal
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

FEATURES = 4
CLASSES = 3
DATATYPES = ("FP64", "FP32", "INT64", "INT32")
ROWS_MAX = 4096
COLD_ANSWERS = 30
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
"""With an edge at 0.3, the demo's objective: a share above an objective can only be counted at an edge."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Json = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the environment asks for."""

    model: str = "iris"
    version: str = "1"
    artifact: Path | None = None
    """The folder that holds model.skops, None to train."""
    port: int = 8080
    drain_seconds: float = 3.0
    fail_fraction: float = 0.0
    slow_fraction: float = 0.0
    slow_seconds: float = 0.5
    hang_fraction: float = 0.0
    wrong_fraction: float = 0.0
    wrong_above: float = -math.inf
    shift: float = 0.0
    cold_seconds: float = 0.0
    crash_after_seconds: float = 0.0
    start_delay_seconds: float = 0.0

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Settings:
        """Read the environment; SERIN_MODEL_NAME, _VERSION and _PATH come from Serin."""

        def number(name: str, default: float) -> float:
            return float(env.get(name) or default)

        return cls(
            model=env.get("SERIN_MODEL_NAME", "iris"),
            version=env.get("SERIN_MODEL_VERSION", "1"),
            artifact=Path(env["SERIN_MODEL_PATH"]) if env.get("SERIN_MODEL_PATH") else None,
            port=int(number("MODEL_PORT", 8080)),
            drain_seconds=number("DRAIN_SECONDS", 3.0),
            fail_fraction=number("FAIL_FRACTION", 0),
            slow_fraction=number("SLOW_FRACTION", 0),
            slow_seconds=number("SLOW_SECONDS", 0.5),
            hang_fraction=number("HANG_FRACTION", 0),
            wrong_fraction=number("WRONG_FRACTION", 0),
            wrong_above=number("WRONG_ABOVE", -math.inf),
            shift=number("SHIFT", 0),
            cold_seconds=number("COLD_SECONDS", 0),
            crash_after_seconds=number("CRASH_AFTER_SECONDS", 0),
            start_delay_seconds=number("START_DELAY_SECONDS", 0),
        )


class Refused(Exception):
    """A request that the protocol does not allow: 400 when it cannot be read, 422 when it does not fit the model."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class IrisModel:
    """A model given, what was fetched, or logistic regression on the iris data; as wrong as it is told to be."""

    def __init__(self, settings: Settings = Settings(), model: Any = None) -> None:
        self._settings, self._salt = settings, settings.version.encode()
        self._model = model or (_fetched(settings.artifact) if settings.artifact else _trained())

    def infer(self, rows: NDArray[np.float64]) -> dict[str, tuple[str, NDArray[Any]]]:
        """Return each output's datatype and values."""
        settings = self._settings
        probabilities = self._model.predict_proba(rows + np.array([settings.shift, 0.0, 0.0, 0.0]))
        if settings.wrong_fraction:
            shares = [zlib.crc32(self._salt + row.tobytes()) / 2**32 for row in np.ascontiguousarray(rows)]
            wrong = (np.array(shares) < settings.wrong_fraction) & (rows[:, 0] > settings.wrong_above)
            probabilities[wrong] = np.roll(probabilities[wrong], 1, axis=1)
        return {
            "species": ("INT64", probabilities.argmax(axis=1)),
            "probabilities": ("FP64", probabilities),
        }


def _trained() -> Any:
    rows, species = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(rows, species)


def _fetched(folder: Path) -> Any:
    from skops.io import load  # takes a second, which whoever trains needs not wait

    return load(folder / "model.skops")


class Server:
    """The protocol, the metrics and the faults."""

    def __init__(self, settings: Settings, model: IrisModel, *, chance: random.Random | None = None) -> None:
        self.settings = settings
        self.model = model
        self.ready = False
        self.in_flight = 0
        self._chance = chance or random.Random()
        self._leaving = False
        self._answers = 0
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("http_requests_total", "Inference requests.", ["code"], registry=self._registry)
        self._seconds = Histogram(
            "request_duration_seconds",
            "Time to answer an inference request.",
            buckets=BUCKETS_SECONDS,
            registry=self._registry,
        )
        info = Gauge("model_info", "The model that is served.", ["model", "version"], registry=self._registry)
        info.labels(settings.model, settings.version).set(1)
        for code in ("200", "500"):
            self._requests.labels(code)  # a counter that is there from the start never has its first step missed

    def application(self) -> web.Application:
        """Return the routes of the protocol."""
        app = web.Application(middlewares=[self._every_answer])
        model = f"/v2/models/{self.settings.model}"
        app.router.add_get("/v2", self._server)
        app.router.add_get("/v2/health/live", self._live)
        app.router.add_get("/v2/health/ready", self._ready)
        for path in (model, f"{model}/versions/{self.settings.version}"):
            app.router.add_get(path, self._metadata)
            app.router.add_get(f"{path}/ready", self._ready)
            app.router.add_post(f"{path}/infer", self._infer)
        app.router.add_get("/metrics", self._metrics)
        return app

    def leave(self) -> None:
        """Fail readiness and close connections after their next answer, so that clients move elsewhere."""
        self._leaving = True

    @web.middleware
    async def _every_answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Refused as refusal:
            response = web.json_response({"error": str(refusal)}, status=refusal.status)
        except web.HTTPException as missing:
            response = web.json_response({"error": missing.reason}, status=missing.status)
        response.headers["x-serin-version"] = self.settings.version
        if self._leaving:
            response.force_close()
        return response

    async def _server(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response({"name": "serin-demo", "version": "1", "extensions": []})

    async def _live(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response({"live": True})

    async def _ready(self, request: web.Request) -> web.Response:  # noqa: ARG002
        ready = self.ready and not self._leaving
        body = {"ready": ready, "name": self.settings.model}
        return web.json_response(body, status=200 if ready else 503)

    async def _metadata(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response(
            {
                "name": self.settings.model,
                "versions": [self.settings.version],
                "platform": "sklearn",
                "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, FEATURES]}],
                "outputs": [
                    {"name": "species", "datatype": "INT64", "shape": [-1]},
                    {"name": "probabilities", "datatype": "FP64", "shape": [-1, CLASSES]},
                ],
            }
        )

    async def _metrics(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _infer(self, request: web.Request) -> web.Response:
        started, code = time.perf_counter(), 500
        self.in_flight += 1
        try:
            response = await self._answer(request)
            code = response.status
        except Refused as refusal:
            code = refusal.status
            raise
        finally:
            self.in_flight -= 1
            self._requests.labels(str(code)).inc()
            self._seconds.observe(time.perf_counter() - started)
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.ready:
            return web.json_response({"error": "the model is loading"}, status=503)
        if self._happens(self.settings.hang_fraction):
            await asyncio.sleep(3600)
        if self._answers < COLD_ANSWERS:
            await asyncio.sleep(self.settings.cold_seconds * (1 - self._answers / COLD_ANSWERS))
        self._answers += 1
        if self._happens(self.settings.slow_fraction):
            await asyncio.sleep(self.settings.slow_seconds)
        if self._happens(self.settings.fail_fraction):
            return web.json_response({"error": "this version fails on request"}, status=500)
        call = parse(body)
        outputs = self.model.infer(rows_of(call))
        wanted = requested_outputs(call, list(outputs))
        answer: Json = {
            "model_name": self.settings.model,
            "model_version": self.settings.version,
            "outputs": [
                {
                    "name": name,
                    "datatype": outputs[name][0],
                    "shape": list(outputs[name][1].shape),
                    "data": outputs[name][1].ravel().tolist(),
                }
                for name in wanted
            ],
        }
        if call.get("id") is not None:
            answer["id"] = call["id"]
        return web.json_response(answer)

    def _happens(self, fraction: float) -> bool:
        return fraction > 0 and self._chance.random() < fraction


def parse(body: bytes) -> Json:
    """Read a request's JSON.

    Raises:
        Refused: It is no JSON object with a list of inputs (400).
    """
    try:
        call = json.loads(body)
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(call, dict) or not isinstance(call.get("inputs"), list):
        raise Refused(400, "the body must be an object with a list 'inputs'")
    return call


def rows_of(call: Json) -> NDArray[np.float64]:
    """Return the one input tensor as rows of features.

    Raises:
        Refused: It has fields missing (400), or does not fit the model (422).
    """
    inputs = call["inputs"]
    if len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise Refused(422, f"this model takes one input tensor, not {len(inputs)}")
    tensor = inputs[0]
    missing = [field for field in ("name", "shape", "datatype", "data") if field not in tensor]
    if missing:
        raise Refused(400, f"the input tensor lacks {', '.join(missing)}")
    if tensor["datatype"] not in DATATYPES:
        raise Refused(422, f"datatype {tensor['datatype']} is not one of {', '.join(DATATYPES)}")
    shape = tensor["shape"]
    if not (isinstance(shape, list) and len(shape) == 2 and all(type(size) is int for size in shape)):
        raise Refused(422, f"shape must be [rows, {FEATURES}], not {shape}")
    if shape[1] != FEATURES or not 1 <= shape[0] <= ROWS_MAX:
        raise Refused(422, f"shape must be [1 to {ROWS_MAX}, {FEATURES}], not {shape}")
    try:
        values = np.asarray(tensor["data"], dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise Refused(422, f"data holds something that is not a number: {error}") from error
    if values.size != math.prod(shape):
        raise Refused(422, f"data has {values.size} values; shape {shape} needs {math.prod(shape)}")
    if not np.isfinite(values).all():
        raise Refused(422, "data holds NaN or infinity")
    return values.reshape(shape)


def requested_outputs(call: Json, known: list[str]) -> list[str]:
    """Return the outputs that a request asks for, all when it names none.

    Raises:
        Refused: It asks for one that the model does not have (422), or not by name (400).
    """
    outputs = call.get("outputs")
    if not outputs:
        return known
    try:
        names = [str(output["name"]) for output in outputs]
    except (TypeError, KeyError) as error:
        raise Refused(400, "each of 'outputs' must have a name") from error
    if unknown := sorted(set(names) - set(known)):
        raise Refused(422, f"unknown output {', '.join(unknown)}; there are {', '.join(known)}")
    return names


async def serve(settings: Settings, model: IrisModel) -> int:
    """Serve until SIGTERM, then drain; return the exit code."""
    loop = asyncio.get_running_loop()
    server = Server(settings, model)
    runner = web.AppRunner(server.application(), access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", settings.port, backlog=1024).start()
    end: asyncio.Future[int] = loop.create_future()

    def finish(code: int) -> None:
        if not end.done():
            end.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, finish, 0)
    loop.add_signal_handler(signal.SIGINT, finish, 0)
    loop.call_later(settings.start_delay_seconds, lambda: setattr(server, "ready", True))
    if settings.crash_after_seconds:
        loop.call_later(settings.crash_after_seconds, finish, 1)
    print(f"{settings.model} version {settings.version} listens on {settings.port}", flush=True)
    code = await end
    if code == 0:
        server.leave()
        await asyncio.sleep(settings.drain_seconds)
        # A request that hangs on purpose would be waited for until SIGKILL: that is what the limit is for.
        for _ in range(100):
            if server.in_flight == 0:
                break
            await asyncio.sleep(0.1)
        await runner.cleanup()
    return code


def main() -> int:
    """Serve by what the environment asks for."""
    settings = Settings.of(os.environ)
    return asyncio.run(serve(settings, IrisModel(settings)))


if __name__ == "__main__":
    sys.exit(main())
