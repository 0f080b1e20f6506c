"""Put docs/reliability.md together from its sections, or check that it is up to date.

    python scripts/reliability.py             assemble docs/reliability/*.md into docs/reliability.md
    python scripts/reliability.py --check     exit with 1 when docs/reliability.md is not that
    python scripts/reliability.py --faults    run the fault matrix on virtual time, write its section, then assemble

Sections are written by what measures them, each its own file, and stand in the order of their file names.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
SECTIONS = ROOT / "docs" / "reliability"
FAULTS = SECTIONS / "10-faults.md"

_HEAD = """# What survives, and how it is shown

No finished turn is lost, none appears twice, the model still knows what was said, and the person is told the truth.
Every table and figure below is written by the test or the script that found it; nothing here is typed by hand.
(`scripts/reliability.py` assembles this page from `docs/reliability/`.)
"""


def assemble() -> str:
    """Return the page made of its head and all sections."""
    sections = [file.read_text(encoding="utf-8").strip() for file in sorted(SECTIONS.glob("*.md"))]
    return "\n".join([_HEAD, *(section + "\n" for section in sections)])


def write_faults() -> None:
    """Run the fault matrix and write its section."""
    sys.path.insert(0, str(ROOT))
    from tests.support.fault_table import matrix_section  # needs the development environment

    FAULTS.write_text(matrix_section(), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Do as told; return the exit status."""
    if "--faults" in arguments:
        write_faults()
    page = assemble()
    if "--check" in arguments:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        if current != page:
            sys.stderr.write("docs/reliability.md is not what its sections make: run scripts/reliability.py\n")
            return 1
        return 0
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
