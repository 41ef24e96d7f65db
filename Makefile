# `make` alone lists the targets. Targets install what they need: Python packages into .venv, node packages into
# web/node_modules, and system packages for the tests by apt-get.

PYTHON ?= python3
VENV := .venv
# The number of test processes, each of which runs a file at a time. It is over twice that of CI's processors, as tests
# often wait; those of test-fast wait less.
WORKERS ?= 5
test-inside: WORKERS = 4
BIN := $(VENV)/bin
LOWEST := $(VENV)/lowest/bin
NEWEST := $(VENV)/newest/bin
RELEASE := $(VENV)/release/bin
DJANGO_6 := $(VENV)/django6/bin
PYTEST = -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# Tests that run the package mostly in their own process.
INSIDE := $(addprefix tests/,core wire _internal conformance store streaming auth client observability notices api server cli demo test_settings.py test_wiring.py test_embedding.py)
# The packages that a job uses, on Windows too.
PORTABLE := _internal bridges cli client conformance core story wire
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt

# What `check` runs, the longest first; these do not depend on each other.
CHECKS := check-types check-types-on-windows check-python check-web
TWO_AT_ONCE := xargs -n 1 -P 2 $(MAKE) --no-print-directory

# Commands or fonts that the tests need, each with Debian's package for it where the names differ.
SYSTEM := curl redis-server valkey-server chromium nginx strace faketime slowhttptest package:iproute2 font:fonts-noto-cjk font:fonts-noto-color-emoji

# The same for the full run alone: Go, its clients of event streams, servers and a proxy for the doctor, and Java for a
# generator of clients.
CLIENTS := package:golang-go package:golang-github-r3labs-sse-dev package:golang-github-donovanhide-eventsource-dev package:libnginx-mod-nchan package:haproxy package:default-jre-headless

# Likewise, the browsers beside Chromium: Firefox, and WebKit with a screen for its windows.
ENGINES := firefox-esr package:webkitgtk-webdriver package:xvfb

# Likewise, what reads the files of docs/deploy.
DEPLOY := promtool package:systemd

# Python caches compiled modules even where the environment forbids it, as in containers: otherwise each of the hundreds
# of processes that the tests start would compile the package.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run demo test test-fast test-full coverage test-lowest test-newest test-long test-alone test-outside soak bench sizes docs picture pictures recordings check format build packages release clean
.PHONY: node system clients engines deploy frameworks test-web test-inside collected $(CHECKS)

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*##/\1/p' $(MAKEFILE_LIST) | while read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

run: $(VENV)/.run  ## Start the server on its embedded store (ARGS="--port 9000" adds options)
	@$(BIN)/progress-sse serve $(ARGS)

demo: $(VENV)/.run  ## Show jobs in the browser, with buttons that break their connection
	@$(BIN)/progress-sse demo $(ARGS)

test: $(VENV)/.dev web/node_modules/.ready system  ## Run everything that CI checks
	@printf '%s\n' $(CHECKS) test-web collected | $(TWO_AT_ONCE)
	@$(BIN)/python $(PYTEST)

test-fast: $(VENV)/.dev web/node_modules/.ready  ## Run the tests that start no process, in under a minute
	@echo test-web test-inside | $(TWO_AT_ONCE)

test-inside: $(VENV)/.dev
	@$(BIN)/python $(PYTEST) -m "not full and not processes" $(INSIDE)

test-full: check test-web clients engines deploy frameworks  ## Run everything, the long tests too, and on the lowest versions
	@$(MAKE) --no-print-directory --keep-going coverage test-lowest test-long test-alone

coverage: $(VENV)/.dev web/node_modules/.ready system  ## Measure the coverage of the ordinary run, fail if it fell
	@$(BIN)/coverage erase
	@$(BIN)/coverage run $(PYTEST) -m "not full and not unmeasured"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
	npm --prefix web run --silent coverage

test-lowest: $(VENV)/.lowest system  ## Test the server on the lowest versions of its dependencies
	@$(LOWEST)/python $(PYTEST) $(INSIDE) tests/live

# The folder tests/newest has a module that puts httpx2 into the place of httpx. Its tests name the private parts that
# have changed; they come last, and without conftest.py, which such a part may break.
test-newest: export PYTHONPATH := $(CURDIR)/tests/newest
test-newest: $(VENV)/.newest system  ## Test the server on the newest versions of its dependencies, previews too
	$(NEWEST)/python -m pip install --upgrade --pre httpx2 pydantic 'redis[hiredis]' starlette uvicorn
	@$(NEWEST)/python $(PYTEST) $(INSIDE) tests/live; suite=$$?; \
		$(NEWEST)/python -m pytest --noconftest tests/newest && exit $$suite

test-long: $(VENV)/.docs web/node_modules/.ready system clients deploy
	@$(BIN)/python $(PYTEST) --timeout 900 -m "(full or unmeasured) and not (alone or soak)"

test-alone: $(VENV)/.dev system engines
	@$(BIN)/python -m pytest --timeout 900 -m alone

test-outside: $(VENV)/.dev  ## Run the README on a bare Debian that is unpacked for it (as root; ARGS="forky make test")
	@.ci/need debootstrap
	@$(BIN)/python -m tests.outside $(ARGS)

soak: $(VENV)/.dev system  ## Load a server for twenty minutes (SOAK_S=14400: for four hours)
	@$(BIN)/python -m pytest -m soak

bench: $(VENV)/.dev  ## Measure the server and its peers (QUICK=1: in two minutes)
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(ARGS)

