"""Run NovaDesk as `python -m novadesk`."""

import sys

from novadesk.cli import main

sys.exit(main())
