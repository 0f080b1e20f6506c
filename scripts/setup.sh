#!/usr/bin/env bash
# Make .venv/ in the project root from requirements.lock, and install the system's libraries where that is possible.
#   scripts/setup.sh [run|test|package]   test: also what the tests' private desktop uses; package: also what freezing uses
# Quick when nothing has changed. PYTHON=/path/to/python chooses the interpreter.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
ROOT=$PWD
KIND=run
[ "${BASH_SOURCE[0]}" != "$0" ] || KIND=${1:-run}
VENV=$ROOT/.venv
BUILD=$ROOT/build
LOG=$BUILD/setup.log
STAMP=$VENV/.novadesk-setup
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
note() { printf '%s\n' "$*" >>"$LOG"; }
have() { command -v "$1" >/dev/null 2>&1; }

# A command whose output goes to the log only. No standard input: nothing here may ask.
quietly() { note "+ $*"; "$@" >>"$LOG" 2>&1 </dev/null; }

# ---------------------------------------------------------------- system packages

# As root directly, else through a sudo that does not ask.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 125; fi
}
can_be_root() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
  done
}

APT_UPDATED=
apt_update() {
  [ -n "$APT_UPDATED" ] && return 0
  APT_UPDATED=yes
  quietly as_root apt-get update -q
}

# --no-remove: a desktop whose sound server conflicts with ours keeps its own.
apt_install() {
  have apt-get && can_be_root || return 1
  apt_update
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-remove --no-install-recommends "$@"
}

library_present() {
  local ldconfig=ldconfig
  have ldconfig || ldconfig=/sbin/ldconfig
  "$ldconfig" -p 2>/dev/null | grep -qF "$1 "
}

