# From a fresh clone, `make demo` and `make test` set everything up by themselves, into .venv and target.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# rustup installs here, and not every shell has been told.
export PATH := $(HOME)/.cargo/bin:$(PATH)
PYTHON ?= python3
BIN := .venv/bin
# Rust's tools must look at the same interpreter as the extension is built for.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

# Nothing here is built twice with small changes, so traces for that would only cost time.
export CARGO_INCREMENTAL ?= 0
# Some containers forbid Python to keep what it compiled. A hundred processes would each compile it all again.
unexport PYTHONDONTWRITEBYTECODE

RUST_SOURCES := $(shell find core_rs -name target -prune -o -type f \( -name '*.rs' -o -name Cargo.toml \) -print) Cargo.toml Cargo.lock
PACKAGES := .venv/.packages-installed
EXTENSION := .venv/.extension-built
# Tests of whole processes, which wait a lot: they run beside the others.
PROCESS_TESTS := tests/flow tests/db/ingest

.PHONY: help demo test bench load fuzz lint lint-rust lint-python all-rust all-python test-rust test-fuzz test-python test-processes docs lock clean setup

help:  ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(EXTENSION)  ## run a real day of parking through the whole chain (ARGS='--json')
	@$(BIN)/parkflow demo $(ARGS)

# Compiling Rust and waiting for Postgres go well together on two cores; whoever is ready first searches for bad inputs.
test: $(EXTENSION)  ## run every check and every test
	@$(MAKE) --jobs=2 --output-sync=line all-rust all-python test-fuzz
	echo 'all checks and tests passed'

all-rust:
	@$(MAKE) lint-rust
	$(MAKE) test-rust
	$(MAKE) test-processes

all-python:
	@$(MAKE) lint-python
	$(MAKE) test-python

bench: $(EXTENSION)  ## measure, compare with the baselines, write bench/results/latest.json (ONLY=codes,tariffs)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

load: $(EXTENSION)  ## put a peak of exits on a service of its own: report, table, CSV (ARGS='day --seconds 90', docs/load.md)
	@$(BIN)/python -m bench.load $(or $(ARGS),day)

fuzz: $(PACKAGES)  ## search for inputs that break the Rust core, guided by coverage (ARGS='--seconds 3600')
	@$(BIN)/python -m bench.fuzz $(ARGS)

lint: lint-rust lint-python  ## run the checks that need no server

docs: $(EXTENSION)  ## draw docs/states.md from the state machines
	@$(BIN)/python -m parkflow.statesdoc > docs/states.md

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock:  ## write .ci/requirements.txt anew from pyproject.toml (needs uv), and .ci/pip.txt
	@command -v uv > /dev/null || { echo 'uv is missing: pip install uv' >&2; exit 2; }
	$(LOCK) pyproject.toml --group dev --output-file .ci/requirements.txt
	echo pip | $(LOCK) - --output-file .ci/pip.txt

setup: $(EXTENSION)

clean:  ## remove everything that was made, embedded data included
	rm -rf .venv target .parkflow dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find parkflow gate_sim bench tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f parkflow/_core*.so parkflow/_core*.pyd

lint-rust: $(PACKAGES)
	@cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

lint-python: $(EXTENSION)
	@$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/python -m mypy.stubtest --concise --ignore-disjoint-bases parkflow._core
	$(BIN)/lint-imports --no-cache > .venv/.lint-imports.log || { cat .venv/.lint-imports.log; exit 1; }

test-rust: $(PACKAGES)
	@env -u MAKEFLAGS -u MFLAGS cargo test --locked --package parkflow-core --package parkflow-gate --package parkflow-gate-c --quiet

# A short search from the seeds, always the same one (`make bench ONLY=fuzz` has the long one); low priority, as other
# tests wait for answers.
test-fuzz: $(PACKAGES)
	@env -u MAKEFLAGS -u MFLAGS nice $(BIN)/python -m bench.fuzz --seconds 14 --fresh --seed 1

# A test that builds the wheel must not look for this make's job slots, which pytest does not pass on.
test-python: $(EXTENSION)
	@env -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest $(addprefix --ignore=,$(PROCESS_TESTS))

# The whole demo, several times over, and services that are killed, flooded and cut off.
test-processes: $(EXTENSION)
	@env -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest $(PROCESS_TESTS)

$(PACKAGES): .ci/requirements.txt .ci/pip.txt
	@command -v $(PYTHON) > /dev/null || { echo 'python3 is missing: install Python 3.11 or newer' >&2; exit 2; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$$($(PYTHON) --version) is too old: parkflow needs Python 3.11 or newer (make PYTHON=python3.12)" >&2; exit 2; }
	command -v cargo > /dev/null || { echo 'cargo is missing: install Rust (https://rustup.rs), then make again' >&2; exit 2; }
	echo 'setting up .venv …'
	$(BIN)/python -c '' 2> /dev/null || $(PYTHON) -m venv --clear .venv \
		|| { echo 'python3 has no venv module: install it (Debian: apt install python3-venv)' >&2; exit 2; }
	# Python 3.11 brings a pip that takes twice as long to find what is asked for.
	for list in .ci/pip.txt .ci/requirements.txt; do
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r $$list
	done
	touch $@

# Editable: Python files are used where they are, only a change of Rust or of the package's own settings builds again.
$(EXTENSION): $(PACKAGES) $(RUST_SOURCES) pyproject.toml
	@echo 'building the Rust core …'
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	touch $@
