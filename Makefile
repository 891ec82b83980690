# The two commands of the README are `make demo` and `make test`; everything else serves those who work on Vitrina.
# A Python of your own: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
VIDEO ?=
HOURS ?= 48
SPEED ?= 10

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check format bench soak docs clean

help: ## what can be made here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

setup: $(VENV)/.run ## the virtual environment with what the product needs

demo: $(VENV)/.run ## fill a demo chain, play a clip through the real pipeline, open the page (VIDEO=path for a clip of yours)
	$(BIN)/vitrina demo $(if $(VIDEO),--video "$(VIDEO)")

test: $(VENV)/.test ## the tests that take seconds
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile $(ARGS)

test-slow: $(VENV)/.test $(VENV)/.slow .cache/system-packages ## the tests that need minutes, a real browser, a real server or real recordings
	$(BIN)/python -m pytest -m slow $(ARGS)

check: $(VENV)/.check ## style, types, import contracts, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir .cache/site

format: $(VENV)/.check ## put every file into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench $(VENV)/.slow ## every benchmark with its peers and bars
	$(BIN)/python -m benchmarks all

soak: $(VENV)/.bench ## leave it running for HOURS (48) of its scene's time at SPEED (10), after 100 kills of its processes
	$(BIN)/python -m benchmarks kills soak --hours $(HOURS) --speed $(SPEED)

docs: $(VENV)/.check ## read the documentation at http://127.0.0.1:8001
	$(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:8001

clean: ## remove what was built here (not your data)
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each stamp says: this much of the environment is there, for these versions. Setting up twice costs nothing.

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed. On Debian or Ubuntu: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Name another: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3-venv is missing. On Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; }

$(VENV)/.pip: constraints.txt | $(VENV)/bin/python
	@$(PIP) --upgrade pip && touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/.pip
	@echo "Setting up (about two minutes the first time) …"
	@$(PIP) --editable '.[floor,lens,chat]' && touch $@

$(VENV)/.test: $(VENV)/.run
	@$(PIP) --editable '.[all]' --group test && touch $@

$(VENV)/.slow: $(VENV)/.test
	@$(PIP) --editable '.[spark]' --group slow && touch $@ || echo "PySpark could not be installed; what needs it is skipped."

$(VENV)/.check: $(VENV)/.test
	@$(PIP) --group check && touch $@

$(VENV)/.bench: $(VENV)/.test
	@$(PIP) --no-deps --group bench && touch $@

.cache/system-packages: tools/system_packages.sh
	@mkdir -p .cache && sh tools/system_packages.sh && touch $@
