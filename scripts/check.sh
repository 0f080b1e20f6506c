#!/usr/bin/env bash
# scripts/check.sh lint   format, lint, types, import contracts, house rules
# scripts/check.sh fast   the tests that need no private desktop and no running program, and are done in a minute
# scripts/check.sh full   lint, then every test but the live ones, whatever lint said
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
BIN=.venv/bin
FAILED=()

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

# Every test but the live ones and the soak, as two processes side by side: what computes, and what has sound and windows.
tests() {
  local computing=(tests/unit tests/contract tests/ui tests/integration/test_renewals.py tests/end2end/test_kills.py
    tests/integration/test_sync*.py tests/integration/test_store*.py tests/integration/test_fault*.py)
  local others=() report computed left
  for path in "${computing[@]}"; do others+=(--ignore "$path"); done
  report=$(mktemp)
  "$BIN/python" -m pytest -q -m "not live and not soak" --durations=10 "${computing[@]}" >"$report" 2>&1 </dev/null &
  "$BIN/python" -m pytest -q -m "not live and not soak" --durations=10 tests "${others[@]}" </dev/null
  left=$?
  wait $!
  computed=$?
  cat "$report"
  rm -f "$report"
  [ $left = 0 ] || return $left
  return $computed
}

case ${1:-} in
  lint) lint ;;
  fast)
    exec "$BIN/python" -m pytest -q -m "not rig and not live" tests/unit tests/contract \
      --ignore tests/unit/test_never_lose.py --ignore tests/unit/conversation/test_fault_matrix.py
    ;;
  full)
    lint
    linted=$?
    tests
    tested=$?
    [ $linted = 0 ] || echo "check: the tests have ended with $tested, but the checks before them failed: ${FAILED[*]}" >&2
    [ $tested = 0 ] || exit $tested
    exit $linted
    ;;
  *) echo "usage: scripts/check.sh lint|fast|full" >&2; exit 64 ;;
esac
