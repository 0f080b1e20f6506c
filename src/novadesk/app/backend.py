"""What the settings lead to: the practice server, the maker of links, how a wire session opens."""

import os
from urllib.parse import urlsplit

from novadesk.app.command import own_command
from novadesk.app.practice import PracticeServer
from novadesk.config import Settings
from novadesk.conversation.ports import Linker
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.paths import Folders
from novadesk.transport.bedrock import BedrockLinker, PracticeLinker


def make_practice(folders: Folders) -> PracticeServer:
    """Return the practice server of a profile's folder."""
    command = ["--home", os.environ["NOVADESK_HOME"]] if os.environ.get("NOVADESK_HOME") else []
    command += ["--profile", folders.profile] if folders.profile else []
    return PracticeServer(own_command(*command, "serve", "--until-stdin-closes"), folders.practice)


def make_linker(settings: Settings, practice: PracticeServer) -> Linker:
    """Return the maker of links for the chosen backend.

    Raises:
        KnownError: `BAD_SETTINGS` for a backend that this version does not have.
    """
    match settings.backend.kind:
        case BackendKind.PRACTICE:
            return PracticeLinker(practice.address, settings)
        case BackendKind.BEDROCK:
            return BedrockLinker(settings, environment=os.environ)
        case BackendKind.GATEWAY:
            raise KnownError(
                Reason.BAD_SETTINGS,
                "This version has no gateway backend yet.",
                "Choose practice or bedrock, in the settings or with --backend.",
            )


def voice_host(settings: Settings) -> str:
    """Return the host that links of the chosen backend lead to, as far as it is known before the first one."""
    backend = settings.backend
    if backend.kind is BackendKind.PRACTICE:
        return "localhost"
    try:
        return urlsplit(backend.bedrock_endpoint).hostname or ""
    except ValueError:  # the first link says what is wrong with it
        return ""
