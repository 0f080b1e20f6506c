"""One core: everything but the window, started and stopped in order on one asyncio loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Protocol

from novadesk.app.clock import SystemClock
from novadesk.app.command import own_command
from novadesk.app.control import ControlHandler
from novadesk.app.practice import PracticeServer
from novadesk.audio.client import EngineSound
from novadesk.config import Settings
from novadesk.conversation.api import Devices, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.ports import Linker, Sound
from novadesk.conversation.toolbox import CurrentTime, Toolbox
from novadesk.desktop.instance import ControlServer, CoreLock
from novadesk.desktop.keychain import Keychain
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Turn, check_handle
from novadesk.paths import Folders
from novadesk.protocol.events import PromptStart, Sensitivity, SessionStart
from novadesk.protocol.session import Setup
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.sync import Sync
from novadesk.transport.bedrock import BedrockLinker, PracticeLinker

_log = logging.getLogger(__name__)


class SoundDevices(Sound, Protocol):
    """Sound that can also list its devices and be shut down."""

    async def devices(self) -> tuple[Sequence[str], Sequence[str]]:
        """Return the names of microphones and speakers."""
        ...

    async def shutdown(self) -> None:
        """End whatever process serves the devices."""
        ...
