"""python -m tests.bench.evaluate [--rows 1000000] [--batch-rows 500] [--arms 2] [--trees 100] [--spend-ms 0].

A data set of four features, as many rows as said, in parquet; two model servers with a random forest of scikit-learn's
usual size; and `serin evaluate` in a third process, whose peak memory is read. Prints figures; asserts nothing.

The model's time is the time in which at least one request is under way. Our overhead is all other time, and what we
keep the models waiting for in between is in it. On a machine that others use, both are mostly waiting for a
processor; then the CPU seconds say more. --trees 0 is a logistic regression, which takes hardly any time itself;
--spend-ms makes each answer so much later, as larger models do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import yaml
from sklearn.datasets import load_iris

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CHUNK = 50_000


def write_rows(path: Path, rows: int) -> None:
    """Iris with noise, a group, and a part, written a chunk at a time."""
    random = np.random.default_rng(1)
    known, species = load_iris(return_X_y=True)
    writer = None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        chosen = random.integers(0, len(known), count)
        values = known[chosen] + random.normal(scale=0.3, size=(count, 4))
        columns: dict[str, Any] = {name: values[:, place] for place, name in enumerate(NAMES)}
        columns |= {
            "species": species[chosen],
            "sex": np.array(["f", "m"])[random.integers(0, 2, count)],
            "region": np.array([f"r{k}" for k in range(10)])[random.integers(0, 10, count)],
        }
        table = pa.table(columns)
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def serve(port: int, trees: int, spend_ms: float) -> subprocess.Popen[bytes]:
    """A model server; slower for each request when asked."""
    env = {**os.environ, "MODEL_PORT": str(port)}
    if spend_ms:
        env |= {"SLOW_FRACTION": "1", "SLOW_SECONDS": str(spend_ms / 1000)}
    command = [sys.executable, "-m", "tests.bench.evaluate.forest", "--trees", str(trees)]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)


def cpu_seconds(pid: int) -> float:
    """What a process has used, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    """Until it is ready."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the model server is not ready after two minutes")


def configuration(ports: list[int], batch_rows: int) -> dict[str, Any]:
    """Both arms, ten slices, two groups, five gates."""
    endpoint = {"model": "iris", "answer": {"prediction": "species", "scores": "probabilities"}}
    return {
        "revision": "iris-2-x7k2p",
        "task": "classification",
        "classes": [0, 1, 2],
        "positive": 2,
        "datasets": [
            {"name": "holdout", "path": "rows.parquet", "target": "species", "features": list(NAMES)},
        ],
        "endpoints": {
            arm: endpoint | {"url": f"http://127.0.0.1:{port}"}
            for arm, port in zip(("candidate", "stable"), ports, strict=False)
        },
        "slices": [{"name": "region", "column": "region", "everyValue": True}],
        "groups": [{"name": "sex", "column": "sex"}],
        "asking": {"batchRows": batch_rows},
        "gates": [
            {"name": "accuracy", "metric": "accuracy", "min": 0.8},
            {"name": "everywhere", "metric": "accuracy", "min": 0.8, "perSlice": True},
            {"name": "area", "metric": "rocAuc", "min": 0.9},
            {"name": "fair", "metric": "equalizedOddsDifference", "max": 0.05, "group": "sex"},
            *([{"name": "no-worse", "metric": "accuracy", "maxDropVersusStable": 0.001}] if len(ports) > 1 else []),
        ],
    }


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch-rows", type=int, default=500)
    parser.add_argument("--arms", type=int, choices=(1, 2), default=2)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--spend-ms", type=float, default=0.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.parquet", options.rows)
        ports = [free_port() for _ in range(options.arms)]
        servers = [serve(port, options.trees, options.spend_ms) for port in ports]
        try:
            for port in ports:
                wait_for(port)
            (folder / "evaluation.yaml").write_text(yaml.safe_dump(configuration(ports, options.batch_rows)))
            command = [sys.executable, "-m", "serin", "evaluate", "--config", str(folder / "evaluation.yaml")]
            before = sum(cpu_seconds(server.pid) for server in servers)
            started = time.monotonic()
            subprocess.run([*command, "--output", str(folder / "out")], check=True)
            wall = time.monotonic() - started
            # Of the only child that was waited for; the servers still run.
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            model_cpu = sum(cpu_seconds(server.pid) for server in servers) - before
        finally:
            for server in servers:
                server.kill()
        (file,) = folder.glob("out/*/report.json")
        report = json.loads(file.read_text())
        size, page = file.stat().st_size, file.with_name("report.html").stat().st_size
    asked = report["run"]["asked"]
    model = max(one["seconds"] for one in asked.values())
    print(f"rows                {options.rows:>12,}")
    print(f"arms                {options.arms:>12}")
    print(f"requests            {sum(one['requests'] for one in asked.values()):>12,}")
    print(f"wall seconds        {wall:>12.1f}")
    print(f"model seconds       {model:>12.1f}")
    print(f"own CPU seconds     {used.ru_utime + used.ru_stime:>12.1f}   mostly while the models work")
    print(f"models' CPU seconds {model_cpu:>12.1f}")
    print(f"own / models' CPU   {(used.ru_utime + used.ru_stime) / model_cpu:>12.1%}   what is left on a busy machine")
    print(f"own overhead        {(wall - model) / model:>12.1%}   of the model's time")
    print(f"peak memory         {used.ru_maxrss * 1024 / 1e6:>12.0f}   MB")
    print(f"report              {size / 1e3:>12.0f}   kB, page {page / 1e3:.0f} kB")
    print(f"verdict             {report['verdict']:>12}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
