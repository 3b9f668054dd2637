# Two commands for everybody: `make demo` and `make test`. Each sets up what it needs in .venv.
# make lint, make bench, make screenshots: for people who change the code.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread a process: two busy OpenMP threads on a shared machine are slower than one.
export OMP_NUM_THREADS ?= 1
# Empty, so that Python keeps what it has compiled: the tests start it hundreds of times.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test lint bench screenshots clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[all,dev]'
	touch $@

demo: setup
	$(BIN)/datacomp demo --output-dir demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python tests/bench/__main__.py

screenshots: setup
	$(BIN)/python tests/browser/screenshots.py

clean:
	rm -rf $(VENV) demo screenshots
