# Everything here works on a fresh machine with Python 3.11 or newer, a C compiler and make. `make` lists the targets.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

SOURCES = $(shell find csrc src/vmem -name '*.[chp]*' -not -path '*/__pycache__/*' -not -path src/vmem/include/*) \
	pyproject.toml setup.py README.md LICENSE

C_FILES = $(shell find csrc tests benchmarks examples -name '*.[ch]') $(wildcard .ci/*.c)
SCRIPTS = $(shell grep -lE '^\#(!/usr/bin/env bash| shellcheck shell=bash)' $(wildcard .ci/*))

# HEAP_BYTES=0 or HEAP_BYTES=64 makes arrays leave the heap so early that all tests run with items in reserved memory.
ifdef HEAP_BYTES
VENV := $(VENV)-heap-$(HEAP_BYTES)
export CFLAGS += -O2 -DVMEM_ARRAY_HEAP_BYTES=$(HEAP_BYTES)
endif

SANITIZED = $(VENV)-sanitized
SANITIZE = -DVMEM_ARRAY_HEAP_BYTES=64 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g -U_FORTIFY_SOURCE
SANITIZED_RUN = CFLAGS="$(SANITIZE)" LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:allocator_may_return_null=1 $(SANITIZED)/bin/python

COVERED = $(VENV)-covered

OPERATIONS ?= 1000000
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-c sanitized sanitize soak coverage lint format bench chart docs build clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## draw what each type does
	$(RUN) -m vmem
	$(RUN) -m vmem demo

test:  ## build the package and run its tests, but of exhaustive searches only samples
test-all:  ## build the package and run all of its tests

ON_ALL_CORES = --numprocesses=auto --dist=worksteal

test: SUITE = quick
test-all: SUITE = all
test test-all: $(VENV)/test-ready  # what changes or measures the whole system runs after the rest, alone
	$(RUN) -m pytest --suite=$(SUITE) -m "not whole_system" $(ON_ALL_CORES)
	$(RUN) -m pytest --suite=$(SUITE) -m whole_system

test-c: $(VENV)/test-ready  ## run only the tests of the header
	$(RUN) -m pytest $(ON_ALL_CORES) tests/header

sanitized:
	CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(MAKE) --no-print-directory $(SANITIZED)/test-ready VENV=$(SANITIZED)

# The interpreter is not built for sanitizers: their libraries are loaded before it, and its leaks are not reported.
sanitize: sanitized  ## run the tests of the extension under ASan and UBSan
	$(SANITIZED_RUN) -m pytest --suite=sanitized $(ON_ALL_CORES)

soak: sanitized  ## compare OPERATIONS random calls of all types, drawn from SEED, with models under ASan and UBSan
	$(SANITIZED_RUN) -m tests.programs.soak --operations $(OPERATIONS) --seed $(SEED)

coverage:  ## list the lines of the extension that its tests never reach (needs gcc and gcov)
	$(MAKE) --no-print-directory $(COVERED)/test-ready VENV=$(COVERED)
	$(COVERED)/bin/python tests/programs/coverage_of_c.py $(COVERED)/coverage --suite=covered

lint: $(VENV)/lint-ready  ## check style, types and workflows
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(VENV)/bin/clang-format --dry-run --Werror $(C_FILES)
	$(RUN) -m mypy --package vmem
	$(RUN) -m mypy tests benchmarks/*.py examples/*.py docs/*.py
	$(RUN) -m mypy.stubtest vmem --mypy-config-file pyproject.toml \
	  --allowlist tests/typing/stubtest_allowlist.txt --ignore-unused-allowlist
	$(VENV)/bin/basedpyright --pythonpath $(RUN)
	cd $(VENV) && PATH="$$PWD/bin:$$PATH" basedpyright --verifytypes vmem --ignoreexternal
	PATH="$(abspath $(VENV))/bin:$$PATH" actionlint
	$(VENV)/bin/shellcheck --exclude=SC2016 --external-sources --source-path=SCRIPTDIR $(SCRIPTS)
	$(VENV)/bin/zizmor --offline --quiet .github
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

format: $(VENV)/lint-ready  ## put all sources into the project's format
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format
	$(VENV)/bin/clang-format -i $(C_FILES)

bench: $(VENV)/bench-ready  ## measure against system calls in C and other types; GIB=0.5 fills less memory
	$(RUN) benchmarks/region.py $(if $(GIB),--gib $(GIB))
	$(RUN) benchmarks/header.py
	$(RUN) benchmarks/arrays.py $(if $(GIB),--gib $(GIB))
	$(RUN) benchmarks/arena.py
	$(RUN) benchmarks/sharing.py $(if $(GIB),--gib $(GIB))
	$(RUN) benchmarks/tables.py
	$(RUN) benchmarks/ring.py
	$(RUN) benchmarks/files.py

chart: $(VENV)/bench-ready  ## measure what the README shows, and draw its chart; GIB=2 appends more
	$(RUN) -m vmem bench --json $(if $(GIB),--gib $(GIB)) > $(VENV)/headline.json
	mv $(VENV)/headline.json benchmarks/results/headline.json
	$(RUN) docs/headline.py

docs: $(VENV)/docs-ready  ## build the documentation into build/docs, warnings being errors
	$(RUN) -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs build/docs
	@echo "open build/docs/index.html"

build: $(VENV)/build-ready  ## build a wheel and a source distribution into dist/
	$(RUN) -m build

clean:  ## remove everything that was built
	rm -rf $(VENV) $(SANITIZED) $(COVERED) build dist *.egg-info src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "vmem needs Python 3.11 or newer, but $(PYTHON) is older or missing. Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@command -v "$${CC:-cc}" > /dev/null || { \
	  echo "vmem needs a C compiler, but $${CC:-cc} is missing. Install one (apt install gcc), or name one: make $(MAKECMDGOALS) CC=clang" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/installed: $(VENV)/created $(SOURCES)
	rm -rf build
	$(RUN) -m pip install --quiet --force-reinstall .
	@touch $@

$(VENV)/test-ready: $(VENV)/installed
	$(RUN) -m pip install --quiet --group test
	@touch $@

$(VENV)/bench-ready: $(VENV)/installed
	$(RUN) -m pip install --quiet --group bench
	@touch $@

$(VENV)/lint-ready: $(VENV)/test-ready
	$(RUN) -m pip install --quiet --group lint
	@touch $@

$(VENV)/docs-ready: $(VENV)/installed
	$(RUN) -m pip install --quiet --group docs
	@touch $@

$(VENV)/build-ready: $(VENV)/created
	$(RUN) -m pip install --quiet build
	@touch $@
