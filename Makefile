# MetaStruct: `make train` and `make test` do everything on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=# each of the processes that a sweep or a test starts would compile torch again
READY := .venv/.ready
READY_DOCS := .venv/.ready-docs

.PHONY: help setup train test torture lint docs benchmark reproduce report clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## virtual environment with everything (2 minutes)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --editable ".[dev]" --constraint constraints.txt
	@touch $(READY)

train: $(READY) ## the main job: meta-train on pendulums, adapt to ten new ones (half a minute)
	$(BIN)/python train.py system=pendulum modulation=svd rank=5

test: $(READY) ## all tests
	$(BIN)/python -m pytest

torture: $(READY) ## what takes longer: kills, commands that race, every pair of pieces (half an hour)
	$(BIN)/python -m pytest -m torture

lint: $(READY) ## style, types and the layers between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY_DOCS) ## the documentation, docs/build/html/index.html; a warning is an error (half a minute; with notebooks three, or more where cores are busy)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs docs/build/html

$(READY_DOCS): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --editable ".[docs]" --constraint constraints.txt
	@touch $(READY_DOCS)

benchmark: $(READY) ## the figures of merit, with their bars (the first time over an hour, for it trains)
	$(BIN)/python scripts/benchmark.py --record
	$(BIN)/python scripts/growth.py

reproduce: $(READY) ## the tables of the paper, outputs/reference/ (hours on two cores; goes on where it stopped)
	$(BIN)/python scripts/reproduce.py; ended=$$?; \
	[ $$ended -ge 2 ] || { $(BIN)/python scripts/local_rank.py && $(BIN)/python scripts/adaptation_cost.py; \
	$(BIN)/python scripts/report.py; $(BIN)/python scripts/readme.py; }; exit $$ended

report: $(READY) ## tables, figures, verdicts on the claims and report.html under outputs/reference/ (20 seconds)
	$(BIN)/python scripts/report.py
	$(BIN)/python scripts/readme.py

clean: ## remove the environment, caches and run folders; outputs/reference/ stays
	rm -rf .venv docs/build docs/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build src/*.egg-info
	find outputs -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +
