# make demo    set up, run the embedded demo, name the report
# make test    set up, run all tests
# make lint    formatting and style of code and workflow
# make setup   only the virtual environment
# make clean   remove what the workflow made (results, downloads, Snakemake's memory), not the environment

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint clean

PYTHON ?= python3
VENV := .venv
SETUP := $(VENV)/.setup-done
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/$(VENV)/conda/bin:$(PATH)

help:
	@sed -n 's/^# make/make/p' Makefile

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt envs/setup.sh
	@envs/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $(SETUP)

demo: $(SETUP)
	@snakemake --profile profiles/demo
	@snakemake --profile profiles/demo --report results/report/bindgram.html
	@echo
	@echo "Done. Open the report in a browser: $(CURDIR)/results/report/bindgram.html"

test: $(SETUP)
	@python -m pytest

lint: $(SETUP)
	@ruff check
	@ruff format --check
	@snakefmt --check --line-length 120 workflow
	@snakemake --lint
	@snakemake --profile profiles/demo --lint

clean:
	@find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	@find resources -mindepth 1 -maxdepth 1 ! -name README.md ! -name demo -exec rm -rf {} +
	@rm -rf .snakemake
