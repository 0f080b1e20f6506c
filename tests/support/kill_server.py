"""The local server of a kill test: `novadesk serve --until-stdin-closes` with a partner that answers at once.

python -m tests.support.kill_server FOLDER LIMIT_S
"""

import asyncio
import sys
from pathlib import Path

from novadesk.protocol.limits import Limits
from novadesk.server.runner import ServerOptions, serve
from tests.support.kill_partner import PromptPartner

if __name__ == "__main__":
    limits = Limits(connection_s=float(sys.argv[2]))
    asyncio.run(serve(ServerOptions(folder=Path(sys.argv[1]), limits=limits, until_stdin_closes=True), PromptPartner()))
