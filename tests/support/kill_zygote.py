"""Starts apps without the second and a half that importing takes: everything is loaded here, each app is a fork.

    python -m tests.support.kill_zygote DESCRIPTOR

Reads from the socket DESCRIPTOR one JSON config a message, with the pipe that becomes the app's standard output;
answers with the process id.
"""

import ctypes
import importlib
import json
import os
import signal
import socket
import sys

from tests.support.kill_host import live

_LOADED = (
    "asyncio",
    "boto3",
    "numpy",
    "novadesk.app.core",
    "novadesk.transport.sdk",
    "keyring.backends.fail",
)
_MESSAGE_BYTES = 65_536
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system takes the dead away
    for name in _LOADED:
        importlib.import_module(name)
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # no app outlives the test
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            channel.close()
            os.dup2(descriptors[0], 1)
            os.close(descriptors[0])
            live(json.loads(message))
            os._exit(0)
        os.close(descriptors[0])
        channel.send(str(pid).encode())


if __name__ == "__main__":
    main()
