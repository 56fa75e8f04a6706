"""A real Prometheus loads the alerts, and they are true when what they are about happens, and not before."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from serin.api.reasons import Reason
from serin.controller.config import Listen
from serin.controller.health import Health
from serin.controller.telemetry import Telemetry
from serin.rollout.decision import Note
from tests.cluster import tools
from tests.unit.charts.objects import CHART, load

ALERTS = CHART / "files" / "alerts.yaml"
EXPRESSIONS: dict[str, str] = {
    rule["alert"]: rule["expr"] for group in load(ALERTS)["groups"] for rule in group["rules"]
}
DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
VARIABLES = {"$namespace": ".*", "$__range": "1h", "$__rate_interval": "1m"}
REPLICAS = 2
SECONDS_MAX = 60.0


class Scraped:
    """Two replicas' metrics and the Prometheus that reads them every half second."""

    def __init__(self, url: str, replicas: list[Telemetry]) -> None:
        self.url, self.replicas = url, replicas

    def ask(self, path: str, **query: str) -> Any:
        """One question to Prometheus."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def true(self, expression: str) -> bool:
        """Whether the expression has a result now."""
        return bool(self.ask("query", query=expression)["result"])

    def firing(self) -> set[str]:
        """Whose expression is true; how long it has to be is not waited for."""
        return {name for name, expression in EXPRESSIONS.items() if self.true(expression)}

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the next scrapes to show it."""
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, self.firing()
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@contextmanager
def _served(telemetry: Telemetry, port: int) -> Iterator[None]:
    """The operator's own /metrics, in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    health = Health(Listen(host="127.0.0.1", port=port), telemetry.registry, lambda: True)
    asyncio.run_coroutine_threadsafe(health.start(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(health.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    """Nobody leads yet."""
    program = tools.ensure(["prometheus"])["prometheus"]
    replicas = [Telemetry() for _ in range(REPLICAS)]
    ports = [_free_port() for _ in replicas]
    own = _free_port()
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {
                "job_name": "serin-metrics",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"namespace": "serin-system"}}
                ],
            }
        ],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={tmp_path / 'prometheus.yaml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    with ExitStack() as stack, (tmp_path / "log").open("w") as log:
        for telemetry, port in zip(replicas, ports, strict=True):
            stack.enter_context(_served(telemetry, port))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            found = Scraped(f"http://127.0.0.1:{own}", replicas)
            found.until(lambda: process.poll() is not None or _answers(found))
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield found
        finally:
            process.terminate()
            process.wait(20)


def _answers(scraped: Scraped) -> bool:
    try:
        return scraped.true("count(serin_leading) == 2")
    except OSError:
        return False


def _tell(telemetry: Telemetry, reason: Reason) -> None:
    telemetry.transition(Note("Warning", reason, "words"))


def test_each_is_true_when_its_time_has_come(scraped: Scraped) -> None:
    """From a start without a leader to everything at once; each step makes one more true."""
    one, two = scraped.replicas
    rules = [rule for group in scraped.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == EXPRESSIONS.keys()
    scraped.until(lambda: scraped.firing() == {"SerinHasNoLeader"})

    one.leading(True)
    scraped.until(lambda: scraped.firing() == set())

    want: set[str] = set()

    def follows(alert: str) -> None:
        want.add(alert)
        scraped.until(lambda: scraped.firing() == want)

    _tell(one, Reason.PROMOTED)  # good news is no alert
    _tell(one, Reason.GATE_FAILED)
    follows("SerinRolledBack")
    _tell(one, Reason.DEADLINE_EXCEEDED)
    follows("SerinStuck")
    _tell(one, Reason.NOT_READY)
    follows("SerinHeld")
    one.error()
    follows("SerinLooksFail")
    two.watch_depth(lambda: 101.0)
    follows("SerinFallsBehind")
    two.leading(True)
    follows("SerinHasTwoLeaders")


def test_a_transition_is_told_once_and_the_next_one_again(scraped: Scraped) -> None:
    """With a window of five seconds for fifteen minutes: a first count, a quiet time, a second one."""
    expression = EXPRESSIONS["SerinRolledBack"]
    assert expression.count("15m") == 2
    expression = expression.replace("15m", "5s")
    for _ in range(2):
        assert not scraped.true(expression)
        _tell(scraped.replicas[0], Reason.CRASH_LOOP)
        scraped.until(lambda: scraped.true(expression))
        scraped.until(lambda: not scraped.true(expression))


def test_an_operator_that_is_gone_leads_no_more(scraped: Scraped) -> None:
    """Without any series there is nothing that could be below 1."""
    expression = EXPRESSIONS["SerinHasNoLeader"].replace("serin_leading", 'serin_leading{job="nobody"}')
    assert scraped.true(expression)


def test_the_panels_of_the_dashboard_show_something(scraped: Scraped) -> None:
    """Each question is understood, and has an answer once everything was counted."""
    one, _ = scraped.replicas
    one.leading(True)
    one.requested("get", "leases")
    for _ in range(3):
        _tell(one, Reason.PROMOTED)
        one.looked(0.01)
        time.sleep(1)
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            assert "$" not in expression
            scraped.until(functools.partial(scraped.true, expression))
