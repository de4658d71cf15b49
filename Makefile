# make demo   install into .venv and trade the bundled example
# make test   run every check through tox, as CI does
# make clean  remove what both made
#
# Needs Python 3.11 or newer with venv, gcc and make; another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
# what an editable install must be repeated for: metadata and native sources
BUILD_INPUTS := setup.py pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml plugins/*/setup.py) \
	$(wildcard bot4_core/native/build_native.py bot4_core/native/src/*) \
	$(wildcard plugins/*/src/*/native/*.py plugins/*/src/*/native/*.h plugins/*/src/*/native/*.c plugins/*/src/*/native/src/*)
BUILD_INPUTS := $(filter-out %/_native.c %/_kernel.c,$(BUILD_INPUTS))
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test clean

demo: $(VENV)/.installed
	$(BIN)/bot4 demo

test: $(VENV)/.tox
	$(BIN)/tox run -qq

$(VENV)/.installed: $(BUILD_INPUTS) | $(BIN)/python
	@echo "installing bot4 and its plugins into $(VENV) (about a minute the first time)"
	$(PIP) install -qq -c constraints.txt setuptools cffi
	$(PIP) install -qq -c constraints.txt --no-build-isolation -e . $(PLUGINS:%=-e ./%)
	@touch $@

$(VENV)/.tox: constraints.txt | $(BIN)/python
	$(PIP) install -qq -c constraints.txt tox
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "bot4 needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) .tox .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find bot4_core plugins -name '*.so' -delete
	find . -name '*.egg-info' -prune -not -path './.peers/*' -exec rm -rf {} +
