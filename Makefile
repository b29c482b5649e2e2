# Kuroshio: everything that one types. `make help` lists it.
# Each target is one call of a program that can be called without make too.

PYTHON  ?= $(shell command -v python3.11 || echo python3)
BIN     := .venv/bin
CONFIG  ?=
SIZE    ?= demo
config  := $(if $(CONFIG),--config $(CONFIG))
local   := $(BIN)/python -m deploy.local
WORKERS ?= 2
option   = $(if $($(1)),--$(2) $($(1)))

.DEFAULT_GOAL := help
.PHONY: help install demo up down reset load wan-cut wan-heal wan-shape check format test bench bench-long chaos release test-hosts sim sim-free lock

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-11s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  CONFIG=DIR names another configuration than sitecfg/ (any number of sites, any database)."

# The environment, from the lock and its hashes alone; the stamp makes a second run quick.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || deploy/packages.sh
	@echo "Installing the Python environment into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: .venv/installed ## install what is missing: Debian packages, the Python environment
	@deploy/packages.sh

demo: install ## four sites with sample data, from nothing; prints their addresses
	@$(local) demo $(config)

up: install ## start the local sites
	@$(local) up $(config)

down: .venv/installed ## stop the local sites; no process stays behind
	@$(local) down $(config)

reset: install ## start the local sites over, empty
	@$(local) reset $(config)

load: .venv/installed ## load the Complete Journey data: SIZE=demo or SIZE=full
	@$(local) load --size $(SIZE) $(config)

wan-cut: .venv/installed ## cut lines: SITE=us [PEER=taipei], or FROM=us TO=taipei; MODE=reset closes them
	@$(local) wan-cut $(call option,SITE,site) $(call option,PEER,peer) $(call option,FROM,from) $(call option,TO,to) $(call option,MODE,mode) $(config)

wan-heal: .venv/installed ## heal all lines, or those named as for wan-cut
	@$(local) wan-heal $(call option,SITE,site) $(call option,PEER,peer) $(call option,FROM,from) $(call option,TO,to) $(config)

wan-shape: .venv/installed ## make lines thin and long: SITE=us RATE=64kbit DELAY=200ms
	@$(local) wan-shape $(call option,SITE,site) $(call option,PEER,peer) $(call option,RATE,rate) $(call option,DELAY,delay) $(config)

check: .venv/installed ## lint, format, types, layers, the configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sitecfg replication monitoring deploy app tests
	$(BIN)/lint-imports
	$(BIN)/python -m sitecfg check $(CONFIG)

format: .venv/installed ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install ## install what is missing and run every test; ARGS goes to pytest
	$(BIN)/pytest --numprocesses $(WORKERS) $(ARGS)

bench: install ## the benchmarks, at most 30 minutes; figures in build/bench.json
	$(BIN)/python -m tests.bench $(ARGS)

bench-long: install ## the long benchmarks, in named parts that can be resumed
	$(BIN)/python -m tests.bench --long $(ARGS)

test-hosts: install ## install two sites on machines within this one, by the pages on it, and test them: takes root
	$(BIN)/pytest tests/stack/installation $(ARGS)

release: .venv/installed ## pack the programs with all that they need, for hosts: build/kuroshio-VERSION.tar
	@$(BIN)/python -m deploy.release

chaos: install ## four sites under load while all fails at random: MINUTES=60 SEED=; figures in build/bench.json, of other lengths in bench-tried.json
	@$(BIN)/python -m tests.chaos $(call option,MINUTES,minutes) $(call option,SEED,seed)

sim: .venv/installed ## play seeded histories of many sites in memory: SEED=1 STEPS=400 SITES=4 COUNT=1
	@$(BIN)/python -m tests.simulation $(call option,SEED,seed) $(call option,STEPS,steps) $(call option,SITES,sites) $(call option,COUNT,count)

sim-free: .venv/installed ## the laws alone: no services, no root, seconds
	$(BIN)/pytest tests/laws tests/referee tests/simulation tests/wire tests/sitecfg $(ARGS)

lock: .venv/installed ## pin the dependencies anew, with hashes and without naming an index
	$(BIN)/pip-compile --quiet --all-extras --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --allow-unsafe --strip-extras --output-file requirements.lock pyproject.toml
