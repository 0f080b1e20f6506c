"""Entry of the frozen program: window, engine, server and command line are this one executable."""

import sys

from novadesk.cli import main

if __name__ == "__main__":
    sys.exit(main())
