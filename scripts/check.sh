#!/usr/bin/env bash
# scripts/check.sh lint   format, lint, types, import contracts, house rules
# scripts/check.sh fast   these, and the quick tests that need no private desktop and no running program
# scripts/check.sh full   these, and every test but the live ones
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
BIN=.venv/bin
FAILED=()
# The tests start the program hundreds of times: compile it once.
unset PYTHONDONTWRITEBYTECODE

step() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then printf 'ok      %s\n' "$name"; else
    printf 'FAILED  %s\n%s\n' "$name" "$output"
    FAILED+=("$name")
  fi
}

lint() {
  step "ruff format" "$BIN/ruff" format --check .
  step "ruff check" "$BIN/ruff" check .
  step "house rules" "$BIN/python" scripts/house_rules.py
  step "import contracts" "$BIN/lint-imports"
  step "mypy --strict" "$BIN/mypy"
  [ ${#FAILED[@]} = 0 ] || { printf 'check: failed: %s\n' "${FAILED[*]}" >&2; return 1; }
}

# One pytest after the other: options for all of them, then the names of arrays with the arguments of each.
one_by_one() {
  local -n common=$1
  shift
  local name status=0
  for name in "$@"; do
    local -n own=$name
    "$BIN/python" -m pytest -q "${common[@]}" "${own[@]}" </dev/null || status=$?
    [ $status -lt 128 ] || break  # it was told to end
  done
  return $status
}

# Several lanes of pytests side by side: the first tells as it goes, the others when all are done. The arguments are the name
# of an array with options for all of them, then for each lane what `one_by_one` runs in it.
side_by_side() {
  local options=$1 first=$2
  shift 2
  local reports running=() lane status=0 ended
  reports=$(mktemp -d)
  for lane in "$@"; do
    one_by_one "$options" $lane >"$reports/${lane// /-}" 2>&1 &
    running+=($!)
  done
  trap 'pkill -P "$(IFS=,; echo "${running[*]}")"; wait; rm -rf "$reports"; exit 130' INT TERM
  one_by_one "$options" $first || status=$?
  for lane in "${running[@]}"; do
    wait "$lane"
    ended=$?
    [ $status != 0 ] || status=$ended
  done
  trap - INT TERM
  cat "$reports"/*
  rm -rf "$reports"
  return $status
}

# What is quick and needs no desktop and no running program, with its files in memory where there is room for them.
fast() {
  local taken memory free_kb
  taken=$(mktemp -d)
  free_kb=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [ "${free_kb:-0}" -gt 1000000 ] && memory=$(mktemp -d /dev/shm/nd.XXXXXX); then
    export TMPDIR=$memory
  fi
  trap "rm -rf '$taken' '${memory:-$taken}'" EXIT
  local all=(-m "not rig and not live and not thorough" -o console_output_style=classic -p tests.support.sharing "--taken=$taken")
  local one=(tests/unit tests/contract) other=(tests/unit tests/contract)
  side_by_side all one other
}

# Every test but the live ones and the soak. Two take what needs time, sound or windows: more would take the processors from
# one another in the middle of a sound. Two begin with what computes and give way to them; what is left of it is shared. Once
# one of these is done there is room for a third that needs time. The windows without a desktop stay in one process.
# Beside them, what the host takes of the processors is noted: what fails in real time then is not judged.
tests() {
  local taken noting
  taken=$(mktemp -d)
  local all=(-m "not live and not soak" --durations=10 -o console_output_style=classic -p tests.support.sharing "--taken=$taken")
  if [ -r /proc/stat ]; then
    "$BIN/python" -m tests.support.stolen "$taken/stolen" &
    noting=$!
    all+=(-p tests.support.judging "--stolen=$taken/stolen")
  fi
  local timed=(tests --ignore tests/ui) timed2=(tests --ignore tests/ui)
  local computing=(--yielding tests/ui tests/unit)
  local computing2=(--yielding tests/integration tests/end2end tests/contract tests/unit)
  side_by_side all timed timed2 computing "computing2 timed"
  local status=$?
  [ -z "${noting:-}" ] || { kill "$noting"; wait "$noting"; } 2>/dev/null
  rm -rf "$taken"
  return $status
}

# The checks and some tests side by side, whatever either says; the checks give way.
beside_lint() {
  local linting tested linted
  { renice -n 10 "$BASHPID" >/dev/null; lint; } &
  linting=$!
  "$1"
  tested=$?
  wait "$linting"
  linted=$?
  [ $linted = 0 ] || echo "check: the tests have ended with $tested, but the checks beside them failed: see above" >&2
  [ $tested = 0 ] || return $tested
  return $linted
}

case ${1:-} in
  lint) lint ;;
  fast) beside_lint fast ;;
  full) beside_lint tests ;;
  *) echo "usage: scripts/check.sh lint|fast|full" >&2; exit 64 ;;
esac
