# The commands a person types. Each does its own set-up: Python 3.11 or newer, pip and make are enough.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that is new enough. `make PYTHON=/path/to/python ...` chooses another.
CANDIDATES := python3.11 python3 python3.12 python3.13 python3.14
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && { echo $$python; break; }; done)

READY := .venv/.ready
PROTO_READY := .venv-proto/.ready
BIN := .venv/bin

# The resolver of `make lock`. Pinned: another version may order or mark the same answer differently.
UV := uv==0.13.9

.PHONY: help demo serve dev test check generate lock protos wheels clean

help: ## This list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## /\1	/p' Makefile | while IFS='	' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: $(READY) ## Buy in every way there is, over real gRPC: one row a story (GATEWAY=sandbox)
	$(if $(GATEWAY),CHECKOUT_GATEWAY=$(GATEWAY)) $(BIN)/checkout-server demo

serve: $(READY) ## Serve until SIGTERM, configured by the environment
	exec $(BIN)/checkout-server serve

dev: $(READY) ## Serve with the sandbox, seeded; prints what to paste
	exec $(BIN)/checkout-server dev

test: $(READY) ## Every test, on SQLite and on PostgreSQL
	$(BIN)/pytest -n 2

check: $(READY) ## Format, lint, types, protos, freshness of what is generated
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/buf lint proto
	$(BIN)/buf format proto --diff --exit-code
	$(BIN)/python proto/generate.py --check
	$(BIN)/python proto/generate_sync.py --check

generate: $(READY) $(PROTO_READY) ## Write the stubs again from the protos, and _sync from _async
	.venv-proto/bin/python proto/generate.py
	$(BIN)/python proto/generate_sync.py

# Versions pinned before stay; `make lock UPGRADE=--upgrade` takes the newest of all.
lock: ## Pin every dependency again, with hashes
	$(call new_venv,build/lock)
	build/lock/bin/pip install --quiet $(UV)
	printf '%s\n' '-e .[dev]' '-e services' | build/lock/bin/uv pip compile - --quiet $(UPGRADE) \
		--universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-package checkout-sdk --no-emit-package checkout-server \
		--custom-compile-command 'make lock' --output-file constraints.txt

protos: $(READY) ## The API for other languages: a tarball and a descriptor set in dist/
	@mkdir -p dist
	tar -czf dist/onetap-checkout-v1.tar.gz -C proto onetap/checkout README.md -C .. LICENSE
	$(BIN)/buf build proto --path proto/onetap/checkout --as-file-descriptor-set \
		--output dist/onetap-checkout-v1.binpb

wheels: $(READY) ## checkout-sdk and checkout-server in dist/
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .
	$(BIN)/python -m build --no-isolation --wheel --outdir dist services

clean: ## Remove what make made; orders in .data stay
	rm -rf .venv .venv-proto build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): constraints.txt pyproject.toml services/pyproject.toml
	$(call new_venv,.venv)
	$(BIN)/pip install --quiet --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e . -e services
	@touch $@

$(PROTO_READY): proto/requirements.txt
	$(call new_venv,.venv-proto)
	.venv-proto/bin/pip install --quiet -r proto/requirements.txt
	@touch $@

define new_venv
@"$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null || { \
	echo 'OneTap needs Python 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python' >&2; exit 1; }
"$(PYTHON)" -m venv $(1)
endef
