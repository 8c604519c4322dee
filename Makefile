# The commands of the README; `make help` lists them.

# Debian's own first: it is built with all optimisation, which other builds may lack;
# that is an eighth of a first copy.
PYTHON ?= $(shell for each in /usr/bin/python3.11 python3.11 python3; do \
  "$$each" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
    2>/dev/null && command -v "$$each" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the tests compare with and look through; installed when missing.
DEBIAN_PACKAGES := borgbackup curl default-jre-headless mariadb-server openssh-server \
  postgresql rsync strace systemd zookeeper

# The peers that are written for Node.
COUCH := tests/peers/couch
ifeq ($(shell command -v npm),)
DEBIAN_PACKAGES += nodejs npm
endif

# How the benchmarks are run, as in: make bench BENCH='--quick --only copy'
BENCH ?=

# Every entry is a process: without kept bytecode each start compiles its modules anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test soak check debian-packages core-coverage bench docs clean

# What the soak goes through; another one every time, unless SEED says which.
EXAMPLES ?= 20000
STEPS ?= 40
KILLS ?= 100
NODES ?= 20000
ifndef SEED
SEED := $(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')
endif

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: $(VENV)/.runs ## start the daemon on config/syncd.yaml
	@$(BIN)/syncd run --config config/syncd.yaml

test: debian-packages check core-coverage $(COUCH)/node_modules ## everything: check, then every test
	$(BIN)/pytest -n 2 --dist loadfile --cov

test soak: $(VENV)/share/zookeeper-3.9

soak: debian-packages $(VENV)/.tests ## search for losses, longer than the tests do
	@echo "To repeat this: make soak" \
	  SEED=$(SEED) EXAMPLES=$(EXAMPLES) STEPS=$(STEPS) KILLS=$(KILLS)
	SYNCD_SOAK_EXAMPLES=$(EXAMPLES) SYNCD_SOAK_STEPS=$(STEPS) \
	SYNCD_SOAK_KILLS=$(KILLS) SYNCD_SOAK_SEED=$(SEED) \
	$(BIN)/pytest -q --hypothesis-seed=$(SEED) --show-capture=no \
	  tests/replication/test_simulation.py tests/faults/test_kills.py
	SYNCD_SOAK_NODES=$(NODES) $(BIN)/pytest -q -o timeout=0 \
	  tests/backup_sources/zookeeper/test_show.py

check: $(VENV)/.tests docs ## format, lint, types, layers, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

core-coverage: $(VENV)/.tests
	$(BIN)/pytest -q -n 2 tests/core --cov=syncd.core --cov-fail-under=100

bench: $(VENV)/.peers debian-packages $(COUCH)/node_modules ## measure, beside rsync, rclone, unison, ...
	$(BIN)/python -m tests.benchmarks $(BENCH)

bench: DEBIAN_PACKAGES += lsyncd restic syncthing unison

docs: $(VENV)/.tests ## build the documentation into docs/_build
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build

clean: ## remove what make made; var/ and the examples stay
	rm -rf $(VENV) $(COUCH)/node_modules build docs/_build *.egg-info .coverage .coverage.* \
	  .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find syncd tests docs -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.runs: setup.cfg pyproject.toml
	@test "$(PYTHON)" || { echo >&2 \
	  "Python 3.11 or newer with venv is needed: apt install python3-venv"; exit 1; }
	@echo "Preparing $(VENV) (a minute, the first time) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --config-settings editable_mode=compat --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.runs
	@echo "Installing what checks and tests need ..."
	@$(PIP) --config-settings editable_mode=compat --editable '.[check,docs,test]'
	@touch $@

$(VENV)/.peers: $(VENV)/.tests
	@echo "Installing what the benchmarks compare with ..."
	@$(PIP) --config-settings editable_mode=compat --editable '.[bench]'
	@touch $@

# Newer than Debian's: only inside of another package is it to be had with pip.
$(VENV)/share/zookeeper-3.9: | $(VENV)/.tests
	@echo "Fetching ZooKeeper 3.9 for the tests (430 MB, once) ..."
	@rm -rf $@.new && mkdir -p $@.new
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps \
	  --no-binary :all: --dest $@.new pyspark==4.0.1
	@tar -xzf $@.new/pyspark-4.0.1.tar.gz -C $@.new --strip-components=3 \
	  --wildcards '*/jars/zookeeper-*3.9.*.jar'
	@rm $@.new/pyspark-4.0.1.tar.gz && mv $@.new $@

$(COUCH)/node_modules: $(COUCH)/package.json | debian-packages
	@echo "Installing the CouchDB that tests speak to ..."
	@cd $(COUCH) && npm install --omit=optional --ignore-scripts --no-package-lock \
	  --no-audit --no-fund --loglevel=error
	@touch $@

debian-packages:
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=$$(for package in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed$$' \
	  || echo $$package; done); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
	  echo "This needs these Debian packages, and only root can install them:" \
	    $$missing >&2; exit 1; fi; \
	echo "Installing" $$missing "..."; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qq --yes --no-install-recommends $$missing >/dev/null
