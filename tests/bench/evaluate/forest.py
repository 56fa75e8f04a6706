"""The demo's model server with a random forest: a model that takes about as long as models of tables do."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from tests.demo.model_server import IrisModel, Settings, serve


def main() -> int:
    """Train, and serve by what the environment asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, required=True, help="0: the demo's own logistic regression")
    trees = parser.parse_args().trees
    rows, species = load_iris(return_X_y=True)
    model = RandomForestClassifier(trees, random_state=1).fit(rows, species) if trees else None
    settings = Settings.of(os.environ)
    return asyncio.run(serve(settings, IrisModel(settings, model)))


if __name__ == "__main__":
    sys.exit(main())
