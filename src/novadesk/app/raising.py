"""A second start: the window that is there comes to the front instead of another one. Quick: no Qt, no core."""

import os

from novadesk.desktop.control import send
from novadesk.errors import KnownError
from novadesk.paths import Folders

ACTIVATION = "XDG_ACTIVATION_TOKEN"
"""Wayland: who starts a program hands it the right to come to the front in this variable (xdg-activation-v1)."""

_ANSWER_S = 3.0


def raise_running(folders: Folders, *, hidden: bool) -> bool:
    """Bring the running window of these folders to the front; return whether there is one.

    Args:
        folders: of the profile.
        hidden: leave it where it is: this start was not meant to show anything.
    """
    request = {"do": "status"} if hidden else {"do": "show", "activation": os.environ.get(ACTIVATION, "")}
    try:
        send(folders.control_socket, request, deadline_s=_ANSWER_S)
    except KnownError:  # what stands in the way is told by the start that follows
        return False
    return True
