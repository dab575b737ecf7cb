# What a developer runs. Every target makes .venv first; `make` alone lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON_ENV := .venv/bin/python
SANDBOX := $(PYTHON_ENV) roles/sandbox/files/sandbox.py
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.venv/collections

.PHONY: help venv constraints lint unit integration package test portable importer bench run sandbox sandbox-down demo docs dist image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: ## make .venv with the pinned packages, unless it is up to date
	@scripts/venv

constraints: venv ## pin indirect dependencies at the versions that .venv has
	@scripts/constraints

lint: venv ## run ruff, mypy, import contracts, ansible-lint, yamllint, checks of documentation, ansible-test sanity
	@scripts/lint

unit: venv ## run the tests that need no cluster (seconds)
	@$(PYTHON_ENV) -m pytest -q tests/unit

integration: venv ## test modules, playbooks and roles against a real API server
	@scripts/test tests/integration

package: venv ## test the built and installed collection
	@$(PYTHON_ENV) -m pytest -q tests/package

test: venv ## run all tests; the first run compiles the control plane (15 to 20 minutes on two cores)
	@scripts/test

portable: venv ## test on the oldest and newest ansible-core, Pythons and packages (ROWS="oldest newest")
	@scripts/portable $(ROWS)

importer: venv ## check the collection as Galaxy does on upload
	@scripts/importer

bench: venv ## compare Plumb with kubectl and kubernetes.core (minutes); SIZES="100 1000 5000 10000" APPS=500 ROUNDS=3 ONCE=kubectl SKIP=kubectl AGENT=1 TROUBLE=1 PUBLISH=1
	@$(SANDBOX) build >/dev/null
	@$(PYTHON_ENV) -m ansible_collections.plumb.gitops.bench \
	    $(if $(SIZES)$(AGENT)$(TROUBLE),--sizes $(SIZES)) $(if $(APPS),--apps $(APPS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	    $(if $(SKIP),--skip $(SKIP)) $(if $(ONCE),--once $(ONCE)) $(if $(AGENT),--agent) $(if $(TROUBLE),--trouble) $(if $(PUBLISH),--publish)

sandbox: venv ## start a local control plane and a forge with a sample repository in .sandbox
	@$(SANDBOX) up --dir .sandbox --with-sample

run: venv ## run an agent on the sandbox that follows the demo's shop; Ctrl-C ends it
	@$(SANDBOX) up --dir .sandbox
	@$(PYTHON_ENV) scripts/agent_on_sandbox.py .sandbox

sandbox-down: venv ## stop the sandbox and remove its state
	@$(SANDBOX) down --dir .sandbox --purge

demo: venv ## show agents at work: commits, drift, a kill, an outage; KEEP=1 leaves everything running (the first time 15 to 20 minutes more)
	@$(SANDBOX) build
	@$(PYTHON_ENV) demo/demo.py

docs: venv ## write the modules' reference as reStructuredText to docs/site
	@rm -rf docs/site && mkdir -p docs/site && chmod 0700 docs/site
	@antsibull-docs collection --use-current --squash-hierarchy --dest-dir docs/site plumb.gitops

dist: venv ## build the collection's tarball into dist/
	@ansible-galaxy collection build --force --output-path dist

image: dist ## make the build context of the agent's image in dist/image, for podman or docker
	@ansible-builder create --file execution-environment.yml --context dist/image --output-filename Containerfile

clean: ## remove what the tools made, with .venv; a sandbox stays
	@rm -rf .venv dist docs/site reports tests/output .ansible .grimp_cache .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
