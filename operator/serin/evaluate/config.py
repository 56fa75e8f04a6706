"""The configuration: what is evaluated, on what, by which gates.

    revision: iris-3-4d9gr
    task: classification
    classes: [setosa, versicolor, virginica]
    datasets:
    - {name: holdout, path: holdout.parquet, target: species, maxAge: 30d, asOf: "2026-11-01T00:00:00Z"}
    endpoints:
      candidate: {url: "http://iris-b:8080", model: iris, answer: {prediction: species, scores: probabilities}}
      stable: {url: "http://iris-a:8080", model: iris, answer: {prediction: species, scores: probabilities}}
    gates:
    - {name: accuracy, metric: accuracy, min: 0.9}
    - {name: no-worse, metric: accuracy, maxDropVersusStable: 0.01}

A field that nobody knows is an error, and so is a gate that could never decide.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from serin.evaluate.endpoints import Asking, Endpoints
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.gate_config import Gate
from serin.evaluate.measures import DRIFT, NEED_POSITIVE, Task, measure_of, measures_of
from serin.evaluate.sections import CONFIDENCE, Duration, Label, Name, Section, Value

Format = Literal["parquet", "csv", "jsonl"]


class Dataset(Section):
    """Rows whose right answers are known."""

    name: Name
    """What it is called in gates and reports."""
    path: Path
    """The file; relative to the configuration's folder."""
    format: Format | None = None
    """Default: what the file's name ends with."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """What the file must hash to; the file is refused when it is another."""
    target: str
    """The column with the right answers: classes, numbers, or how relevant a row is to its query."""
    features: list[str] | None = None
    """What the model is asked, in this order; default: every column that has no other use."""
    ignore: list[str] = Field(default_factory=list)
    """Columns that are not read."""
    id: str | None = None
    """The column that names a row in reports; default: its number, from 0."""
    query: str | None = None
    """For ranking: the column that says which rows are ordered together."""
    max_age: Duration | None = None
    """Data older than this hold the evaluation. Needs asOf or timeColumn: a file's own time is that of its copying."""
    as_of: AwareDatetime | None = None
    """When the data were true."""
    time_column: str | None = None
    """The column with a row's time; the newest is the age of the data."""

    @model_validator(mode="after")
    def _age_can_be_told(self) -> Dataset:
        if self.max_age is not None and (self.as_of is None) == (self.time_column is None):
            raise ValueError("maxAge needs exactly one of asOf and timeColumn to tell the age by")
        return self

    @model_validator(mode="after")
    def _features_differ(self) -> Dataset:
        features = self.features or []
        if twice := sorted({name for name in features if features.count(name) > 1}):
            raise ValueError(f"features: {twice[0]} is there twice")
        return self

    @model_validator(mode="after")
    def _format_is_known(self) -> Dataset:
        if self.format is None and self.path.suffix not in _SUFFIXES:
            raise ValueError(f"format is needed: {self.path.name} ends with none of {', '.join(_SUFFIXES)}")
        return self

    @property
    def kind(self) -> Format:
        """The format, said or by suffix."""
        return self.format or _SUFFIXES[self.path.suffix]


_SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Slice(Section):
    """A part of the rows: each value of a column, some values, or a range. Exactly one of them."""

    name: Name
    """What it is called."""
    column: str
    """What it looks at."""
    every_value: bool = False
    """A slice for each value of the column, `valuesMax` at most."""
    values: list[Value] | None = None
    """One slice: the rows with one of these values."""
    at_least: float | None = None
    """One slice: from this on."""
    below: float | None = None
    """One slice: to less than this."""

    @model_validator(mode="after")
    def _one_way(self) -> Slice:
        ranged = self.at_least is not None or self.below is not None
        if sum((self.every_value, self.values is not None, ranged)) != 1:
            raise ValueError("needs exactly one of everyValue, values, and atLeast or below")
        return self


class Group(Section):
    """A protected attribute: the model should not treat its values differently. It is not sent to the model."""

    name: Name
    """What it is called."""
    column: str
    """The column with the group of each row."""


class Snapshot(Section):
    """What the training data looked like, as `serin evaluate --write-snapshot` keeps it."""

    path: Path
    """The file; relative to the configuration's folder."""


class Skew(Section):
    """Serving skew: some rows through the endpoint and through the artifact itself."""

    artifact: Path
    """A scikit-learn model as skops keeps it, or as pickle when `pickle` allows it."""
    rows: Annotated[int, Field(ge=1, le=100_000)] = 200
    """How many rows of the first data set, spread over all of it."""
    tolerance: Annotated[float, Field(ge=0)] = 1e-6
    """How far a number may be from the artifact's, relative to 1 + its size. Classes have to be the same."""
    trusted: list[str] = Field(default_factory=list)
    """Types in the artifact, beyond those that skops knows, that may be loaded."""
    pickle: bool = False
    """Take a pickle. Loading one runs whatever it holds: only for artifacts that your own pipeline made."""


class Limits(Section):
    """What is too large."""

    rows_max: Annotated[int, Field(ge=1)] = 10_000_000
    """Rows of a data set."""
    stored_megabytes_max: Annotated[float, Field(gt=0)] = 512.0
    """What may be kept of a data set's rows and answers at a time, in units of 10^6 bytes."""
    values_max: Annotated[int, Field(ge=2, le=1000)] = 50
    """Values of a column that is sliced or protected."""
    named_rows_max: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Rows that are named in the report, of a kind."""


class Intervals(Section):
    """How sure is sure."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = CONFIDENCE
    """Of a two-sided interval; a verdict is wrong with half of the rest at most."""
    resamples: Annotated[int, Field(ge=200, le=20_000)] = 1000
    """Bootstrap resamples."""
    rows_min: Annotated[int, Field(ge=1)] = 30
    """Fewer rows than these decide nothing."""


