# Everything a newcomer needs; `make help` lists it. Needs Python 3.11 or newer, nothing else.

VENV ?= .venv
# The first Python that is new enough; name another one with `make setup PYTHON=...`.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
# The build of PyTorch: cpu, or cuda for an NVIDIA GPU, which brings gigabytes of libraries. What was
# chosen once is kept: make setup TORCH=cuda.
INSTALLED := $(shell cat $(VENV)/.torch 2>/dev/null || echo cpu)
TORCH ?= $(INSTALLED)
# Where PyTorch publishes its CPU builds, asked only if pip's own settings offer none.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Passed on: make run ARGS="--port 9000", make test ARGS="tests/bot -x".
ARGS ?=

LOCK := requirements.lock
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_VERSION := $(shell sed -n 's/^torch==//p' $(LOCK))
# `make run` needs the runtime only; tests, checks and notebooks need three times as much.
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.ready

.PHONY: help setup run test test-image test-ray check notebooks lock
ifneq ($(TORCH),$(INSTALLED))
.PHONY: $(RUNTIME)
endif

help:
	@echo "make run         install Glimpse into $(VENV), and open the chat page on this computer"
	@echo "make setup       install what tests, training and notebooks need, too"
	@echo "                 with TORCH=cuda PyTorch for an NVIDIA GPU"
	@echo "make test        run all tests"
	@echo "make test-image  build the container with podman, and run it for real"
	@echo "make test-ray    install Ray beside it, and lose a host of a small cluster under load"
	@echo "make check       look for mistakes without running anything"
	@echo "make notebooks   run the notebooks into runs/notebooks"
	@echo "make lock        write the installed versions to $(LOCK)"

setup: $(READY)
	@echo "Glimpse is installed in $(VENV), with all that tests need: make run opens the chat page."

$(RUNTIME): pyproject.toml $(LOCK)
	@test "$(TORCH)" = cpu || test "$(TORCH)" = cuda || { echo "TORCH has to be cpu or cuda." >&2; \
		exit 1; }
	@test -n "$(PYTHON)" || { echo "Glimpse needs Python 3.11 or newer: please install it, or" \
		"name it with: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { echo "Python could not" \
		"make $(VENV): on Debian or Ubuntu, install the package python3-venv first." >&2; exit 1; }
	@$(PIP) install -qq --constraint $(LOCK) setuptools
ifeq ($(TORCH),cuda)
	@echo "Installing PyTorch $(TORCH_VERSION) for GPUs, which takes a while..."
	@! $(PIP) show torch 2>/dev/null | grep -q '^Version:.*+cpu' || $(PIP) uninstall -qq --yes torch
	@$(PIP) install -qq --constraint $(LOCK) "torch==$(TORCH_VERSION)"
else ifeq ($(shell uname -s),Linux)
	@echo "Installing PyTorch $(TORCH_VERSION) for the CPU..."
	@$(PIP) install -qq --no-deps "torch==$(TORCH_VERSION)+cpu" 2>/dev/null || \
		$(PIP) install --no-deps --index-url "$(TORCH_INDEX)" "torch==$(TORCH_VERSION)+cpu"
else
	@echo "Installing PyTorch $(TORCH_VERSION) for the CPU..."
	@$(PIP) install -qq --no-deps "torch==$(TORCH_VERSION)"
endif
	@echo "Installing the rest..."
	@$(PIP) install -qq --constraint $(LOCK) --no-build-isolation --editable .
	@echo "$(TORCH)" > $(VENV)/.torch
	@touch $@

$(READY): $(RUNTIME)
	@echo "Installing what tests, training and notebooks need, which takes a minute..."
	@$(PIP) install -qq --constraint $(LOCK) --no-build-isolation --editable ".[dev,train,notebooks]"
	@touch $@

run: $(RUNTIME)
	@$(BIN)/glimpse web $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

test-image: $(READY)
	@tests/image/run.sh $(ARGS)

test-ray: $(READY)
	@tests/ray/run.sh $(ARGS)

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

notebooks: $(READY)
	@$(BIN)/python notebooks/render.py --to runs/notebooks

lock: $(READY)
	@test "$(TORCH)" = cpu || { echo "make lock wants PyTorch for the CPU: make setup TORCH=cpu" >&2; exit 1; }
	@{ sed '/^[^#]/,$$d' $(LOCK); $(PIP) freeze --all --exclude-editable | grep -v '^pip==' | \
		sed 's/+cpu$$//' | LC_ALL=C sort -f; } > $(LOCK).new && mv $(LOCK).new $(LOCK)
	@touch $(READY)
