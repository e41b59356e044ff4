# Aura Lake. `make` alone lists the targets. Needs Python 3.11 to 3.13 and make, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Trust what the machine trusts: package indexes behind a company's own certificate then work too.
export UV_SYSTEM_CERTS = 1
export DAGSTER_DISABLE_TELEMETRY = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test test-slow test-services test-oracle test-sabotage benchmarks clean

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## .venv with the locked versions, and the command .venv/bin/aura

$(VENV)/.ready: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Aura Lake needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==0.13.9'
	$(BIN)/uv sync --frozen --quiet --compile-bytecode --python $(BIN)/python
	@$(BIN)/python -m compileall -q aura_lake assets sensors definitions.py
	@touch $@

demo: setup  ## the main job: 30 days of a shop, from first record to gold, and an answer
	$(BIN)/aura demo

ui: setup  ## the Dagster UI on the same lake, at http://127.0.0.1:3000
	$(BIN)/aura ui

test: setup  ## every check but the marked suites; under 10 minutes
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup

test-slow: setup  ## long suites: kills at random instants, every arrival order
	$(BIN)/python -m pytest -m "slow and not services"

test-services: setup  ## against real servers on this machine: PostgreSQL, Kafka, Connect, S3, Snowflake's protocol
	$(BIN)/python -m pytest -m "services and not slow"

test-oracle: setup  ## random SQL through the live chain, whose parts are killed (AURA_ROUNDS=20, AURA_SEED)
	$(BIN)/python -m pytest -m "services and slow" -x -s tests/services/test_live_oracle.py

test-sabotage: setup  ## breaks the code on purpose, one place at a time, and sees the suite fail
	$(BIN)/python -m pytest -m sabotage

benchmarks: setup  ## the figures of docs/performance.md, each beside what a user would pick instead
	$(BIN)/python -m benchmarks

clean:  ## remove the environment and the local lake
	rm -rf $(VENV) .aura
