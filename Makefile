# make help lists the targets. PYTHON, BUDGET, SEEDS, WORKERS, RESULTS and BENCH_DATA can be set: make demo WORKERS=1
PYTHON ?= python3
BUDGET ?= laptop
SEEDS ?= 1
WORKERS ?=
RESULTS ?=
export TORCH_PIP_ARGS
PY := .venv/bin/python
DEMO := .bench/demo
OPTIONS := $(if $(WORKERS),--workers $(WORKERS))
RUN := $(PY) -m bench run --budget $(BUDGET) --seeds $(SEEDS) $(OPTIONS) $(if $(RESULTS),--results $(RESULTS))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint list data claims speed report render dashboard wandb-sync soak clean

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-36s %s\n", $$1, $$2}'
	@echo "Settings: BUDGET=laptop|paper  SEEDS=1  WORKERS=cores  RESULTS=DIR (trains afresh)  BENCH_DATA=data  PYTHON=python3"

setup: ## create .venv from requirements.lock (only when the lock changed)
	@$(PYTHON) tools/bootstrap.py

demo: setup ## train roles-6 at laptop budget into .bench/demo, with the data that can be had (10 minutes on 2 cores, no account)
	@$(PY) -m bench data fetch mnist || echo "going on without MNIST: its column is left out"
	@$(PY) -m bench run roles-6 --column XOR --column MNIST --budget laptop --seeds 1 --available --results $(DEMO) $(OPTIONS)
	@echo "committed results beside this machine's:" && $(PY) -m bench compare $(DEMO)

test: setup ## the whole test suite, two tests at a time (no network)
	@$(PY) -m pytest -n 2 --dist worksteal

test-slow: setup ## the tests that need a browser or take long, which make test leaves out, two at a time
	@$(PY) -m pytest -m slow -n 2 --dist worksteal

lint: setup ## ruff, mypy, and deptry: what is imported is declared
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy \
	&& $(PY) -m deptry . && $(PY) -m deptry tests --exclude .venv --ignore DEP002,DEP004

list: setup ## all tables of all papers and how much of each is measured
	@$(PY) -m bench list

data: setup ## which data sets are here, and where the others belong
	@$(PY) -m bench data status

reproduce-table-%: setup ## train what is missing of one table, e.g. reproduce-table-roles-6, and render it
	@$(RUN) $*

reproduce-figure-%: setup ## the same of one figure, e.g. reproduce-figure-roles-8
	@$(RUN) $(subst -,-fig-,$*)

reproduce-%: setup ## all tables and figures of one paper, e.g. reproduce-roles
	@$(RUN) $*

claims: setup ## what the papers claim, and whether it holds
	@$(PY) -m bench claims

speed: setup ## time training steps beside the plain loop, SpikingJelly and snnTorch (builds an environment for these two)
	@$(PY) -m bench speed

report: setup ## results/report/: pages with every table, the evidence of each cell, claims, speed, energy and cost
	@$(PY) -m bench report

render: setup ## results/tables and results/README.md from the ledger
	@$(PY) -m bench render

dashboard: setup ## optuna-dashboard on the queue and the searches, at http://127.0.0.1:8080
	@$(PY) -m sweeps dashboard

wandb-sync: setup ## upload runs that were tracked offline, each once (log in first: .venv/bin/wandb login)
	@$(PY) -m sweeps wandb sync

soak: setup ## 200 tiny experiments on each storage while workers are killed, connections cut and the server restarted (minutes)
	@$(PY) -m tests.sweeps.soak

clean: ## remove the environment; results, runs and data stay
	rm -rf .venv