sizes: $(VENV)/.pip  ## Print lines, syntax nodes and tests' seconds by folder, beside the last tag (ARGS=REF: a commit)
	@$(BIN)/python .ci/sizes.py $(ARGS)

docs: $(VENV)/.docs  ## Build the site of the documents into docs/_build/html/
	$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky --conf-dir docs . docs/_build/html

picture: $(VENV)/.dev system  ## Take the README's picture of the page again
	@$(BIN)/python -m docs.picture

pictures: $(VENV)/.dev system  ## Take pictures of every state into build/pictures/, to look at them
	@$(BIN)/python -m tests.browser.pictures

recordings: $(VENV)/.dev  ## Record the outputs of real programs again
	@$(BIN)/python -m tests.programs.record

check: $(VENV)/.dev web/node_modules/.ready  ## Lint and type-check; writes nothing
	@printf '%s\n' $(CHECKS) | $(TWO_AT_ONCE)

check-types:
	$(BIN)/mypy

check-types-on-windows:
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 $(addprefix -p progress_sse.,$(PORTABLE))

check-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	.ci/plain-words
	$(BIN)/python .ci/budgets.py
	$(BIN)/python -m docs.generate --check
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m tests.guarantees --check

check-web:
	npm --prefix web run --silent check

# Compiles all tests once, which each of the test processes would do by itself in a fresh clone.
collected:
	@out=$$($(BIN)/python -m pytest --quiet --collect-only 2>&1) || { echo "$$out"; exit 1; }

format: $(VENV)/.dev web/node_modules/.ready  ## Format all code, fix what the linters can fix, write what is generated
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm --prefix web run --silent format
	npm --prefix web run --silent build
	$(BIN)/python -m docs.generate

build: $(VENV)/.dev  ## Build the source archive and the wheel into dist/
	$(BIN)/python -m build --no-isolation

packages: $(VENV)/.release node  ## Build all that is released, twice, into dist/; install each package and follow its README
	@.ci/need curl faketime
	@$(RELEASE)/python .ci/release.py build
	@$(RELEASE)/python .ci/release.py try

release: $(VENV)/.release  ## Check version, CHANGELOG and work tree, then make packages
	@$(RELEASE)/python .ci/release.py check
	@$(MAKE) --no-print-directory packages

clean:  ## Remove everything that make has created
	rm -rf $(VENV) build dist docs/_build web/node_modules tests/*/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*
	find progress_sse tests -name __pycache__ -prune -exec rm -rf {} +

test-web: web/node_modules/.ready
	npm --prefix web run --silent test

$(VENV)/.pip: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "progress_sse needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| .ci/need "$$($(PYTHON) -c 'import sys; print("package:python%d.%d-venv" % sys.version_info[:2])')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	@touch $@

$(VENV)/.run: $(VENV)/.pip pyproject.toml web/package.json
	$(PIP) --editable '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable '.[all]' --group dev
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) --group docs
	@touch $@

$(VENV)/.lowest: $(VENV)/.pip pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv $(dir $(LOWEST))
	$(LOWEST)/python -m pip install --quiet --constraint constraints.txt pip
	$(subst $(BIN),$(LOWEST),$(PIP)) --editable '.[all]' --group test
	$(LOWEST)/python -m pip install --quiet $$($(LOWEST)/python .ci/lowest.py)
	@touch $@

$(VENV)/.newest: $(VENV)/.pip pyproject.toml
	$(PYTHON) -m venv $(dir $(NEWEST))
	$(NEWEST)/python -m pip install --quiet --constraint constraints.txt pip
	$(subst $(BIN),$(NEWEST),$(PIP)) --editable '.[all]' --group test
	@touch $@

$(VENV)/.release: $(VENV)/.pip pyproject.toml
	$(PYTHON) -m venv $(dir $(RELEASE))
	$(RELEASE)/python -m pip install --quiet --constraint constraints.txt pip
	$(subst $(BIN),$(RELEASE),$(PIP)) --group release
	@touch $@

web/node_modules/.ready: web/package.json web/package-lock.json | node
	npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

clients: $(VENV)/.clients tests/clients/node_modules/.ready tests/npm/node_modules/.ready
	@.ci/need $(CLIENTS)

engines:
	@.ci/need $(ENGINES)

$(VENV)/.clients: $(VENV)/.dev
	$(PIP) --group clients
	@touch $@

deploy: $(VENV)/.deploy
	@.ci/need $(DEPLOY)

$(VENV)/.deploy: $(VENV)/.dev
	$(PIP) --group deploy
	@touch $@

tests/%/node_modules/.ready: tests/%/package.json tests/%/package-lock.json | node
	npm --prefix tests/$* ci --no-audit --no-fund --loglevel=error
	@touch $@

frameworks: $(VENV)/.frameworks $(VENV)/.django6

$(VENV)/.frameworks: $(VENV)/.dev
	$(PIP) --group frameworks
	@touch $@

# Django 6 needs Python 3.12; this one is Debian's.
$(VENV)/.django6: $(VENV)/.dev
	@.ci/need python3.13 package:python3.13-venv
	python3.13 -m venv $(dir $(DJANGO_6))
	$(DJANGO_6)/python -m pip install --quiet --constraint constraints.txt pip
	$(subst $(BIN),$(DJANGO_6),$(PIP)) --editable '.[all]' django django-tasks-db
	@touch $@

node:
	@.ci/need node:nodejs npm

system:
	@.ci/need $(SYSTEM)
