# `make help` lists the targets.
SHELL := /bin/bash
CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Upgrade a running OrthID from 2.6 to 2.7 on a local cluster (or on KUBECONFIG's)
	@examples/quickstart/demo

.PHONY: test
test: ## Run every test: formatting, lints, unit, integration and cluster tests, the book
	@.ci/test

.PHONY: test-fast
test-fast: ## Unit and integration tests that need no cluster
	@.ci/test-fast

.PHONY: fmt
fmt: ## Format the code and the plans
	$(CARGO) fmt
	$(CARGO) run --quiet --locked -- fmt -recursive plans

.PHONY: lint
lint: ## Check formatting and lints, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

.PHONY: coverage
coverage: ## Lines that the tests cover which need no cluster, by module
	@.ci/coverage

.PHONY: bench
bench: ## Measure against Terraform, the disk and DBOS, side by side
	@benches/run

.PHONY: soak
soak: ## 100,000 seeded schedules through the simulated world
	ORTHID_SOAK=100000 $(CARGO) test --locked --release --test it soak -- --nocapture

.PHONY: cluster
cluster: ## Start the local cluster and its PostgreSQL
	@examples/cluster/cluster up
	@examples/cluster/cluster postgres up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and PostgreSQL, leaving nothing behind
	@examples/cluster/cluster postgres down
	@examples/cluster/cluster down

.PHONY: book
book: ## Build the book into book/book
	@examples/quickstart/mdbook build book
