# make demo    set up, run the embedded demo, name the report
# make test    set up, run all tests but those of the cluster
# make test-slurm  install SLURM (Debian packages, root only), run the tests on a cluster that they start on this machine
# make chromium install Chromium (Debian package, root only): then tests open the report in it
# make fastai  fastai beside the environment (30 MB): then tests and benchmarks/speed_lm.py compare with its AWD_LSTM
# make lint    formatting and style of code and workflow
# make setup   only the virtual environment
# make clean   remove what the workflow made (results, downloads, Snakemake's memory), not the environment

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slurm chromium fastai lint clean

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
	@echo "Done. Open the report in a browser: $(CURDIR)/results/report/index.html"

test: $(SETUP)
	@python -m pytest -n 2 -m "not slurm"

SLURM_PACKAGES := munge slurmctld slurmd slurm-client

test-slurm: $(SETUP)
	@for package in $(SLURM_PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || missing="$${missing:-} $$package"; done; \
	[ -z "$${missing:-}" ] || { apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }
	@python -m pytest -m slurm tests/slurm

chromium:
	@dpkg -s chromium >/dev/null 2>&1 || { apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

fastai: $(VENV)/fastai

$(VENV)/fastai: benchmarks/fastai.txt $(SETUP)
	@rm -rf $@ $@.partial
	@pip install -q --no-deps --target $@.partial -r benchmarks/fastai.txt
	@mv $@.partial $@

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
