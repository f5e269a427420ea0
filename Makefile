# `make env` creates the environment; every other target makes it first. A changed pyproject.toml or constraints.txt
# brings it up to date, otherwise it costs nothing.

# The first Python here that is new enough; `make env PYTHON=...` names another.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ENV   := .venv
BIN   := $(ENV)/bin
STAMP := $(ENV)/.made

# What `make demo` fits.
DEMO_DATA   ?= examples/penguins.csv
DEMO_TARGET ?= sex
DEMO_OUT    ?= demo-report

# Arguments for pytest: `make test ARGS="-k newton -x"`; for the benchmark: `make bench ARGS="tall iris"`.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help env demo test docs-test lint format types contracts bench bench-training pictures rules scorecard changelog clean

help:
	@echo 'make demo       fit the data set that ships here, print the table, write $(DEMO_OUT)/report.html; the short tour'
	@echo 'make test       the whole test suite, the examples of the documentation included'
	@echo 'make env        the environment in $(ENV) alone'
	@echo 'make lint       ruff                      make types      mypy, strict'
	@echo 'make contracts  which module may import which'
	@echo 'make docs-test  the examples of the documentation alone'
	@echo 'make pictures   the images of docs/pictures.md'
	@echo 'make scorecard  what check finds in its cases, in 200 healthy trainings and in these with a fault injected'
	@echo 'make rules      the pages of docs/rules, from the docstrings of sightline/check/rules'
	@echo 'make bench      Sightline and its peers, timed to the same accuracy (an environment of its own)'
	@echo 'make bench-training  the engines of sl.train beside the loop as people write it'

env: $(STAMP)

# Where Python comes without ensurepip, pip fills the environment from outside.
define new_env
	@test -n '$(PYTHON)' || { echo 'Sightline needs Python 3.11 or newer; name it with PYTHON=/path/to/python' >&2; exit 1; }
	@test -x $(1)/bin/python && $(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(1) \
		|| { $(PYTHON) -m venv --without-pip $(1) && $(PYTHON) -m pip --python $(1)/bin/python install --quiet pip; }
endef

$(STAMP): pyproject.toml constraints.txt
	$(call new_env,$(ENV))
	@echo 'installing PyTorch and the rest into $(ENV): about a minute, and what the download takes'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/sightline fit $(DEMO_DATA) --target $(DEMO_TARGET) --out $(DEMO_OUT)
	$(BIN)/sightline tour --short

# Two processes, each with one thread: threads of both would wait for each other's cores.
JOBS ?= 2
test: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

docs-test: $(STAMP)
	$(BIN)/python -m pytest tests/test_docs.py $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .

format: $(STAMP)
	$(BIN)/ruff check --fix .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports --no-logo

# The peers live apart from the product. One that does not install on this machine is named and left out.
BENCH := .venv-bench
bench: $(BENCH)/.made
	$(BENCH)/bin/python -m bench $(ARGS)

$(BENCH)/.made: pyproject.toml constraints.txt bench/requirements.txt
	$(call new_env,$(BENCH))
	@echo 'installing Sightline and its peers into $(BENCH)'
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[files]'
	@sed -e 's/#.*//' -e '/^[[:space:]]*$$/d' bench/requirements.txt | while read -r peer; do \
		$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt "$$peer" </dev/null \
		|| echo "bench: left out, it does not install here: $$peer"; done
	@touch $@

pictures: $(STAMP)
	$(BIN)/python docs/images/pictures.py

rules: $(STAMP)
	$(BIN)/python -m sightline.check.pages --write docs/rules

# Both are run, whatever the first says.
scorecard: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/check_scorecard.py $(ARGS); cases=$$?; \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/check_mutations.py; exit $$((cases | $$?))

bench-training: $(STAMP)
	$(BIN)/python -m bench.training $(ARGS)

changelog: $(STAMP)
	$(BIN)/towncrier build --draft

clean:
	rm -rf $(DEMO_OUT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find sightline tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
