# make demo   set everything up, compile the example and run it on real data
# make test   set everything up, lint, type-check, run every test
# make bench  set everything up and print the benchmarks
# make systems   run the published systems of examples/, write docs/systems.md (QSC_DATA=DIR for data not in the tree)
# make docs   rewrite the parts of the docs that are made from the code

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PYRIGHT_PYTHON_CACHE_DIR := $(abspath $(VENV))/pyright
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint bench docs systems setup system clean

setup: $(VENV)/installed system

# torch first and pinned, so that nothing else chooses a build of it.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	mkdir -p $(VENV)/types && ln -sfn "$(CURDIR)" $(VENV)/types/qsc
	$(BIN)/pyright --version
	touch $@

system:
	@sh tools/system_packages.sh

demo: setup
	$(BIN)/python examples/digits_qcnn/demo.py

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test: setup lint
	$(BIN)/pytest -n auto

bench: setup
	$(BIN)/python benchmarks/run_all.py

docs: setup
	$(BIN)/python tools/make_docs.py

systems: setup
	$(BIN)/python tools/run_systems.py

clean:
	rm -rf $(VENV) build dist *.egg-info
