#!/usr/bin/env bash
# Installs this checkout, and nothing else, into the active environment, as a link: the environment follows the checkout's
# code. Snakemake runs a copy of this script in the folder where it was started, after it has made an environment.
# Needs no internet: pip takes no package from an index and builds with the environment's own setuptools.
set -euo pipefail
if ! grep -qs '^name = "bindgram"' pyproject.toml; then
    echo "post-deploy: ERROR: $PWD: no checkout of bindgram; start Snakemake in the checkout" >&2
    exit 1
fi
python -m pip --isolated --disable-pip-version-check install --quiet --no-index --no-deps --no-build-isolation --editable .
bindgram --version
