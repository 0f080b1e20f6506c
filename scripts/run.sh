#!/usr/bin/env bash
# Open the window; without a display hold the same conversation headless with the bundled recording.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname -s)" = Darwin ]; then
  exec .venv/bin/novadesk
fi
mkdir -p build
echo "No display here: holding the same conversation without the window."
echo "Spoken to it: resources/sounds/hello.wav. Its answer goes to: build/answer.wav"
echo
exec .venv/bin/novadesk talk --in resources/sounds/hello.wav --out build/answer.wav
