# Every target sets up .venv by itself; a second call only does the work. Literal commands: see README.md.
#
#   make demo     the tour: denoise a photograph, recover an MRI slice, recover a planted vector
#   make test     the test-suite                      (PYTEST_ARGS="-k omp" to choose)
#   make docs     the site, in docs/_build/html       (executes the gallery and the benchmark notebooks)
#   make bench    measure the figures of the README again    (BENCH_ARGS="--smoke" for a quick look)
#   make lint     ruff, mypy, import-linter, numpydoc

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST_ARGS ?=
BENCH_ARGS ?= --record
SPHINX_ARGS ?= -W --keep-going

# The first interpreter of at least 3.11; override with `make test PYTHON=/path/to/python`.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$candidate; break; fi; done)

.PHONY: demo test docs bench lint format clean help print-python
.DEFAULT_GOAL := help

help:
	@sed -n '3,7s/^# *//p' Makefile

demo: $(STAMPS)/plot
	$(BIN)/python -m sparsecode demo

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

docs: $(STAMPS)/docs
	$(BIN)/python -m sphinx -b html $(SPHINX_ARGS) docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

bench: $(STAMPS)/bench
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/lint_docstrings.py

format: $(STAMPS)/lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

print-python:
	@echo $(PYTHON)

clean:
	rm -rf $(VENV) docs/_build docs/gallery docs/generated docs/notebooks sparsecode_demo.png

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "No Python of at least 3.11 was found: install one (Debian, Ubuntu: apt install python3 python3-venv)," \
		"or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments:" \
		"install its venv module (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# One stamp for each extra; a change of pyproject.toml installs again.
$(STAMPS)/%: $(STAMPS)/venv pyproject.toml
	$(PIP) install --quiet --editable ".[$*]"
	@touch $@
