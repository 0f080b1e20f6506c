"""Notices of the desktop that need no tray: org.freedesktop.Notifications, Desktop Notifications Specification 1.2.

Elsewhere than under Linux there is always a tray, which shows them itself.
"""

import asyncio
import html
import logging
import os

from novadesk.daemon import DaemonCall
from novadesk.desktop.menuentry import APP_ID

_log = logging.getLogger(__name__)

POST_S = 3.0
_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_NOT_REPLACING, _ITS_OWN_TIME = 0, -1


async def post(title: str, words: str, *, address: str | None = None) -> bool:
    """Show a notice; return whether the desktop took it, which it may not for any reason.

    Args:
        title: in one line.
        words: one sentence.
        address: of the session bus; empty means that there is none.
    """
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "") if address is None else address
    if not address:
        return False
    try:
        async with asyncio.timeout(POST_S):
            await DaemonCall(_load, name="noticeboard").result(deadline_s=POST_S)
            return await _post(title, words, address)
    except (ImportError, OSError, EOFError, TimeoutError):
        _log.info("the desktop takes no notices")
        return False


async def _post(title: str, words: str, address: str) -> bool:
    from dbus_fast import InvalidAddressError, Message, MessageType, Variant
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError

    try:
        bus = await MessageBus(bus_address=address).connect()
    except (AuthError, InvalidAddressError) as error:
        raise OSError from error
    try:
        hints = {"desktop-entry": Variant("s", APP_ID)}
        body = ["NovaDesk", _NOT_REPLACING, APP_ID, title, html.escape(words, quote=False), [], hints, _ITS_OWN_TIME]
        reply = await bus.call(
            Message(
                destination=_NAME, path=_PATH, interface=_NAME, member="Notify", signature="susssasa{sv}i", body=body
            )
        )
    finally:
        bus.disconnect()
    return reply is not None and reply.message_type is MessageType.METHOD_RETURN


def _load() -> None:
    import dbus_fast.aio  # noqa: F401 - loaded here, off the loop, for the first use is slow
