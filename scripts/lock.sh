#!/usr/bin/env bash
# Write requirements.lock anew: every platform, with hashes and without download addresses.
#   scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh run
UV=build/uv/bin/uv
command -v uv >/dev/null && uv --version >/dev/null 2>&1 && UV=uv
[ "$UV" = uv ] || [ -x "$UV" ] || .venv/bin/python -m pip install -q --target build/uv uv
"$UV" pip compile pyproject.toml --quiet --universal --python-version 3.12 --extra practice --extra tracing --group dev \
  --generate-hashes --no-emit-index-url --no-header "$@" -o requirements.lock
