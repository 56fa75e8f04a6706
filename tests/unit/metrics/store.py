"""A Prometheus in memory: scrapes text, answers the selectors that the hub asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from serin.metrics.series import Series

RECORDED = Path(__file__).parent / "recorded"

_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)?\{(?P<matchers>.*)\}\[(?P<ms>\d+)ms\]", re.DOTALL)
_MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda value, text: value == text,
    "!=": lambda value, text: value != text,
    "=~": lambda value, text: re.fullmatch(text, value) is not None,
    "!~": lambda value, text: re.fullmatch(text, value) is None,
}


class Store:
    """Samples by series. `time` for now(), `asked` lists the queries."""

    def __init__(self) -> None:
        self.samples: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        self.asked: list[str] = []
        self.time = 0.0
        self.failing: Callable[[str], Exception | None] = lambda _: None

    def scrape(self, at: float, text: str | Iterable[str] = "", **target: str) -> None:
        """One scrape of a target: every line becomes a sample with the target's labels, and up becomes 1."""
        self.put(at, {"__name__": "up", **target}, 1.0)
        lines = text if isinstance(text, str) else "\n".join(text)
        for family in text_string_to_metric_families(lines + "\n"):
            for sample in family.samples:
                self.put(at, {"__name__": sample.name, **sample.labels, **target}, float(sample.value))

    def put(self, at: float, labels: Mapping[str, str], value: float) -> None:
        """One sample."""
        kept = tuple(sorted((name, text) for name, text in labels.items() if text))
        self.samples.setdefault(kept, []).append((at, value))

    async def query(self, expression: str, time: float) -> list[Series]:
        """What a range selector gives."""
        self.asked.append(expression)
        failure = self.failing(expression)
        if failure:
            raise failure
        found = _SELECTOR.fullmatch(expression)
        assert found, f"not a range selector: {expression}"
        begin = time - int(found["ms"]) / 1000
        matchers = [(name, op, _unquoted(text)) for name, op, text in _MATCHER.findall(found["matchers"])]
        if found["name"]:
            matchers.append(("__name__", "=", found["name"]))
        answer = []
        for identity, samples in self.samples.items():
            labels = dict(identity)
            if all(_COMPARE[op](labels.get(name, ""), text) for name, op, text in matchers):
                seen = [(at, value) for at, value in samples if begin < at <= time]
                if seen:
                    answer.append(Series.of(labels, seen))
        return answer

    async def now(self) -> float:
        """The time that the test says it is."""
        return self.time

    def close(self) -> None:
        """Nothing to give back."""


def recorded(name: str) -> str:
    """A recorded /metrics text."""
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
