#!/usr/bin/env bash
# Installs this checkout into the new environment: Snakemake runs this script there, from the checkout.
set -euo pipefail
python -m pip install --quiet --no-deps --editable .
