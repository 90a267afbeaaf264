# Everything runs in .venv, which is made on first use; nothing but python3, make and git is needed before.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/.ready

.PHONY: demo test test-fast test-slow test-all test-oldest lint bench bench-annbatch gpu-bundle studies docs clean

demo: $(READY)
	$(BIN)/yeastxr demo demo --overwrite

test: $(READY)
	@echo "== Running the tests"
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What needs no store, picture or other process: under a minute on 2 cores.
FAST := $(addprefix tests/,analysis checks fit names qc simulation tables theory)

test-fast: $(READY)
	@echo "== Running the quick tests"
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not medium" $(FAST)

test-slow: $(READY)
	@echo "== Running the long tests on large samples"
	$(BIN)/python -m pytest -m slow

test-all: $(READY)
	$(PIP) install --quiet nox
	$(BIN)/nox -s tests

test-oldest: $(READY)
	$(PIP) install --quiet nox
	$(BIN)/nox -s oldest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --isolated --line-length 92 $$(git ls-files '*.md')
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m numpydoc lint $$(git ls-files 'yeastxr/*.py')
	$(BIN)/codespell $$(git ls-files '*.md' 'docs/*.py' 'examples/*.py' 'yeastxr/*.py')
	$(BIN)/python docs/_ext/prose.py $$(git ls-files '*.md' 'examples/*.py' 'yeastxr/*.py')

bench: $(READY)
	$(PIP) install --quiet -c .ci/constraints.txt -e '.[bench]'
	$(BIN)/python -m tests.benchmarks $(PARTS)

bench-annbatch:
	python3.12 -m venv .venv-annbatch
	.venv-annbatch/bin/python -m pip install --quiet 'annbatch[zarrs]'

gpu-bundle: $(READY)
	$(BIN)/python -m tests.gpu --python $(or $(GPU_PYTHON),3.12)

studies: $(READY)
	YEASTXR_THREADS=1 $(BIN)/python -m tests.studies

docs: $(READY)
	$(PIP) install --progress-bar on -c .ci/constraints.txt -e '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/_ext/links.py docs/_build/html
	@echo "== The pages are in docs/_build/html/index.html"

clean:
	rm -rf .venv .venv-annbatch demo build dist

$(READY): pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "yeastxr needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Name another: make PYTHON=python3.12"; exit 1; }
	@echo "== Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || \
	  { echo "python3 can't make virtual environments here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "== Installing yeastxr and what it needs into .venv (some 1.5 GB; a few minutes the first time)"
	$(PIP) install --progress-bar on -c .ci/constraints.txt -e '.[test,lint]'
	@touch $(READY)
