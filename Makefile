# All set-up on a machine with Python 3.11 or later and make; `make` alone prints what there is.

.DEFAULT_GOAL := help
.PHONY: demo dev test unit integration one soak check bench bench-live migrate requirements format clean help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
PRODUCT := api commands core demo models resolvers schema services simulator subscriptions
COMPILE := --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url
# Only tests need node: where it is missing, those that do are skipped.
NODE_PACKAGES := $(if $(shell command -v npm 2>/dev/null),tests/node/node_modules/.installed)
PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

demo: $(VENV)/.installed
	@$(BIN)/python server.py --demo

# Restarts at each saved file; the demo's data stay.
dev: $(VENV)/.installed-dev
	@$(BIN)/watchfiles --filter python "$(BIN)/python server.py --demo" $(PRODUCT)

migrate: $(VENV)/.installed
	@$(BIN)/python server.py migrate

test: $(VENV)/.installed-dev $(NODE_PACKAGES)
	$(BIN)/python -m pytest -n 3 --dist loadscope

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 tests/unit tests/checks

integration: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 3 --dist loadscope tests/integration

# make one T=tests/unit/test_cursors.py, or T="-k cursor"
one: $(VENV)/.installed-dev
	@test -n "$(T)" || { echo "Say which test: make one T=tests/unit/test_cursors.py" >&2; exit 1; }
	$(BIN)/python -m pytest $(T)

soak: $(VENV)/.installed-dev $(NODE_PACKAGES)
	READ_SET_ROUNDS=250 LIVE_PRECISION_SECONDS=600 DIFFERENTIAL_DOCUMENTS=20000 LISTS_CASES=150 \
	COST_DOCUMENTS=3000 LIVE_ORACLE_SECONDS=1200 PLANS_SIZE=medium \
	$(BIN)/python -m pytest tests/property tests/integration/test_plans.py
	$(BIN)/python -m pytest --postgres 15 tests/e2e

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.checks.collection
	$(BIN)/python -m pytest -q tests/checks
	$(BIN)/python -m schema.sdl --check
	$(BIN)/python -m services.migrations --check

bench: $(VENV)/.installed-dev benchmarks/node/node_modules/.installed
	$(BIN)/python -m benchmarks.reads

bench-live: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.live_tax

benchmarks/node/node_modules/.installed: benchmarks/node/package.json
	cd $(@D)/.. && npm install --no-audit --no-fund --loglevel=error
	@touch $@

# Needs uv. No index address may enter the files.
requirements:
	uv pip compile pyproject.toml $(COMPILE) -o requirements.txt
	uv pip compile pyproject.toml --group dev $(COMPILE) -o requirements-dev.txt
	uv pip compile pyproject.toml --extra otel $(COMPILE) -o requirements-otel.txt

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.data/*' -prune -exec rm -rf {} +

# A stamp is newer than the requirements that it was made from, so that each set is installed once.
$(VENV)/.installed: requirements.txt
	$(install)

$(VENV)/.installed-dev: requirements-dev.txt
	$(install)

tests/node/node_modules/.installed: tests/node/package.json
	@echo "Installing the packages of tests/node"
	@cd tests/node && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

define install
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or later; none was found as python3." >&2; exit 1; }
	@echo "Installing $< into $(VENV)"
	@if [ -n "$(UV)" ]; then \
		"$(UV)" venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
		"$(UV)" pip install --quiet --python $(BIN)/python --require-hashes -r $<; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	fi
	@touch $@
endef

help:
	@echo "make demo         a server with demo data on http://127.0.0.1:8000 (PORT=... for another port)"
	@echo "make dev          the same, restarted at each saved file"
	@echo "make test         all tests, with a PostgreSQL of their own"
	@echo "make unit         the tests that need no database"
	@echo "make integration  the tests on real PostgreSQL without servers and clients"
	@echo "make one T=...    one test: a path, or options of pytest"
	@echo "make soak         the property tests ten times as long, and all servers on PostgreSQL 15"
	@echo "make check        format, lint, types, imports, that tests collect, names, prose, SDL, migrations"
	@echo "make bench        reads a second of three servers (needs npm)"
	@echo "make bench-live   live queries and a bare websocket, and what live queries cost writers"
	@echo "make migrate      migrates the database (DATABASE_URL, or the embedded one)"
	@echo "make requirements pins the dependencies of pyproject.toml (needs uv)"
	@echo "make format       formats the code"
	@echo "make clean        removes what was installed and cached; the data in .data stay"
