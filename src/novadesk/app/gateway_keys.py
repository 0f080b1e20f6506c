"""What gateway sessions are resumed with, in the keyring entries of their conversations."""

import logging

from novadesk.errors import KnownError
from novadesk.store.links import gateway_mark
from novadesk.store.registry import Registry
from novadesk.transport.gateway_talk import SessionKey

_log = logging.getLogger(__name__)


class GatewayKeys:
    """Fits `transport.gateway_talk.Keys`.

    Args:
        registry: the keyring entries; None keeps nothing.
        gateway: its address, as the settings have it.
    """

    def __init__(self, registry: Registry | None, gateway: str) -> None:
        self._registry, self._mark = registry, gateway_mark(gateway)

    async def find(self, handle: str) -> SessionKey | None:
        """Return the key of a conversation's session, or None."""
        if self._registry is None:
            return None
        try:
            session_id, secret = await self._registry.find(handle, 0), await self._registry.secret(handle)
        except KnownError as error:
            _log.warning("what a session is resumed with could not be read: %s", error.reason.value)
            return None
        return SessionKey(session_id, secret) if session_id and secret else None

    async def note(self, handle: str) -> None:
        """Remember that the gateway has a copy of a conversation."""
        if self._registry is not None:
            try:
                await self._registry.note_gateway(handle, self._mark)
            except KnownError as error:
                _log.warning("that the gateway has a copy could not be kept: %s", error.reason.value)

    async def keep(self, handle: str, key: SessionKey) -> None:
        """Keep a key, in the place of an older one."""
        if self._registry is not None:
            try:
                await self._registry.bind(handle, key.session_id, key.resume_secret)
            except KnownError as error:
                _log.warning("what a session is resumed with could not be kept: %s", error.reason.value)

    async def drop(self, handle: str) -> None:
        """Forget a key."""
        if self._registry is not None:
            try:
                await self._registry.forget(handle)
            except KnownError as error:
                _log.warning("what a session is resumed with could not be forgotten: %s", error.reason.value)
