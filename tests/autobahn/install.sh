#!/bin/sh
# usage: install.sh VENV [PYTHON]
# Installs the Autobahn WebSocket test suite (wstest) into the virtual environment VENV,
# from the Python package index that pip is configured for, converted to Python 3.
# Does nothing when VENV already holds the result of these very files.
set -eu
venv=${1:?usage: install.sh VENV [PYTHON]}
python=${2:-python3}
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

want=$(cd "$here" && cat install.sh requirements*.txt port_py3.py py2compat.py | cksum)
stamp=$venv/.autobahntestsuite
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && "$venv/bin/wstest" -a >/dev/null 2>&1; then
    exit 0
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "the pinned packages need Python 3.11 or newer; $python is $("$python" --version 2>&1)"

# Debian and its kin leave venv's own needs out of the python3 package.
can_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
if ! can_venv && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv; } >&2 ||
        fail "apt-get install python3-venv failed"
fi
can_venv || fail "$python has no working venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"

echo "installing the Autobahn test suite into $venv"
rm -rf "$venv"
"$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"
$pip install -r "$here/requirements.txt"
$pip install --no-deps --no-build-isolation --require-hashes -r "$here/requirements-sdist.txt"

work=$venv/sdist
mkdir "$work"
$pip download --no-deps --no-binary :all: --no-build-isolation --require-hashes \
    -d "$work" -r "$here/requirements-testsuite.txt"
tar -xzf "$work"/autobahntestsuite-*.tar.gz -C "$work"
src=$(echo "$work"/autobahntestsuite-*/)
"$venv/bin/python" "$here/port_py3.py" "$src"
$pip install --no-deps --no-build-isolation "$src"
rm -rf "$work"

"$venv/bin/wstest" -a
printf '%s\n' "$want" >"$stamp"
