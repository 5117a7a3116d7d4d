# What a person types. Every target sets up .venv by itself; only Python 3.11+ and make are needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check docs bench clean
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

demo: $(DONE)  ## Show the whole broker at work; the pictures go to demo-output/.
	$(BIN)/gwbroker demo --output demo-output

test: $(DONE)  ## Run the tests, against real servers.
	$(BIN)/python -m pytest

check: $(DONE)  ## Lint, types, and the layers of the design.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(DONE)  ## Build the documentation; warnings are errors.
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(DONE)  ## Measure speed and memory, as ratios in one run.
	$(BIN)/python -m benchmarks

clean:  ## Remove what was built and installed here.
	rm -rf $(VENV) build dist docs/_build demo-output .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
