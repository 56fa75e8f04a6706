# `make help` lists what there is; the two that matter first are `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := operator:.

.DEFAULT_GOAL := help

##@ First hour
.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: tools ## the main job: five versions of a model on a real control plane, good ones promoted, bad ones rolled back
	$(BIN)/python -m tests.demo

.PHONY: test
test: check unit simulation cluster-tests ## everything: lint, types, layers, unit, simulation, integration and end-to-end tests

##@ Development
$(VENV)/.installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Serin needs Python 3.11 or newer; set PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: setup
setup: $(VENV)/.installed ## a virtual environment with everything that is locked

.PHONY: tools
tools: setup ## the local cluster's programs, built once into a cache folder (about 12 minutes the first time)
	$(BIN)/python -m tests.cluster tools

.PHONY: helm
helm: setup ## Helm, which renders the chart, built once into the same folder (about 2 minutes the first time)
	$(BIN)/python -m tests.unit.charts.helm

.PHONY: fmt
fmt: setup ## format
	$(BIN)/ruff format operator tests
	$(BIN)/ruff check --fix operator tests

.PHONY: lint
lint: setup ## ruff
	$(BIN)/ruff check operator tests docs

.PHONY: types
types: setup ## mypy --strict
	$(BIN)/mypy operator/serin tests/cluster tests/demo tests/bench tests/e2e

.PHONY: layers
layers: setup ## import-linter: who may know whom
	$(BIN)/lint-imports

.PHONY: crds
crds: setup helm ## generate crds/ from the pydantic models, and what has copies of them
	$(BIN)/python -m serin.api.crd crds
	rm -f charts/serin/files/crds/*.yaml && cp crds/*.yaml charts/serin/files/crds/
	$(BIN)/python -m tests.unit.charts.render

.PHONY: crds-check
crds-check: setup
	$(BIN)/python -m serin.api.crd --check crds

.PHONY: manifests
manifests: helm ## render manifests/install and manifests/monitoring from the chart, manifests/gitops from health.lua
	$(BIN)/python -m tests.unit.charts.render
	$(BIN)/python -m tests.unit.gitops.render

.PHONY: manifests-check
manifests-check: helm
	$(BIN)/python -m tests.unit.charts.render --check
	$(BIN)/python -m tests.unit.gitops.render --check

.PHONY: docs
docs: setup ## the generated pages, and the outputs of their examples
	$(BIN)/python docs/reasons_page.py
	$(BIN)/python docs/api_pages.py
	$(BIN)/python docs/examples.py

.PHONY: docs-check
docs-check: setup docs-site
	$(BIN)/python docs/reasons_page.py --check
	$(BIN)/python docs/api_pages.py --check
	$(BIN)/python docs/examples.py --check

.PHONY: docs-site
docs-site: setup ## the documentation as a site in build/site, without the network; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: check
check: lint types layers crds-check manifests-check docs-check ## everything that needs no test runner

.PHONY: unit
unit: setup helm ## unit tests: seconds, no cluster
	$(BIN)/pytest --numprocesses auto tests/unit tests/demo

.PHONY: simulation
simulation: setup ## the tests' error rates, simulated: a minute or two
	$(BIN)/pytest --numprocesses auto tests/simulation

.PHONY: cluster-tests
cluster-tests: tools helm ## integration and end-to-end tests on the local cluster
	$(BIN)/pytest --reruns 1 --numprocesses 2 --dist loadfile tests/integration --ignore tests/integration/cluster
	$(BIN)/pytest --reruns 1 tests/integration/cluster tests/e2e/lifecycle
	$(BIN)/pytest --reruns 1 --numprocesses 2 --dist loadfile tests/e2e/resilience tests/e2e/docs tests/e2e/rights

##@ Long runs, printed and not asserted
.PHONY: bench-scale
bench-scale: tools ## a thousand ModelDeployments, two hundred rollouts at once (about 20 minutes)
	$(BIN)/python -m tests.bench.scale

.PHONY: bench-revisions
bench-revisions: tools ## two hundred revisions of one ModelDeployment: objects and memory (about 20 minutes)
	$(BIN)/python -m tests.bench.revisions

.PHONY: bench-plugin
bench-plugin: tools ## kubectl serin on a thousand ModelDeployments, beside kubectl and python -c pass (about 2 minutes)
	$(BIN)/python -m tests.bench.plugin

.PHONY: bench-stats
bench-stats: setup ## what the sequential tests decide when, and what an update costs
	$(BIN)/python -m tests.bench.stats.bench_decisions
	$(BIN)/python tests/bench/stats/bench_update.py

.PHONY: bench-decisions
bench-decisions: setup ## which rule errs how often, on 480 simulated rollouts (about 15 minutes); ARGS=--quick: one
	$(BIN)/python -m tests.bench.decisions $(ARGS)

.PHONY: bench-verdicts
bench-verdicts: tools ## twenty bad versions and ten pairs that fail alike: who was hurt, how long it took
	$(BIN)/python -m tests.bench.verdicts

.PHONY: bench-artifacts
bench-artifacts: setup ## 2 GB by TLS, killed in the middle: memory, and speed beside curl
	$(BIN)/python -m tests.bench.artifacts

.PHONY: bench-evaluate
bench-evaluate: setup ## a million rows: memory, and whose processor time it is
	$(BIN)/python -m tests.bench.evaluate

.PHONY: soak-crash
soak-crash: tools ## die before and after every write of five kinds of rollout (about 20 minutes)
	$(BIN)/python -m tests.bench.soak crash

.PHONY: soak-acts
soak-acts: tools ## die before and after every write of first deployments, going back, deletion and so on (about 20 minutes)
	$(BIN)/python -m tests.bench.soak acts

.PHONY: soak-kills
soak-kills: tools ## 50 random kills over at least ten rollouts, the API server restarted in between (about 5 minutes)
	$(BIN)/python -m tests.bench.soak kills

.PHONY: soak-outage
soak-outage: tools ## Prometheus away for two minutes in mid-rollout (about 5 minutes)
	$(BIN)/python -m tests.bench.soak outage

.PHONY: soak-traffic
soak-traffic: tools ## 100 weight changes and 20 rollouts under load, no request fails (about 18 minutes)
	$(BIN)/python -m tests.bench.soak traffic

.PHONY: lock
lock: setup ## write requirements/ anew from pyproject.toml, with hashes and without any registry's name
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --constraint requirements/dev.txt --extra evaluate --extra artifacts pyproject.toml -o requirements/jobs.txt
