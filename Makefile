# Two commands matter: `make run` plays a recorded day of news, `make test` runs every test that can run here.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
RESOLVE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml
# All tests are shared by so many processes: one with the chaos, one that mostly waits (tests/side_by_side.py).
PROCESSES ?= 2

CHAOS_SECONDS ?= 90
CHAOS_SEEDS ?= 20260512,20260513,20260514

.PHONY: help run test test-fast chaos lint bench train eval kafka lock schemas clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/.run ## Play the demo day: alerts here, the desk on http://127.0.0.1:8642 (ARGS=--exit: at full speed, then stop)
	@$(BIN)/tumen demo $(ARGS)

test: $(VENV)/.dev ## Run every test that can run here; without ARGS every branch of what decides must be run
	@$(BIN)/pytest -m "" $(or $(ARGS),--cov -n $(PROCESSES))

test-fast: $(VENV)/.dev ## Run the tests without broker, browser and chaos (at most a minute)
	@$(BIN)/pytest $(or $(ARGS),-n $(PROCESSES))

chaos: $(VENV)/.dev ## Kill, stop and starve services and brokers at length: CHAOS_SECONDS=90 for each of three CHAOS_SEEDS
	@$(BIN)/pytest -m chaos --chaos-seconds=$(CHAOS_SECONDS) --chaos-seeds=$(CHAOS_SEEDS) $(ARGS)

lint: $(VENV)/.dev ## Check style, types, import contracts and the freshness of generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.export --check
	@$(BIN)/python -m services.bus.kafka.asyncapi --check

bench: $(VENV)/.dev ## Measure, each figure beside a bare loop of the same run
	@$(BIN)/python -m bench $(ARGS)

train: $(VENV)/.train ## Learn the classifier's weights again, and write their card (needs the labelled news beside the project)
	@$(BIN)/python -m training

eval: $(VENV)/.train ## Say how good detection and claims are: labelled news, own corpus, stream, articles
	@$(BIN)/python -m training --eval

kafka: $(VENV)/.dev ## Run a real Apache Kafka on 127.0.0.1:9092 until stopped (NODES=3: three nodes; docs/kafka.md)
	@$(BIN)/python -m tests.kafka_broker --port $(or $(PORT),9092) --nodes $(or $(NODES),1)

schemas: $(VENV)/.dev ## Generate the JSON Schemas and the AsyncAPI document again
	@$(BIN)/python -m schemas.export
	@$(BIN)/python -m services.bus.kafka.asyncapi

lock: $(VENV)/.dev ## Resolve the locks again (requirements/*.txt)
	@$(RESOLVE) -o requirements/run.txt --extra build
	@$(RESOLVE) -o requirements/dev.txt --extra build --extra dev
	@$(RESOLVE) -o requirements/train.txt --extra train

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("tumen needs Python 3.11 to 3.14, this is " + sys.version.split()[0] if not (3, 11) <= sys.version_info[:2] <= (3, 14) else 0)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Setting up (once) …" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

$(VENV)/.train: requirements/train.txt $(VENV)/.dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/train.txt
	@touch $@

clean: ## Remove what was set up and built
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
