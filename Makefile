.DEFAULT_GOAL := help
.PHONY: help setup demo test lint check coverage fmt bench torture package sbom lock clean

VENV := .venv
BIN := $(VENV)/bin
# The first Python 3.11 or newer on this machine; `make PYTHON=/path/to/python ...` chooses another.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)
# Where Python keeps no bytecode, each process that a test starts compiles anew what it imports: a second of work each.
unexport PYTHONDONTWRITEBYTECODE
# --no-compile: Python compiles what it imports, when it first does. pip would compile all that is installed, which takes
# longer than the rest of the installation.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "recsys needs Python 3.11 or newer; none was found on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the job needs into $(VENV) ..."
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing the development tools into $(VENV) ..."
	$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# Spark is 490 MB, and needs Java: its tests run where there is one, and say so where there is none.
SPARK := $(if $(shell command -v java),$(VENV)/spark.stamp)

$(VENV)/spark.stamp: locks/spark.lock $(VENV)/dev.stamp
	@echo "Installing Spark into $(VENV), because there is a Java ..."
	$(PIP_INSTALL) --no-deps --require-hashes -r locks/spark.lock
	@touch $@

setup: $(VENV)/dev.stamp $(SPARK)  ## make .venv with everything a developer needs

demo: $(VENV)/run.stamp  ## set up, run the whole job on the built-in log, show recommendations
	$(BIN)/recsys demo

test: $(VENV)/dev.stamp $(SPARK)  ## set up, run every test, in three processes, because each waits a third of its time
	.ci/in-memory $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## what CI runs: formatting, lint, types, import layers, tests

coverage: $(VENV)/dev.stamp  ## run every test and tell which lines of the packages none of them ran; at least 90 % are wanted
	$(MAKE) test PYTEST_ARGS="--cov --cov-report=term"

fmt: $(VENV)/dev.stamp  ## format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp  ## run the benchmarks that stand in benchmarks/RESULTS.md (an hour)
	$(BIN)/python -m benchmarks

torture: $(VENV)/dev.stamp  ## attack stores, versions and logs: mutated bundles and files, power loss, failing system calls (ten minutes)
	$(BIN)/python -m torture $(TORTURE_ARGS)

lock: $(VENV)/dev.stamp  ## resolve the dependencies anew (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --no-strip-extras --quiet \
		pyproject.toml --group build --output-file requirements.lock
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --no-strip-extras --quiet \
		pyproject.toml --group dev --extra baselines --extra tune --extra text --extra onnx --extra map \
		--extra sql --extra remote --extra lake --extra redis --extra traces \
		--constraint requirements.lock \
		--output-file requirements-dev.lock
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --no-strip-extras --quiet \
		pyproject.toml --group build --extra sql --extra remote --extra redis --extra traces \
		--constraint requirements-dev.lock \
		--output-file deploy/requirements.lock
	$(BIN)/python locks/make.py

package: $(VENV)/dev.stamp  ## build sdist and wheel into dist/, check them, install the wheel elsewhere and use it
	rm -rf dist/recsys-*
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/recsys-*.tar.gz dist/recsys-*.whl
	$(BIN)/python deploy/try_package.py dist/recsys-*.whl

sbom: $(VENV)/dev.stamp  ## write dist/recsys.cdx.json: what requirements.lock installs, as a CycloneDX document
	@mkdir -p dist
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--mc-type application --output-reproducible --of JSON --output-file dist/recsys.cdx.json

clean:  ## remove the environment and every cache; data/ and runs/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
