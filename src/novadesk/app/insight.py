"""What the running core tells of itself and does for its own health; a part of the core."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from novadesk.app.accounts import Accounts
from novadesk.app.bundling import save_bundle
from novadesk.app.diagnosis import Diagnosis
from novadesk.app.remotecopy import RemoteCopy
from novadesk.app.signin import sign_in
from novadesk.app.soundtest import sound_figures
from novadesk.audio.client import EngineSound
from novadesk.config import Settings
from novadesk.conversation.api import Happened, Inspection, RemoteFacts
from novadesk.conversation.controller import Controller
from novadesk.conversation.eventlog import EventLog
from novadesk.diagnostics.bundle import BundlePart
from novadesk.diagnostics.metrics import Metric
from novadesk.models import BackendKind
from novadesk.store.database import Database
from novadesk.store.links import links_of
from novadesk.store.registry import Registry


class Insight:
    """A part of the core: what fits `Requests` and is about the program itself. The core sets what it works with."""

    accounts: Accounts
    controller: Controller
    diagnosis: Diagnosis
    _database: Database
    _engine: EngineSound | None
    _happened: EventLog
    _registry: Registry
    _remote_copy: RemoteCopy
    _settings: Settings

    async def sign_in(self, tell: Callable[[str], None]) -> bool:
        """Sign in again, to AWS with AWS's own program or to the gateway, then try now; False without that program."""
        backend = self._settings.backend
        if backend.kind is BackendKind.GATEWAY:
            await self.accounts.of(backend).sign_in(tell)
            done = True
        else:
            done = await sign_in(backend.profile, tell)
        if done:
            self.controller.try_now()
            self._remote_copy.try_now()
        return done

    async def sound_figures(self) -> Sequence[Metric]:
        """Return how the sound has done since the devices were opened; nothing while they are closed."""
        if self._engine is None:
            return ()
        return sound_figures(self._engine.statistics(), self.controller.promptness)

    async def metrics(self) -> Sequence[Metric]:
        """Return what the last 24 hours say about the program's promises."""
        return await self.diagnosis.metrics()

    async def events(self, *, newest: int = 200) -> Sequence[str]:
        """Return the newest protocol events in words, oldest first; what was said is not in them."""
        return self.diagnosis.recorder.story(newest)

    async def report(self) -> str:
        """Return a report about the present state that can be sent to others."""
        return await self.diagnosis.report()

    async def inspect(self) -> Inspection:
        """Return the ids of the open conversation; the keyring is not asked for any."""
        wires, closing = self.controller.wire_facts()
        snapshot = self.controller.snapshot()
        conversation = snapshot.conversation
        if conversation is None or conversation.private:
            return Inspection(wires=wires, closing=closing)
        handle = conversation.handle
        known = self._registry.known(handle)
        chain = await self._database.read(lambda db: links_of(db, handle))
        remote = tuple(
            RemoteFacts(
                generation=link.generation,
                state="gone" if link.gone else link.state.value,
                session_id=known.get(link.generation, ""),
                steps=link.steps,
            )
            for link in chain
        )
        found = Inspection(handle=handle, label=conversation.label, wires=wires, closing=closing, remote=remote)
        newest = snapshot.turns[-1] if snapshot.turns else None
        return found if newest is None else replace(found, turn_id=newest.turn_id, turn_sync=newest.sync)

    async def happened(self, *, after: int = 0) -> Sequence[Happened]:
        """Return what happened after the event of this number, oldest first."""
        return self._happened.since(after)

    async def bundle(self, tell: Callable[[float], None]) -> Sequence[BundlePart]:
        """Return what the diagnostics bundle would hold now."""
        return await self.diagnosis.bundle(tell)

    async def save_bundle(self, file: str, parts: Sequence[BundlePart]) -> None:
        """Write these parts as a ZIP archive."""
        await asyncio.to_thread(save_bundle, Path(file), parts)
