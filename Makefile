# What a person types. Every target sets up .venv by itself; only Python 3.11+ and make are needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Other brokers and clients that the tests run against; apart, because they need other versions.
PEERS := .venv-peers
PEERS_DONE := $(PEERS)/.installed
MINUTES ?= 20
# Test processes; a file's tests stay together. The tests use half of a core each.
TESTERS ?= 2

.PHONY: help demo test check docs bench chaos fuzz jars clean
.DEFAULT_GOAL := help

help:  ## Show what there is.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(DONE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV); this takes a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=24'
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(PEERS_DONE): tests/peers.txt | $(DONE)
	@echo "Setting up $(PEERS): Comet and hop-client, for the tests."
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install -r tests/peers.txt
	@touch $@

demo: $(DONE)  ## Show the whole broker at work; the pictures go to demo-output/.
	$(BIN)/gwbroker demo --output demo-output --timeout 800

# Kafka, for what runs against it: without Java or Maven that is left out, or fails where CI=true.
jars: $(DONE)
	$(BIN)/python -m tests.kafka_jars

# In the order of tests/conftest.py, not of the number of tests in a file.
test: $(DONE) $(PEERS_DONE) jars  ## Run the tests, against real servers.
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

chaos: $(DONE) jars  ## Kill, freeze, cut and fill everything for MINUTES=20, and count what is lost.
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(CHAOS)

fuzz: $(DONE)  ## Feed every parser a million damaged inputs.
	$(BIN)/python -m tests.fuzz --inputs 1000000

check: $(DONE)  ## Lint, types, and the layers of the design.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.audit

docs: $(DONE)  ## Build the documentation; warnings are errors.
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(DONE) jars  ## Measure speed and memory, as ratios in one run.
	$(BIN)/python -m benchmarks

clean:  ## Remove what was built and installed here.
	rm -rf $(VENV) $(PEERS) build dist docs/_build demo-output .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
