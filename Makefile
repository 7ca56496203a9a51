PYTHON ?= python3
VIRTCI = .venv/bin/virtci
CLUSTER = kube-apiserver etcd kube-controller-manager kube-scheduler kubectl kwok
SCRIPTS = .ci/run $(shell find virtci tools cloud -name '*.sh')
WORKFLOWS = $(wildcard .github/workflows/*.yaml .github/workflows/*.yml)

.PHONY: help setup programs rehearse test lint bench docs
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## engine and packages, into .engine/ and .venv/
	@$(PYTHON) tools/engine/setup.py

programs: setup  ## real programs that rehearsals, tests and lint start, into .engine/bin (PROGRAMS="etcd kwok": only these)
	@$(PYTHON) tools/engine/programs.py $(PROGRAMS)

rehearse: setup  ## deploy all stacks against simulated clouds (DESTROY=1: and take them down)
	@$(PYTHON) tools/engine/programs.py $(CLUSTER) act label-filter
	@$(VIRTCI) rehearse $(if $(DESTROY),--destroy)

bench: setup  ## speed, memory and growth, as figures and ratios of one run (10-20 min)
	@.venv/bin/python -m tools.bench $(BENCH)

docs: setup  ## write the generated pages anew
	@.venv/bin/python -m tools.docs.configuration
	@.venv/bin/python -m tools.docs.components
	@.venv/bin/python -m tools.docs.policies
	@.venv/bin/python -m virtci.outputs.schema

test: programs  ## all tests; those whose programs cannot be had are skipped by name
	@.venv/bin/python -m pytest

lint: setup  ## style, types, direction of imports, scripts, workflows
	@$(PYTHON) tools/engine/programs.py --required shellcheck actionlint
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.engine/bin/shellcheck --external-sources --source-path=SCRIPTDIR $(SCRIPTS)
	@$(if $(WORKFLOWS),.engine/bin/actionlint -shellcheck .engine/bin/shellcheck -pyflakes '' $(WORKFLOWS))
	@$(if $(WORKFLOWS),.venv/bin/zizmor --quiet --offline --persona auditor .github)
