# Everything here needs Python 3.11 or newer, make and a package registry; `make k6` needs Go as well, `make tools` also
# Java and Maven.
# Say PYTHON=... to choose a Python; the virtual environment in .venv takes care of itself.

.DEFAULT_GOAL := help
.PHONY: help run demo-reset test proof bench breaker-demo chaos soak lint types format k6 tools services run-cluster requirements

WITH_RUN = sh scripts/with-venv run
WITH_TEST = sh scripts/with-venv test

help:  ## Show what there is
	@sed -n 's/^\([a-z0-9-]*\):.*  ## /\1	/p' Makefile | while IFS='	' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

run:  ## Serve the demo on 127.0.0.1:8080 until Ctrl-C (settings: STAGEDOOR_*)
	@exec $(WITH_RUN) scripts/foreground.py -m stagedoor serve --demo

demo-reset:  ## Throw the demo's data away and make it afresh
	@exec $(WITH_RUN) -m stagedoor demo-reset

test:  ## Run the tests (SUITES="unit e2e" for some, TIER=ci for the long ones too, STRICT=1 to let nothing be left out)
	@exec $(WITH_TEST) -m scripts.suites $(if $(STRICT),--strict) $(if $(TIER),--tier $(TIER)) $(SUITES)

proof:  ## Prove what takes minutes to hours, and write docs/evidence (ONLY="order kill" for some, ARGS="--seconds 60")
	@exec $(WITH_TEST) scripts/proof.py $(ONLY) $(if $(ARGS),-- $(ARGS))

lint:  ## Check style, format and the direction of imports
	@$(WITH_TEST) -m ruff check
	@$(WITH_TEST) -m ruff format --check
	@$(WITH_TEST) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-cache

types:  ## Check types
	@exec $(WITH_TEST) -m mypy

format:  ## Put the code into the common format
	@$(WITH_TEST) -m ruff check --fix
	@$(WITH_TEST) -m ruff format

bench:  ## Measure the server beside the floor, with wrk (ONLY="check_waiting orders", PAIRS=7, SECONDS=3, PROFILE=cluster)
	@exec $(WITH_RUN) -m scripts.bench $(if $(PROFILE),--profile $(PROFILE)) $(if $(PAIRS),--pairs $(PAIRS)) $(if $(SECONDS),--seconds $(SECONDS)) $(ONLY)

breaker-demo:  ## Stall a server's database and watch its breakers, then the same without them (SECONDS=12, LOAD=1)
	@exec $(WITH_RUN) -m scripts.breaker_demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(LOAD),--load $(LOAD))

chaos:  ## Sell on the cluster while its dependencies fail; draw build/chaos (SCRIPT=path, SECONDS=60, SEED=1, DATABASE=postgres, PAGE=1)
	@exec $(WITH_TEST) -m tests.chaos $(if $(DATABASE),--database $(DATABASE)) $(if $(SCRIPT),--script "$(SCRIPT)") $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(PAGE),--page)

soak:  ## Sell for ten minutes while every dependency comes and goes, and see that nothing grows: a proof (SECONDS=600)
	@exec $(WITH_TEST) scripts/proof.py soak $(if $(SECONDS),-- --seconds $(SECONDS))

k6:  ## Run a k6 script against a server of its own (SCRIPT=path, MIN_PROGRESS=percent, CLUSTER=1 for a cluster)
	@exec $(WITH_RUN) -m scripts.k6 $(if $(CLUSTER),--cluster) $(if $(MIN_PROGRESS),--min-progress $(MIN_PROGRESS)) $(if $(SCRIPT),"$(SCRIPT)")

tools:  ## Build k6 and fetch Kafka, once per machine, outside of this folder
	@exec $(WITH_RUN) -m scripts.tools

services:  ## Start MariaDB, PostgreSQL, Redis, Kafka and nginx in private folders, and say where they are (DO=stop stops them)
	@exec $(WITH_RUN) -m scripts.services $(DO)

run-cluster:  ## Serve the demo with two processes behind nginx on real engines until Ctrl-C (DATABASE=postgres)
	@exec $(WITH_RUN) scripts/foreground.py -m scripts.cluster $(if $(DATABASE),--database $(DATABASE))

requirements:  ## Compile requirements/*.txt from pyproject.toml (needs uv; UPGRADE=1 for newer versions)
	@sh scripts/compile-requirements $(if $(UPGRADE),--upgrade)
