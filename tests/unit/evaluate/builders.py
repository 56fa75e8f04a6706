"""Configurations, files and reports with safe defaults: a test shows what it is about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from serin.evaluate.config import Config

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
COLUMNS: dict[str, list[Any]] = {
    "length": [5.1, 4.9, 6.3, 5.8],
    "width": [3.5, 3.0, 3.3, 2.7],
    "species": ["setosa", "setosa", "virginica", "virginica"],
}


def raw_config(**changes: Any) -> Json:
    """A configuration as it stands in a file."""
    return {
        "revision": "iris-2-x7k2p",
        "task": "classification",
        "classes": ["setosa", "virginica"],
        "datasets": [dataset()],
        "endpoints": {"candidate": {"url": "http://127.0.0.1:1", "model": "iris"}},
        "gates": [{"name": "accuracy", "metric": "accuracy", "min": 0.9}],
    } | changes


def dataset(**changes: Any) -> Json:
    """A data set's section."""
    return {"name": "holdout", "path": "holdout.parquet", "target": "species"} | changes


def config(**changes: Any) -> Config:
    """A configuration."""
    return Config.model_validate(raw_config(**changes))


def write(path: Path, columns: dict[str, list[Any]] | None = None) -> Path:
    """A file in the format that its name ends with."""
    table = pa.table(columns if columns is not None else COLUMNS)
    match path.suffix:
        case ".parquet":
            pyarrow.parquet.write_table(table, path)
        case ".csv":
            pyarrow.csv.write_csv(table, path)
        case _:
            path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))
    return path
