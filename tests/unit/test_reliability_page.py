"""docs/reliability.md is what its sections make, and its soak found nothing wrong."""

import re
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


def test_half_an_hour_of_renewals_and_two_hundred_kills_of_each_process_found_nothing_wrong() -> None:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (soak,) = [section for section in sections if section.startswith("Soak: ")]
    parts = {name: text for name, text in re.findall(r"^### (\w+)(.*?)(?=^### |\Z)", soak, re.MULTILINE | re.DOTALL)}
    assert {"Kills", "Renewals"} <= set(parts)
    assert "for 30 minutes" in parts["Renewals"]
    assert "\n| | app | engine | server |\n" in parts["Kills"]
    assert "\n| kills | 200 | 200 | 200 |\n" in parts["Kills"]
    for text in parts.values():
        assert text.rstrip().endswith("\n\nWrong: nothing.")
