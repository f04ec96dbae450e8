#!/usr/bin/env bash
# Make or update the virtual environment of this checkout: `make setup`. Safe to run again.
# Usage: envs/setup.sh PYTHON VENV
set -euo pipefail
export PIP_DISABLE_PIP_VERSION_CHECK=1

python=$1
venv=$2

say() { echo "setup: $*"; }
fail() {
    echo "setup: ERROR: $*" >&2
    exit 1
}

# Installs Debian or Ubuntu packages where this user may; returns 1 where not.
apt_install() {
    command -v apt-get >/dev/null || return 1
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        sudo=(sudo -n)
    fi
    say "installing $* with apt"
    "${sudo[@]}" apt-get update -qq &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Installs conda packages into the virtual environment's folder; returns 1 where there is no conda.
conda_install() {
    local conda
    conda=$(command -v mamba || command -v micromamba || command -v conda) || return 1
    say "installing $* with $(basename "$conda")"
    "$conda" create --yes --quiet --prefix "$venv/conda" --channel conda-forge --channel bioconda "$@"
}

command -v "$python" >/dev/null || fail "$python not found; install Python 3.11 or newer, or: make PYTHON=/path/to/python"
version=$("$python" -c 'import platform; print(platform.python_version())')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is Python $version; bindgram needs 3.11 or newer. Choose another: make PYTHON=python3.12"

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "creating $venv with Python $version"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv ||
        fail "Python's venv module is missing and may not be installed here; ask for: apt-get install python3-venv"
    "$python" -m venv "$venv"
fi

# The sanity checks of the examples run bedtools.
if ! command -v bedtools >/dev/null; then
    apt_install bedtools || conda_install bedtools ||
        fail "bedtools not found and may not be installed here; ask for: apt-get install bedtools, or install conda"
fi
command -v bedtools >/dev/null || fail "bedtools was installed but is not on the PATH; see the lines above"

# torch first and pinned by constraints.txt: the same line takes the CPU build where only that is offered and PyPI's CUDA build elsewhere.
say "installing torch (the largest download)"
"$venv/bin/python" -m pip install --quiet torch --constraint constraints.txt
say "installing bindgram and its packages, pinned by constraints.txt"
"$venv/bin/python" -m pip install --quiet --editable '.[workflow,dev]' --constraint constraints.txt

# deepTools draws signal tracks, which not every run has: without it all else works. A part of it is compiled.
headers=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
if ! command -v gcc >/dev/null || [ ! -e "$headers/Python.h" ]; then
    apt_install gcc libc6-dev python3-dev || true
fi
say "installing deepTools"
if ! "$venv/bin/python" -m pip install --quiet --editable '.[qc]' --constraint constraints.txt; then
    say "WARNING: deepTools could not be installed (the lines above say why), which needs gcc and Python.h. Figures of"
    say "WARNING: signal tracks (column signal of the sheet) will fail, nothing else. Ask for: apt-get install gcc python3-dev,"
    say "WARNING: then: touch envs/setup.sh && make setup. Or leave the signal out: qc: {signal: false} in the configuration."
fi
"$venv/bin/python" -m pip check >/dev/null || fail "packages do not fit together: $venv/bin/python -m pip check"
say "done"