require_libraries() {
  local library lacking=()
  for library in "${RUN_LIBRARIES[@]}"; do library_present "$library" || lacking+=("$library"); done
  [ ${#lacking[@]} = 0 ] || fail "These libraries are missing, install them and run this again: ${lacking[*]}"
}

system_packages() {
  [ "$(uname -s)" = Linux ] || return 0
  if ! have dpkg-query; then
    require_libraries
    [ "$KIND" = run ] || say "not Debian or Ubuntu: the tests need these programs (Debian's names): ${RIG_PACKAGES[*]}"
    return 0
  fi
  local wanted=("${RUN_PACKAGES[@]}") missing
  [ "$KIND" = test ] && wanted+=("${RIG_PACKAGES[@]}")
  [ "$KIND" = package ] && wanted+=("${PACKAGE_PACKAGES[@]}")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [ ${#missing[@]} = 0 ] && return 0
  say "installing ${#missing[@]} Debian packages"
  apt_install "${missing[@]}" && return 0
  can_be_root && tail -n 8 "$LOG" >&2
  say "these packages could not be installed from here; please run:"
  printf '    sudo apt-get update && sudo apt-get install --no-install-recommends %s\n' "${missing[*]}"
  require_libraries
}

# ---------------------------------------------------------------- interpreter

# Works, is of a version that the dependencies take, and has what a virtual environment needs. Executed, not just
# found: a version manager leaves names on PATH that answer 127.
PROBE='import sys, ssl, sqlite3, ctypes, venv
sys.exit(0 if (3, 12) <= sys.version_info[:2] < (3, 14) and sys.implementation.name == "cpython" else 3)'
works() { [ -n "$1" ] && "$1" -I -c "$PROBE" >/dev/null 2>&1 </dev/null; }
has_pip() { "$1" -I -c 'import ensurepip' >/dev/null 2>&1 </dev/null; }

# Debian keeps pip for virtual environments in a package of its own.
usable() {
  works "$1" || return 1
  has_pip "$1" && return 0
  local version
  version=$("$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null) || return 1
  apt_install "python$version-venv" && has_pip "$1"
}

on_path() { local name; for name in python3.12 python3.13 python3 python; do type -aP "$name" 2>/dev/null; done; }

of_pyenv() {
  local root version
  for root in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv"; do
    for version in "$root"/versions/3.12* "$root"/versions/3.13*; do
      [ -x "$version/bin/python" ] && printf '%s\n' "$version/bin/python"
    done
  done
}

from_apt() {
  have apt-cache && can_be_root || return 1
  local version
  apt_update
  for version in 3.12 3.13; do
    [ -n "$(apt-cache search --names-only "^python$version-venv\$" 2>/dev/null)" ] || continue
    say "installing Python $version from the distribution"
    apt_install "python$version" "python$version-venv" && usable "/usr/bin/python$version" || continue
    FOUND=/usr/bin/python$version
    return 0
  done
  return 1
}

# uv comes from the package index through any Python's pip, of whatever version, into the build folder.
find_uv() {
  if have uv && uv --version >/dev/null 2>&1 </dev/null; then UV=$(command -v uv); return 0; fi
  UV=$BUILD/uv/bin/uv
  "$UV" --version >/dev/null 2>&1 && return 0
  local python
  mkdir -p "$BUILD"
  for python in $(on_path) $(for_any_pip); do
    "$python" -c 'import pip' >/dev/null 2>&1 </dev/null || continue
    quietly "$python" -m pip install -q --disable-pip-version-check --upgrade --target "$BUILD/uv" uv && "$UV" --version >/dev/null 2>&1 && return 0
  done
  for python in $(on_path); do
    "$python" -I -c 'import ensurepip' >/dev/null 2>&1 </dev/null || continue
    rm -rf "$BUILD/uv"
    quietly "$python" -m venv "$BUILD/uv" && quietly "$BUILD/uv/bin/python" -m pip install -q uv && "$UV" --version >/dev/null 2>&1 && return 0
  done
  return 1
}
for_any_pip() { local v; for v in "${HOME:-}"/.pyenv/versions/3.*/bin/python; do [ -x "$v" ] && printf '%s\n' "$v"; done; }

from_uv() {
  find_uv || { apt_install python3-venv python3-pip && find_uv; } || return 1
  local version found
  for version in 3.12 3.13; do
    say "fetching Python $version with uv"
    quietly env UV_HTTP_TIMEOUT=30 "$UV" python install --no-config "$version" || continue
    found=$("$UV" python find --no-config --managed-python --no-project "$version" 2>>"$LOG") || continue
    usable "$found" && { FOUND=$found; return 0; }
  done
  return 1
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    candidate=$(type -P "$PYTHON") && usable "$candidate" && { FOUND=$candidate; return 0; }
    say "PYTHON=$PYTHON is not a working Python 3.12 or 3.13; looking further"
  fi
  while IFS= read -r candidate; do
    usable "$candidate" && { FOUND=$candidate; return 0; }
  done < <(on_path; of_pyenv)
  from_apt && return 0
  from_uv && return 0
  fail "No working Python 3.12 or 3.13: set PYTHON=/path/to/python3.12, put one on PATH, run 'pyenv install 3.12'," \
    "install your distribution's python3.12 or python3.13 with its -venv package, or let uv fetch one" \
    "(tried; what failed is in build/setup.log)."
}

# ---------------------------------------------------------------- virtual environment

fingerprint() {
  { cat requirements.lock pyproject.toml scripts/setup.sh; printf '%s\n' "$ROOT"; } | sha256sum | cut -d' ' -f1
}

make_venv() {
  if [ -e "$VENV" ] && works "$VENV/bin/python" && { "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || quietly "$VENV/bin/python" -m ensurepip; }; then
    return 0
  fi
  FOUND=
  find_python
  say "making .venv with $FOUND ($("$FOUND" -V 2>&1))"
  quietly "$FOUND" -m venv --clear "$VENV" || { tail -n 8 "$LOG" >&2; fail "Python could not make .venv (see build/setup.log)."; }
}

python_packages() {
  # The machine's own pip settings (a mirror, certificates) hold; those that would leave .venv do not.
  export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_REQUIRE_VIRTUALENV=0
  unset PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME
  say "installing $(grep -c '^[a-z0-9]' requirements.lock) locked packages into .venv (about half a minute)"
  quietly "$VENV/bin/python" -m pip install -q --require-hashes --no-deps --only-binary :all: -r requirements.lock &&
    quietly "$VENV/bin/python" -m pip install -q --no-deps --no-build-isolation -e . ||
    { tail -n 12 "$LOG" >&2; fail "The Python packages could not be installed (see build/setup.log)."; }
}

main() {
  case $KIND in run | test | package) ;; *) fail "usage: scripts/setup.sh [run|test|package]" ;; esac
  mkdir -p "$BUILD" || exit 1
  if have flock; then exec 9>"$BUILD/.setup-lock" && flock 9; fi
  : >"$LOG"
  system_packages
  local now
  now=$(fingerprint)
  [ "$(cat "$STAMP" 2>/dev/null)" = "$now" ] && works "$VENV/bin/python" && [ -x "$VENV/bin/novadesk" ] && return 0
  make_venv
  python_packages
  printf '%s\n' "$now" >"$STAMP"
  say "ready: .venv/bin/novadesk"
}
[ "${BASH_SOURCE[0]}" != "$0" ] || main
