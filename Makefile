# Everything starts here: `make demo`, `make test`, `make up`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test up lint types rules tests install clean
demo: install
	$(BIN)/aos demo

test: lint types rules tests

up: install
	$(BIN)/aos up

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

rules: install
	$(BIN)/lint-imports

tests: install
	$(BIN)/pytest -n 2 --dist loadfile

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
