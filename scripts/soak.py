"""Run the soak and write what it found into docs/reliability.md.

python scripts/soak.py              run all parts, write the section
python scripts/soak.py -k renewals  run the parts whose name holds this word, keep what the others found last
python scripts/soak.py --write      write the section from what was found last
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    """Do as told; return the exit status of the tests."""
    status = 0
    if "--write" not in arguments:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "soak",
            "-o",
            "faulthandler_timeout=0",
            *arguments,
            "tests/soak",
        ]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
    sys.path.insert(0, str(ROOT))
    from tests.support.soak_report import SECTION, section  # needs the development environment

    SECTION.parent.mkdir(exist_ok=True)
    SECTION.write_text(section(), encoding="utf-8")
    subprocess.run([sys.executable, str(ROOT / "scripts" / "reliability.py")], check=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
