# make setup | run | test | lint | clean: everything happens in .venv; a machine with Python 3.11+ and make is enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/online_mixed_timescale.yaml
PYTEST_ARGS ?=

# One thread per process: faster for these sizes, and the same numbers on every machine.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export NUMBA_NUM_THREADS = 1

.PHONY: help setup run test lint clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   create $(VENV), install csisim with its pinned dependencies, compile the kernels once"
	@echo "make run     run $(SCENARIO) (SCENARIO=... for another)"
	@echo "make test    run the tests (PYTEST_ARGS=... to add options)"
	@echo "make lint    ruff and mypy"
	@echo "make clean   remove $(VENV) and caches; results stay"

setup: $(VENV)/.warm

$(VENV)/.installed: pyproject.toml requirements/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "csisim needs Python 3.11 or newer; name one with: make setup PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements/constraints.txt --editable '.[test]'
	@touch $@

# Numba keeps what it compiles beside the sources: the quickstart pays for it once, here.
$(VENV)/.warm: $(VENV)/.installed
	@folder=$$(mktemp -d) && $(BIN)/csisim run scenarios/quickstart.yaml -o $$folder > /dev/null; status=$$?; rm -rf $$folder; exit $$status
	@touch $@

run: setup
	$(BIN)/csisim run $(SCENARIO)

test: setup
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find csisim tests -name __pycache__ -type d -prune -exec rm -rf {} +
