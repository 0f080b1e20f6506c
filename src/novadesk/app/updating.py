"""New versions of NovaDesk as the running core answers for them; a part of the core."""

from contextlib import AsyncExitStack
from dataclasses import replace

from novadesk.app.clock import SystemClock
from novadesk.app.updates import Updates, make_updates
from novadesk.config import Settings, UpdateSettings
from novadesk.conversation.controller import Controller
from novadesk.conversation.updateapi import Offer, UpdateStanding
from novadesk.paths import Folders


class Updating:
    """A part of the core: what fits `UpdateRequests`. The core sets what it works with."""

    controller: Controller
    _clock: SystemClock
    _folders: Folders
    _settings: Settings
    _stack: AsyncExitStack
    _updates: Updates
    _offer: Offer | None = None

    async def updates(self) -> UpdateStanding:
        """Return how things stand; nobody is asked."""
        await self._settled()
        return await self._updates.standing()

    async def check_updates(self) -> UpdateStanding:
        """Ask the feed now."""
        await self._settled()
        return await self._updates.check()

    async def use_updates(self, settings: UpdateSettings) -> None:
        """Ask, or no more, from now on."""
        await self._settled()
        self._settings = replace(self._settings, updates=settings)
        await self._updates.use(settings)

    def _open_updates(self, *, watch: bool) -> None:
        """Make what looks for new versions; only with `watch` it does so by itself."""
        self._updates = make_updates(self._settings, self._folders, self._clock, self._show_offer)
        if watch:
            self._show_offer(self._offer)  # which the core before this one knew of
            self._updates.start()
        self._stack.push_async_callback(self._updates.stop)

    def _show_offer(self, offer: Offer | None) -> None:
        self._offer = offer
        if self.controller.snapshot().update != offer:
            self.controller.set_extra(update=offer)

    async def _settled(self) -> None:
        """Wait for a change of the settings that is under way."""
        raise NotImplementedError
