"""docs/reliability.md is what its sections make."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"


def test_the_page_is_what_its_sections_make() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "reliability.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_the_page_tells_of_faults_of_the_soak_and_of_the_benchmarks() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for title in ("## Faults", "## Soak: 30 minutes of renewals, 200 kills of each process", "## Benchmarks: "):
        assert any(line.startswith(title) for line in lines), title
