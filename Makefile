# Everything a developer, CI or an operator trying it out runs. Needs make and Python >= 3.11; the rest comes from the
# lock files into .venv. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 20
KILLS ?= 50
RECORDS ?= 10000
PYTEST_ARGS ?=
WORKERS ?= 2
FIGURES ?=
BENCH_ARGS ?=

# The first interpreter that is new enough and can make virtual environments; PYTHON=... overrides the search.
CANDIDATES := $(PYTHON) python3 python3.13 python3.12 python3.11
FIND_PYTHON = for candidate in $(CANDIDATES); do \
	"$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$candidate"; exit 0; }; done; \
	echo "No Python >= 3.11 with venv among: $(CANDIDATES)." >&2; \
	echo "Install one (on Debian also its python3-venv package), or name it: make PYTHON=/path/to/python3.12" >&2; exit 1
PIP_INSTALL = $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Nothing is fetched here: hatchling is in the lock files, and so are all dependencies.
INSTALL_PROJECT = $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check sim chaos storm mutants bench demo gen docs lock upgrade format clean

help: ## List the targets
	@grep -hE '^[a-z.$$()A-Z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/^$$(VENV)/.venv/' \
		| awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

$(VENV): $(VENV)/.dev-stamp ## Build the virtual environment from requirements-dev.lock, with hashes

$(BIN)/python:
	@set -e; python="$$($(FIND_PYTHON))"; echo "virtual environment from $$python"; "$$python" -m venv $(VENV)

# Two levels of the same environment: what the daemon needs, and what its developers need on top.
$(VENV)/.run-stamp: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r requirements-build.lock
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(INSTALL_PROJECT)
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	$(INSTALL_PROJECT)
	@touch $(VENV)/.run-stamp $@

run: $(VENV)/.run-stamp ## Start the quickstart: an ERP folder and a CRM kept in step, until Ctrl-C
	$(BIN)/python -m examples.quickstart

demo: $(VENV)/.run-stamp ## Play the quickstart as a story that ends (edits, plan, conflict, kill -9, comparison), or a pair (PAIR=sage50fr-sage-sales-management)
	$(BIN)/python -m $(if $(PAIR),examples.pairs $(PAIR),examples.quickstart.demo)

test: $(VENV)/.dev-stamp ## Run every test, in WORKERS processes (most of them wait for servers)
	@$(BIN)/python -m tests.connectors.odata_server --install || true
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev-stamp ## The quick gate: style, types, import rules, tidiness, the pure core
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/tidy tests/core $(PYTEST_ARGS)

sim: $(VENV)/.dev-stamp ## Run the simulation over SEEDS seeds on all cores (make sim SEEDS=2000)
	$(BIN)/python -m tests.sim --seeds $(SEEDS)

bench: $(VENV)/.run-stamp ## Measure FIGURES (all of them where none is named) and write them into docs/BENCHMARKS.md
	$(BIN)/python -m bench $(FIGURES) $(BENCH_ARGS)

chaos: $(VENV)/.dev-stamp ## Kill and freeze real daemons between two databases full of people, then audit (KILLS=50 RECORDS=10000 SEED=n)
	$(BIN)/python -m tests.chaos --kills $(KILLS) --records $(RECORDS) $(if $(SEED),--seed $(SEED))

storm: $(VENV)/.dev-stamp ## 100,000 hints on 1,000 records and a slow side: what may grow, and by how much
	$(BIN)/python -m tests.chaos --storm $(if $(SEED),--seed $(SEED))

mutants: $(VENV)/.dev-stamp ## Plant a fault for each closed scenario of docs/decisions/redteam.md; its tests must notice
	$(BIN)/python -m tests.mutants

gen: $(VENV)/.dev-stamp ## Regenerate proto/gen from proto/tandem
	$(BIN)/python proto/generate.py

docs: $(VENV)/.dev-stamp ## Regenerate the reference pages that come from the code
	$(BIN)/python -m clients.cli.reference
	$(BIN)/python -m daemon.metrics_reference
	$(BIN)/python -m daemon.blueprint_reference
	$(BIN)/python -m daemon.pair_reference
	$(BIN)/python -m clients.connectors.systems.rest_reference
	$(BIN)/python -m tests.tidy.spec_status

lock: $(VENV)/.dev-stamp ## Write the lock files anew, keeping the versions that still fit
	$(LOCK) pyproject.toml --output-file requirements.lock $(LOCK_ARGS)
	$(LOCK) --constraint requirements.lock pyproject.toml --group dev --output-file requirements-dev.lock $(LOCK_ARGS)
	$(LOCK) --constraint requirements-dev.lock --group pyproject.toml:build \
		--output-file requirements-build.lock $(LOCK_ARGS)

upgrade: ## Write the lock files with the newest versions that fit
	$(MAKE) lock LOCK_ARGS=--upgrade

format: $(VENV)/.dev-stamp ## Format the code and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment, caches and build results
	rm -rf $(VENV) build dist tests/connectors/odata_server/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