class Config(Section):
    """The whole file."""

    revision: Name
    """The revision on trial; the report is kept under its name."""
    attempt: Annotated[int, Field(ge=1)] | None = None
    """For which time it is on trial. A later attempt is another question: what serves beside it may be another."""
    task: Task
    """What the model does."""
    classes: Annotated[list[Label], Field(min_length=2, max_length=1000)] | None = None
    """For classification: the classes as they stand in the data, in the order of the model's scores."""
    positive: Label | None = None
    """The class that precision, recall, selection rates and fairness are about; of two, the second by default."""
    datasets: Annotated[list[Dataset], Field(min_length=1, max_length=32)]
    """What the model is asked."""
    slices: list[Slice] = Field(default_factory=list)
    """Parts of the rows that are looked at on their own."""
    groups: list[Group] = Field(default_factory=list)
    """Protected attributes."""
    endpoints: Endpoints
    """Who is asked."""
    asking: Asking = Asking()
    """How fast, how long, how often."""
    gates: Annotated[list[Gate], Field(min_length=1, max_length=64)]
    """What decides. Without a gate nothing would be judged, and nothing that was not judged passes."""
    cutoff: Annotated[int, Field(ge=1)] = 10
    """For ranking: the length of the list that a user sees."""
    snapshot: Snapshot | None = None
    """The training data."""
    skew: Skew | None = None
    """The artifact."""
    limits: Limits = Limits()
    """What is too large."""
    intervals: Intervals = Intervals()
    """How sure is sure."""

    @model_validator(mode="after")
    def _names_differ(self) -> Config:
        for kind, names in {
            "datasets": [one.name for one in self.datasets],
            "slices": [one.name for one in self.slices],
            "groups": [one.name for one in self.groups],
            "gates": [one.name for one in self.gates],
        }.items():
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{kind}: the name {twice[0]} is there twice")
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> Config:
        if self.task != "classification":
            if self.classes is not None or self.positive is not None:
                raise ValueError(f"classes and positive are for classification, not for {self.task}")
            return self
        if self.classes is None:
            raise ValueError("classes is needed for classification, in the order of the model's scores")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: one of them is there twice")
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError(f"positive: {self.positive} is not one of classes")
        return self

    @model_validator(mode="after")
    def _ranking_has_queries(self) -> Config:
        for dataset in self.datasets:
            if (dataset.query is not None) != (self.task == "ranking"):
                raise ValueError(f"datasets: {dataset.name}: query is for ranking, and needed there")
        return self

    @model_validator(mode="after")
    def _gates_can_decide(self) -> Config:
        datasets, groups = {one.name for one in self.datasets}, {one.name for one in self.groups}
        for gate in self.gates:
            if gate.metric not in measures_of(self.task):
                raise ValueError(f"gates: {gate.name}: {gate.metric} is no measure of {self.task}")
            if gate.metric in NEED_POSITIVE and self.positive_code is None:
                raise ValueError(f"gates: {gate.name}: {gate.metric} is about one class: positive says which")
            classes = len(self.classes) if self.classes is not None else None
            if (fault := gate.untelling(measure_of(gate.metric, classes))) is not None:
                raise ValueError(f"gates: {gate.name}: with {classes} classes {fault}")
            if gate.metric == DRIFT and self.snapshot is None:
                raise ValueError(f"gates: {gate.name}: {DRIFT} needs a snapshot of the training data")
            if gate.dataset is not None and gate.dataset not in datasets:
                raise ValueError(f"gates: {gate.name}: there is no data set {gate.dataset}")
            if gate.group is not None and gate.group not in groups:
                raise ValueError(f"gates: {gate.name}: there is no group {gate.group}")
            if gate.needs_stable and self.endpoints.stable is None:
                raise ValueError(f"gates: {gate.name}: compares with stable, and endpoints has none")
            if gate.per_slice and not self.slices:
                raise ValueError(f"gates: {gate.name}: perSlice without slices")
            if gate.per_group and not self.groups:
                raise ValueError(f"gates: {gate.name}: perGroup without groups")
        return self

    @property
    def positive_code(self) -> int | None:
        """The place of the positive class; None when there is none."""
        if self.classes is None:
            return None
        if self.positive is not None:
            return self.classes.index(self.positive)
        return 1 if len(self.classes) == 2 else None

    def digest(self) -> str:
        """SHA-256 of what the file says, whatever its spelling: two files that mean the same have the same."""
        plain = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(plain.encode()).hexdigest()


def load_config(path: Path) -> Config:
    """Read the file; paths in it become relative to its folder.

    Raises:
        Unfit: InvalidConfig: it is not there, is no YAML, or a field is wrong; the text names each.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        # ValueError: no UTF-8; and what YAML reads as a date or a number that there is not.
        raise Unfit(Fault.INVALID_CONFIG, f"{path}: {error}") from error
    except RecursionError as error:
        raise Unfit(Fault.INVALID_CONFIG, f"{path}: it is nested too deep") from error
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise Unfit(Fault.INVALID_CONFIG, f"{path.name}: " + "; ".join(map(": ".join, _faults(error)))) from error


def faults_of(raw: Any) -> list[tuple[str, str]]:
    """What is wrong with a configuration: fields, and words. Nothing when it can be evaluated by."""
    try:
        Config.model_validate(raw)
    except ValidationError as error:
        return _faults(error)
    return []


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    return [(".".join(map(str, fault["loc"])) or "file", fault["msg"]) for fault in error.errors()]


def age_seconds(dataset: Dataset, newest: datetime | None, now: datetime) -> float | None:
    """How old the data are; None when nothing tells."""
    at = dataset.as_of or newest
    return (now - at).total_seconds() if at is not None else None
