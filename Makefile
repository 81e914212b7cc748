# Countersign. `make` or `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test bench lint fix types chromium clean

export PORT ?= 8000
AUTO ?=
python := .venv/bin/python

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.base ## Make .venv and install the pinned packages

run: .venv/.base ## Run it: web server and worker (PORT=8000, DATABASE_URL=…)
	@exec $(python) manage.py serve --port $(PORT)

demo: .venv/.base ## Watch an agent ask for refunds, on data of its own (AUTO=1: no hands)
	@exec $(python) manage.py demo --port $(PORT) $(if $(AUTO),--auto)

test: .venv/.dev chromium ## Run every check and every test, on SQLite and on PostgreSQL
	@exec $(python) -m tests.run

bench: .venv/.dev ## Measure what things cost, beside their limits
	@exec $(python) -m bench

lint: .venv/.dev ## Check style and formatting
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .

fix: .venv/.dev ## Repair style and formatting
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

types: .venv/.dev ## Check types
	@$(python) -m mypy manage.py config governance policies approvals notifications bench tests

clean: ## Remove .venv and caches; data in var/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the others need ----------------------------------------------------------

# A stamp is there only after a complete installation. While one is under way there is
# none, and whatever an interrupted one left behind is made anew.
.venv/.base: requirements/base.txt
	$(install)
	@touch $@

.venv/.dev: requirements/dev.txt requirements/base.txt
	$(install)
	@touch .venv/.base $@

define install
	@set -e; \
	if [ -f .venv/.base ]; then \
	    rm -f .venv/.base .venv/.dev; \
	    echo "Updating the packages in .venv…"; \
	else \
	    python=$$($(find_python)); \
	    echo "Setting up .venv with the pinned packages; this takes a minute, once…"; \
	    "$$python" -m venv --clear .venv; \
	fi; \
	$(python) -m pip install -qq --disable-pip-version-check --no-input \
	    --require-hashes -r $<
endef

define find_python
	for candidate in $(or $(PYTHON),python3 python3.11 python3.12 python3.13 python3.14); do \
	    command -v "$$candidate" >/dev/null || continue; \
	    "$$candidate" -c "import sys; sys.exit(sys.version_info < (3, 11))" || continue; \
	    if "$$candidate" -c "import ensurepip, venv" 2>/dev/null; then \
	        echo "$$candidate"; exit 0; \
	    fi; \
	    no_venv="$$candidate"; \
	done; \
	if [ -n "$$no_venv" ]; then \
	    echo "$$no_venv lacks its venv module: install it (Debian, Ubuntu: apt-get install python3-venv) and run make again." >&2; \
	else \
	    echo "Python 3.11 or newer is missing: install it, or name it with make PYTHON=/path/to/python3." >&2; \
	fi; \
	exit 1
endef

chromium:
	@command -v chromium >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	if command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
	    echo "Installing chromium for the browser test…"; \
	    $$as_root apt-get update -qq && \
	    $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0; \
	fi; \
	echo "The browser test needs chromium on the PATH: install it (Debian: apt-get install chromium) and run make test again." >&2; \
	exit 1
