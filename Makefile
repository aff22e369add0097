# Each target sets up what it needs in .venv from the hash-locked requirements; the second time that is one file comparison.
# Needed: make, git, an SSH client, Python 3.11 or later (neither pip nor ensurepip). Another Python: make demo PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := src tui tests tools bench

# Files in parallel, as each builds its own lab; the real sites are one network on this machine, so one after the other.
# 5 is pytest's word for "nothing selected", which ARGS may bring about in one of the two.
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "$(1) and not real" $(ARGS) || test $$? -eq 5 \
  && { $(BIN)/python -m pytest -m "$(1) and real" $(ARGS) || test $$? -eq 5; }

.DEFAULT_GOAL := help
.PHONY: help demo tui test sim test-long lanes check format lint types contracts card wheel-test bench pictures snapshots lock clean python runtime dev

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

demo: runtime ## the whole path over a simulated site: onboard, review, rebuild, break, go back
	@$(BIN)/python -m tools.demo

tui: runtime ## the full-screen application on a throw-away simulated site
	@$(BIN)/pvenix-tui --lab

test: dev ## all tests but the long lanes; ARGS='-k word' narrows
	@$(call PYTEST,not slow)

sim: dev ## the simulation: SEEDS=2000 seeds of faults and deaths, FIRST=0; and half as many that make, enlarge and destroy VMs
	@$(BIN)/python tools/sim.py --seed $(or $(FIRST),0) --count $(or $(SEEDS),2000)
	@$(BIN)/python tools/sim.py --family provisioning --seed $(or $(FIRST),0) --count $$(($(or $(SEEDS),2000) / 2))

test-long: dev ## the long lanes
	@$(call PYTEST,slow)

lanes: dev ## the proofs of docs/figures.md at length: kills, cuts, lock-outs, two operators; about ten minutes on two cores
	@$(BIN)/python tools/kill_matrix.py --seeds 20
	@$(BIN)/python tools/journal_kills.py --count 100
	@$(BIN)/python tools/operators.py --count 200
	@$(BIN)/python tools/lockouts.py --count 100
	@$(BIN)/python tools/cuts.py --count 200

check: format lint types contracts card test ## what must be green before a push

format: dev
	@$(BIN)/ruff format --check $(SOURCES)

lint: dev
	@$(BIN)/ruff check $(SOURCES)

types: dev
	@$(BIN)/mypy

contracts: dev
	@$(BIN)/lint-imports --no-cache

card: dev ## figures of the style card; fails over a hard limit
	@$(BIN)/python tools/style_card.py src tui

wheel-test: dev ## the unit and packaging tests against the built wheel in an environment of its own
	@$(BIN)/python tools/wheel_test.py

bench: runtime ## what starting, a large inventory, placing 100 hosts, planning 200, looking at 200 and a lab of 100 cost
	@$(BIN)/python bench/startup.py
	@$(BIN)/python bench/inventory.py
	@$(BIN)/python -m bench.placement
	@$(BIN)/python -m bench.plan 200
	@$(BIN)/python -m bench.status 200
	@$(BIN)/python -m bench.tui_start
	@$(BIN)/python -m bench.tui_fleet 1000
	@$(BIN)/python -m bench.tui_live
	@$(BIN)/python -m bench.lab_scale 100

pictures: dev ## docs/pictures/*.svg from the scenes of the stories; ARGS=--check tells which are old
	@$(BIN)/python -m tools.pictures $(ARGS)

snapshots: dev ## every frame of the TUI's snapshots thirty times: TIMES=30
	@$(BIN)/python -m tools.stable_snapshots --times $(or $(TIMES),30)

lock: dev ## new versions into requirements/*.lock: names, versions, markers, hashes, no addresses
	@$(BIN)/python tools/lock.py

clean: ## removes what make made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v "$(PYTHON)" >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }

runtime: python
	@"$(PYTHON)" -I tools/bootstrap/setup.py $(VENV) requirements/runtime.lock requirements/build.lock

dev: python
	@"$(PYTHON)" -I tools/bootstrap/setup.py $(VENV) requirements/runtime.lock requirements/build.lock requirements/dev.lock
