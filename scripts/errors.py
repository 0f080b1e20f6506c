"""Write docs/errors.md from the catalogue of errors."""

import sys
from pathlib import Path

from novadesk.catalogue import make_page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"


def main() -> int:
    """Write the page; return the exit code."""
    PAGE.write_text(make_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
