# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.

# PROFILE=release builds with optimisation (about six minutes on two cores instead of four).
PROFILE ?= dev
CARGO ?= cargo
SCRIPTS := tests/scripts

.PHONY: help run test check openapi fmt bench interop contract fuzz tools

help:
	@echo 'make run      build Chancery, start it with a demo organisation, and show a credential issued'
	@echo 'make test     run every test on SQLite and on PostgreSQL + Redis (installed when missing, as is Node.js)'
	@echo 'make check    format, lints, dependency rules, API documentation, generated files'
	@echo 'make openapi  write openapi/*.json from the handlers'
	@echo 'make fmt      format the code'
	@echo 'make bench    measure complete issuances on both backends (release build)'
	@echo 'make interop  let wallets, verifiers, generated clients and contract tests that others wrote judge running servers'
	@echo 'make contract the contract tests alone, more=10 times as many of the cases that are drawn, seed=1'
	@echo 'make fuzz     fuzz every parser of wallet input, seconds=600 each, jobs=1 at a time'

run: tools
	$(CARGO) run --profile $(PROFILE) --package chancery-server --bin chancery -- demo

test: tools
	$(SCRIPTS)/with-backends $(CARGO) test --workspace

check: tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) check --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz
	$(SCRIPTS)/cargo-deny check -A unused-wrapper bans licenses sources
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(SCRIPTS)/generated-files
	$(SCRIPTS)/check-links

openapi: tools
	$(CARGO) run --bin chancery -- openapi openapi

fmt:
	$(CARGO) fmt --all

bench: tools
	tests/bench/run

interop: tools
	tests/interop/run

# For `make contract`: how many times the cases of `make interop`, and where chance begins.
more ?= 10
seed ?= 1

contract: tools
	MORE=$(more) SEED=$(seed) tests/contract/run

# For `make fuzz`: seconds for each target, how many run at a time, and which (all).
seconds ?= 600
jobs ?= 1
targets ?=

fuzz: tools
	JOBS=$(jobs) $(SCRIPTS)/fuzz $(seconds) $(targets)

tools:
	@$(SCRIPTS)/install-build-tools
