"""Two models of iris, and what a training job does with them: logged with MLflow's scikit-learn flavour, registered.

    python -m tests.e2e.lifecycle.training log NAME             registers versions 1 and 2; waits for the server
    python -m tests.e2e.lifecycle.training alias NAME ALIAS N   lets an alias name a version

MLFLOW_TRACKING_URI names the server. Neither of the two is what the demo's model server trains by itself, so an answer
tells from which file it came.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import requests
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SERVER_SECONDS_MAX = 120.0


def trained(version: str) -> Any:
    """Fit the model of a version; the same each time."""
    models = {"1": GaussianNB(), "2": make_pipeline(StandardScaler(), LogisticRegression())}
    return models[version].fit(*load_iris(return_X_y=True))


def log(name: str) -> None:
    """Log both models in the format that runs no code on loading, and register them."""
    import mlflow.sklearn

    for version in ("1", "2"):
        with mlflow.start_run():
            logged = mlflow.sklearn.log_model(
                trained(version),
                name="model",
                registered_model_name=name,
                serialization_format="skops",
                pip_requirements=[
                    "scikit-learn",
                    "skops",
                ],  # asked to find out, it would load the model in a subprocess
            )
        assert str(logged.registered_model_version) == version


def alias(name: str, word: str, version: str) -> None:
    """Let an alias name a version; it moves when it named another."""
    from mlflow import MlflowClient

    MlflowClient().set_registered_model_alias(name, word, version)


def until_it_answers(url: str) -> None:
    """Wait for the server, which migrates its database first."""
    deadline = time.monotonic() + SERVER_SECONDS_MAX
    while True:
        try:
            requests.get(f"{url}/health", timeout=5).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    until_it_answers(os.environ["MLFLOW_TRACKING_URI"])
    match sys.argv[1:]:
        case ["log", name]:
            log(name)
        case ["alias", name, word, version]:
            alias(name, word, version)
        case _:
            sys.exit(__doc__)
