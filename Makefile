# Every command of the project. `make` alone explains them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
ARGS ?=
# An interpreter other than the first fitting one: make PYTHON=/path/to/python3 setup
export PYTHON

.PHONY: help setup serve demo test test-fast test-long fuzz check ui fmt bench bench-peers docs bom lock setup-test

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv with the server in it (other commands do this by themselves)
	@scripts/setup.sh serve

serve: setup ## Serve on http://127.0.0.1:8585, data in ./stepwell-data (flags: make serve ARGS="--port 9000")
	@exec .venv/bin/stepwell serve $(ARGS)

demo: setup ## Train models on real data, log them with the real MLflow client, read them back
	@scripts/setup.sh clients
	@exec .venv/bin/python scripts/demo.py $(ARGS)

test: setup-test ## Run all tests, with the time of each part (one part: make test ARGS="fast crash")
	@exec .venv/bin/python scripts/test.py $(ARGS)

test-fast: setup-test ## Run the tests that take under a minute together
	@exec .venv/bin/python scripts/test.py fast

test-long: setup-test ## Run soaks and thousand-fold repeats (hours)
	@exec .venv/bin/python scripts/test.py long

fuzz: setup-test ## Ask decoders and dialects with bad input (flags: make fuzz ARGS="--seconds 3600 native mlflow")
	@exec .venv/bin/python scripts/fuzz.py $(ARGS)

check: setup-test ## Lint, check the format, the imports between rooms and the types
	@exec .venv/bin/python scripts/test.py check

ui: setup ## Build the web page again after a change of ui/ (setup does it too)
	@exec .venv/bin/python hatch_build.py

fmt: setup-test ## Format the code and apply safe fixes
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --quiet --fix .

bench: setup ## Measure Stepwell (flags: make bench ARGS="--secs 4")
	@exec .venv/bin/python benchmarks/run.py $(ARGS)

bench-peers: setup ## Measure Stepwell beside MLflow's own server, and beside Aim, Trackio and TensorBoard
	@scripts/setup.sh clients peers
	@.venv/bin/python benchmarks/run.py --peers $(ARGS)
	@exec .venv/bin/python benchmarks/trackers/run.py

docs: setup-test ## Check the links between the documents, and build them as a site in build/site
	@scripts/setup.sh docs
	@.venv/bin/python scripts/links.py
	@exec .venv/bin/python scripts/site.py

bom: setup-test ## Write the bill of materials: build/bom.cdx.json
	@exec .venv/bin/python scripts/bom.py

lock: ## Rewrite the pinned requirements (needs uv)
	@scripts/lock.sh $(ARGS)

setup-test:
	@scripts/setup.sh test
