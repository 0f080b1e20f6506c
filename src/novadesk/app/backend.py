"""What the settings lead to: the practice server, the maker of links, how a wire session opens."""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from novadesk.app.clock import SystemClock
from novadesk.app.command import own_command
from novadesk.app.practice import PracticeServer
from novadesk.config import Settings
from novadesk.conversation.ports import Linker
from novadesk.models import BackendKind, Conversation
from novadesk.paths import Folders
from novadesk.store.registry import Registry
from novadesk.transport.bedrock import BedrockLinker, PracticeLinker
from novadesk.transport.endpoint import parse_gateway
from novadesk.transport.gateway_token import TOKEN_VARIABLE, GivenToken, TokenSource


def make_practice(folders: Folders) -> PracticeServer:
    """Return the practice server of a profile's folder."""
    command = ["--home", os.environ["NOVADESK_HOME"]] if os.environ.get("NOVADESK_HOME") else []
    command += ["--profile", folders.profile] if folders.profile else []
    return PracticeServer(own_command(*command, "serve", "--until-stdin-closes"), folders.practice)


def make_linker(
    settings: Settings,
    practice: PracticeServer,
    *,
    conversation: Callable[[], Conversation | None] = lambda: None,
    registry: Registry | None = None,
    tokens: TokenSource | None = None,
) -> Linker:
    """Return the maker of links for the chosen backend.

    Args:
        settings: which backend, and where it is.
        practice: the practice server.
        conversation: returns the open conversation: a gateway keeps one session for each.
        registry: keeps what such a session is resumed with; None where nobody comes back to it.
        tokens: what a gateway is shown; None for the token of the environment.

    Raises:
        KnownError: `BAD_SETTINGS` for a gateway without an address that is one.
    """
    match settings.backend.kind:
        case BackendKind.PRACTICE:
            return PracticeLinker(practice.address, settings)
        case BackendKind.BEDROCK:
            return BedrockLinker(settings, environment=os.environ)
        case BackendKind.GATEWAY:
            return _gateway_linker(settings, conversation, registry, tokens)


def _gateway_linker(
    settings: Settings,
    conversation: Callable[[], Conversation | None],
    registry: Registry | None,
    tokens: TokenSource | None,
) -> Linker:
    from novadesk.app.gateway_keys import GatewayKeys  # who has no gateway does without its protocol
    from novadesk.transport.gateway import GatewayLinker

    parse_gateway(settings.backend.gateway)
    return GatewayLinker(
        settings,
        environment=os.environ,
        tokens=tokens or GivenToken(os.environ.get(TOKEN_VARIABLE, "")),
        keys=GatewayKeys(registry, settings.backend.gateway),
        conversation=conversation,
        unix_ms=SystemClock().unix_ms,
    )


def voice_host(settings: Settings) -> str:
    """Return the host that links of the chosen backend lead to, as far as it is known before the first one."""
    backend = settings.backend
    if backend.kind is BackendKind.PRACTICE:
        return "localhost"
    named = settings.backend.gateway if backend.kind is BackendKind.GATEWAY else backend.bedrock_endpoint
    try:
        return urlsplit(named).hostname or ""
    except ValueError:  # the first link says what is wrong with it
        return ""
