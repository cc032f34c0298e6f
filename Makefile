# What a contributor runs. `make` alone lists it.
#
# Everything is installed into .venv with the versions of constraints.txt. Another Python:
# make PYTHON=python3.13 ...

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MODEL ?= zoo:squeezenet_v1.1
DEMO := demo-output

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo "make demo     tune SqueezeNet v1.1 for this machine and run it on photographs"
	@echo "make test     all tests"
	@echo "make lint     ruff: rules and format"
	@echo "make format   ruff: rewrite the files"
	@echo "make types    mypy, strict"
	@echo "make imports  the import contract (import-linter)"
	@echo "make check    lint, types, imports, test"
	@echo "make clean    remove .venv, caches and the demo's output"

# A stamp says which extra is in; it is made again when the lists of dependencies change.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Counterpoint needs Python 3.11 or newer, and this is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12"; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-%: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[$*]'
	@touch $@

.PHONY: test lint format types imports check
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/installed-dev
	$(BIN)/mypy

imports: $(VENV)/installed-dev
	$(BIN)/lint-imports

check: lint types imports test

# The demo keeps its measurements beside its output, so that `make clean` forgets them, too.

.PHONY: demo
demo: export COUNTERPOINT_STORE := $(CURDIR)/$(DEMO)/measurements.sqlite
demo: $(DEMO)/photographs
	$(BIN)/counterpoint tune $(MODEL) -o $(DEMO)/plan.json --trace $(DEMO)/trace.json
	$(BIN)/counterpoint run $(MODEL) --plan $(DEMO)/plan.json --images $(DEMO)/photographs \
	  --preprocess imagenet
	@echo
	@echo "The weights are random, so the classes mean nothing; the times do."
	@echo "The plan:  $(DEMO)/plan.json"
	@echo "The trace: $(DEMO)/trace.json (open it at https://ui.perfetto.dev)"

$(DEMO)/photographs: $(VENV)/installed-demo demo/photographs.py
	$(BIN)/python demo/photographs.py $@

.PHONY: clean
clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks demo -name __pycache__ -type d -prune -exec rm -rf {} +
