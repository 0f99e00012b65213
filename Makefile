# make demo, make test: from a fresh clone, on Debian, Ubuntu or macOS with Python 3.11 or newer, git and make.
# Another Python: make PYTHON=python3.13 ... ; another place for the environment: make VENV=... .

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Alone and first, so that whatever build of it is at hand (CPU, CUDA, ROCm, XPU) is taken.
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

.PHONY: demo test hosts hosts-trixie hosts-sid hosts-experimental hosts-wayland serve docs pictures fuzz soak bench lint mini plugins client clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/paintbridge demo

serve: $(VENV)/.installed
	$(BIN)/paintbridge serve

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

# In all the hosts that Debian has, one after the other: Krita 5.2 and GIMP 3.0, Krita 5.3 and GIMP 3.2, Krita 6, and that on Wayland.
hosts: hosts-trixie hosts-sid hosts-experimental hosts-wayland

hosts-trixie hosts-sid hosts-experimental: hosts-%: $(VENV)/.installed-dev
	TEST_HOSTS_RELEASE=$* $(BIN)/python -m pytest tests/hosts

hosts-wayland: $(VENV)/.installed-dev
	TEST_HOSTS_RELEASE=experimental TEST_HOSTS_WAYLAND=1 $(BIN)/python -m pytest tests/hosts/krita

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py
	$(BIN)/python -m bridge.cli.reference

# The hosts' own windows in the guides, by the tests that are in them.
pictures: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/hosts -k "test_prompt_button_progress or test_typed_prompt_button_progress"
	cp test-output/krita/krita-*.jpg test-output/gimp/gimp-*.jpg docs/images/

# What reads strangers' bytes, guided by coverage: make fuzz MINUTES=20. What is new goes into tests/fuzz/corpus.
MINUTES ?= 5
fuzz: $(VENV)/.installed-dev
	$(BIN)/python tests/support/fuzz.py --minutes $(MINUTES)

# 1,000 jobs of 20 clients of all doors, who cancel, leave and come back: nothing lost, nothing left, memory flat.
soak: $(VENV)/.installed-dev
	$(BIN)/python bench/soak.py

# All benches, some hours on two cores, then docs/benchmarks.md. What has run to its end is not run again.
bench: $(VENV)/.installed-dev
	$(BIN)/python bench/every.py $(if $(IOPAINT),--iopaint $(IOPAINT))

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

# From nothing, by bridge/training/recipes/mini.toml: a day on two cores that do nothing else. It goes on where it was stopped.
mini: $(VENV)/.installed
	$(BIN)/paintbridge train all mini

plugins: $(VENV)/.installed
	$(BIN)/python -m bridge.plugins dist

client: $(BIN)/python
	rm -rf packaging/client/build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist packaging/client

clean:
	rm -rf $(VENV) build packaging/client/build dist *.egg-info demo-output test-output bench-output

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo 'Paintbridge needs Python 3.11 or newer; say which: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "This Python cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
