"""docs/reliability.md is what its sections make."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_its_sections_make() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "reliability.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""
