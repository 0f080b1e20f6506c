"""Notices of the desktop without a tray, on a real bus with a stand-in for whoever shows them."""

from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from novadesk.desktop import noticeboard
from novadesk.desktop.menuentry import APP_ID
from novadesk.desktop.noticeboard import post
from tests.support.portal import session_bus

NAME = "org.freedesktop.Notifications"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy computer may need longer than a person would wait for a notice."""
    monkeypatch.setattr(noticeboard, "POST_S", 60.0)


async def desktop(address: str, shown: list[list[Any]], *, refuses: bool = False) -> MessageBus:
    """Return a connection that shows notices, or refuses them."""
    bus = await MessageBus(bus_address=address).connect()

    def answer(message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or message.member != "Notify":
            return None
        assert message.signature == "susssasa{sv}i"
        if refuses:
            return Message.new_error(message, f"{NAME}.Error.ExcessNotificationGeneration", "Enough.")
        shown.append(message.body)
        return Message.new_method_return(message, "u", [7])

    bus.add_message_handler(answer)
    await bus.request_name(NAME)
    return bus


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_notice_is_shown_with_words_that_are_no_markup(tmp_path: Path, refuses: bool) -> None:
    shown: list[list[Any]] = []
    with session_bus(tmp_path) as address:
        bus = await desktop(address, shown, refuses=refuses)
        assert await post("NovaDesk needs you", "Sign in <again> & go on.", address=address) is not refuses
        bus.disconnect()
        await bus.wait_for_disconnect()
    if not refuses:
        ((name, replaces, icon, title, words, actions, hints, expires),) = shown
        assert (name, icon, title) == ("NovaDesk", APP_ID, "NovaDesk needs you")
        assert words == "Sign in &lt;again&gt; &amp; go on."
        assert (replaces, actions, expires) == (0, [], -1)
        assert hints["desktop-entry"].value == APP_ID


async def test_where_nobody_shows_notices_nothing_happens(tmp_path: Path) -> None:
    with session_bus(tmp_path) as address:
        assert not await post("NovaDesk is back", "It is connected again.", address=address)
    assert not await post("NovaDesk is back", "It is connected again.", address="unix:path=/nowhere")
    assert not await post("NovaDesk is back", "It is connected again.", address="nonsense")
    assert not await post("NovaDesk is back", "It is connected again.", address="")
