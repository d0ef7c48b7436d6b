# Two commands suffice on a fresh machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
OUT := build/demo

.DEFAULT_GOAL := help
.PHONY: setup demo test check bench bench-full clean help

setup: $(STAMP)  ## make .venv with everything pinned

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## the main job, end to end (CALLS=file.jsonl puts your own calls on the devices)
	@$(RUN) -m simulations run --resume --out $(OUT)/$(if $(CALLS),own-calls --calls "$(CALLS)",synthetic)

test: $(STAMP)  ## all tests
	$(RUN) -m pytest -n auto

check: $(STAMP)  ## format, lint, types, import rules
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)  ## speed as ratios against named peers, written to build/bench/
	$(RUN) -m simulations bench --out build/bench

bench-full: $(STAMP)  ## the same with the longer tables
	$(RUN) -m simulations bench --full --out build/bench

clean:  ## remove what was built
	rm -rf build $(VENV)

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12
