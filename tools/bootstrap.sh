#!/bin/sh
# From a bare python3 to .venv/bin/uv, which does the rest. Says in one line what a machine lacks.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

lacks() {
    echo "set-up stopped: $1" >&2
    exit 2
}

command -v "$python" >/dev/null 2>&1 ||
    lacks "there is no '$python'; install Python 3.11 or newer, or say where one is: make PYTHON=/path/to/python3.12 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    lacks "'$python' is $("$python" -V 2>&1); Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    lacks "'$python' has no venv; install it (Debian, Ubuntu: apt-get install python3-venv), or use another: make PYTHON=/path/to/python3 ..."

# pip's own variables that would send the installation elsewhere than into this environment
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_CONSTRAINT PIP_REQUIREMENT PIP_EDITABLE
"$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-uv.lock
