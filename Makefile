PYTHON ?= python3
VIRTCI = .venv/bin/virtci

.PHONY: help setup rehearse test lint bench docs
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## engine and packages, into .engine/ and .venv/
	@$(PYTHON) tools/engine/setup.py

rehearse: setup  ## deploy hub, dev and test against simulated clouds (DESTROY=1: and take them down)
	@$(VIRTCI) rehearse $(if $(DESTROY),--destroy)

bench: setup  ## speed, memory and growth, as figures and ratios of one run (10-20 min)
	@.venv/bin/python -m tools.bench $(BENCH)

docs: setup  ## write the generated pages anew
	@.venv/bin/python -m tools.docs.configuration
	@.venv/bin/python -m tools.docs.components
	@.venv/bin/python -m tools.docs.policies
	@.venv/bin/python -m virtci.outputs.schema

test: setup  ## all tests
	@.venv/bin/python -m pytest

lint: setup  ## style, types, direction of imports
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
