"""Write docs/gateway-asyncapi.json from the tables of the gateway's messages."""

import json
import sys
from pathlib import Path

from novadesk.protocol.envelope_description import describe

FILE = Path(__file__).resolve().parent.parent / "docs" / "gateway-asyncapi.json"


def main() -> int:
    """Write the file; return the exit code."""
    FILE.write_text(json.dumps(describe(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
