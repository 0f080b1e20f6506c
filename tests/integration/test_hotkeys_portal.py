"""The talk key under Wayland, by a stand-in portal on a real session bus: granted, denied, absent, closed, odd."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from novadesk.app.talkkey import TalkKey
from novadesk.app.talkpress import TalkPress
from novadesk.chord import Action, Key, KeyDown, KeyUp, parse_bindings, parse_chord
from novadesk.config import TalkSettings
from novadesk.desktop.hotkeys import portalbus
from novadesk.desktop.hotkeys.base import News, Standing, choose_backend
from novadesk.desktop.hotkeys.portal import PortalHotkey, portal_version, read_shortcuts, trigger
from novadesk.desktop.hotkeys.portalbus import PortalBus
from novadesk.desktop.hotkeys.press import Loss, Lost, Rules
from novadesk.desktop.menuentry import APP_ID
from novadesk.errors import KnownError
from tests.support.portal import PATH, SHORTCUTS, grant, portal_on, session_bus, session_bus_process, shortcuts_of

pytestmark = pytest.mark.rig

TALK, SECOND, MUTE = Key(name="talk"), Key(name="talk-2"), Key(name="mute", action=Action.MUTE)
LOST = Lost(loss=Loss.PORTAL)
TALK_BOUND = Standing(triggers=((Action.TALK, "Press F9"),))
COMMAND = "novadesk ctl talk toggle"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portalbus, "CALL_S", 60.0)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with session_bus(tmp_path_factory.mktemp("bus")) as made:
        yield made


class Heard:
    """What a backend tells, awaited."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self._more = asyncio.Event()

    def take(self, news: News) -> None:
        self.news.append(news)
        self._more.set()

    async def until(self, done: Callable[[list[News]], bool]) -> list[News]:
        """Return the news so far once they are as wanted, and forget them."""
        while not done(self.news):
            self._more.clear()
            await self._more.wait()
        news, self.news = self.news, []
        return news

    async def standing(self) -> Standing:
        """Return where the keys stand once nobody is asked any more."""
        news = await self.until(lambda news: bool(news) and _settled(news[-1]))
        assert isinstance(news[-1], Standing)
        return news[-1]


def _settled(news: News) -> bool:
    return isinstance(news, Standing) and news.settled


@contextlib.asynccontextmanager
async def keys_on(address: str, talk: str = "f9", mute: str = "") -> AsyncIterator[Heard]:
    """Watch keys by way of the portal of a bus."""
    environment = {"XDG_SESSION_TYPE": "wayland", "DBUS_SESSION_BUS_ADDRESS": address}
    backend = choose_backend(parse_bindings(talk, mute), platform="linux", environment=environment)
    assert isinstance(backend, PortalHotkey)
    heard = Heard()
    backend.start(heard.take)
    try:
        yield heard
    finally:
        await backend.stop()
        await backend.stop()


async def test_all_keys_are_bound_at_once_and_press_and_release_are_heard(address: str) -> None:
    async with portal_on(address) as portal, keys_on(address, "ctrl+space, right_ctrl", "f8") as heard:
        portal.bound = lambda _: shortcuts_of({"talk": "Press\nCtrl+Space", "talk-2": "", "mute": "Press F8"})
        assert await heard.standing() == Standing(
            triggers=(
                (Action.TALK, "Press Ctrl+Space"),
                (Action.TALK, "a key of the desktop’s settings"),
                (Action.MUTE, "Press F8"),
            )
        )
        assert [member for member, _ in portal.calls] == ["Register", "CreateSession", "BindShortcuts"]
        assert portal.calls[0][1] == [APP_ID, {}]
        ((session, wanted, parent, _),) = portal.called("BindShortcuts")
        assert (session, parent) == (portal.session.value, "")
        assert [(name, wish.get("preferred_trigger")) for name, wish in wanted] == [
            ("talk", Variant("s", "CTRL+space")),
            ("talk-2", None),
            ("mute", Variant("s", "F8")),
        ]
        for name in ("talk", "mute", "talk-2"):
            portal.press(name)
            portal.release(name)
        news = await heard.until(lambda news: len(news) == 6)
    assert news == [kind(key=key) for key in (TALK, MUTE, SECOND) for kind in (KeyDown, KeyUp)]


NO_REGISTRY = {"registry": False}
OLD_HANDLES = {"own_handles": True}
WITHOUT_ANSWER = {"bound": lambda _: None, "listed": shortcuts_of({"talk": "Press F9"})}
LATE = {"late": True}
OLD_AND_LATE = {**OLD_HANDLES, **LATE}
STRANGER: dict[str, Any] = {"stranger": True}  # to the registry, which hinders nothing
OBJECT_PATH = {"session": Variant("o", f"{PATH}/session/1_0/other")}


@pytest.mark.parametrize(
    "manner", [NO_REGISTRY, OLD_HANDLES, LATE, OLD_AND_LATE, WITHOUT_ANSWER, OBJECT_PATH, STRANGER], ids=str
)
async def test_portals_that_do_it_another_way_give_the_key_too(address: str, manner: dict[str, Any]) -> None:
    async with portal_on(address) as portal:
        for name, value in manner.items():
            setattr(portal, name, value)
        async with keys_on(address) as heard:
            assert await heard.standing() == TALK_BOUND
            portal.press("talk")
            assert await heard.until(bool) == [KeyDown(key=TALK)]


NONSENSE = Variant("a(sv)", [["talk", Variant("s", "x")], ["x", Variant("i", 1)]])
ANSWERS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "no shortcuts": ({"shortcuts": False}, "gives no keys to programs", True),
    "session denied": ({"create": 1}, "was told not to give", True),
    "session failed": ({"create": 2}, "does not say why", True),
    "session without a name": ({"session": Variant("u", 7)}, "does not say why", True),
    "a stranger": ({"stranger": True, "create": 2}, "only to programs of its menu", True),
    "a stranger who is denied": ({"stranger": True, "bind": 1}, "was told not to give", True),
    "denied": ({"bind": 1}, "was told not to give", True),
    "failed": ({"bind": 2}, "does not say why", True),
    "nothing bound": ({"bound": lambda _: shortcuts_of({})}, "has bound no key yet", True),
    "nothing bound nor listed": ({"bound": lambda _: None}, "has bound no key yet", True),
    "others bound": ({"bound": lambda _: shortcuts_of({"fly": "F1"})}, "has bound no key yet", True),
    "nonsense": ({"bound": lambda _: NONSENSE}, "has bound no key yet", True),
    "no key to talk": ({"bound": lambda _: shortcuts_of({"mute": "F8"})}, "no key to talk", True),
    "no key to mute": ({"bound": lambda _: shortcuts_of({"talk": "F9"})}, "no key to mute", False),
}


@pytest.mark.parametrize(("manner", "words", "ladder"), ANSWERS.values(), ids=ANSWERS)
async def test_what_stands_in_the_way_is_said(address: str, manner: dict[str, Any], words: str, ladder: bool) -> None:
    async with portal_on(address) as portal:
        for name, value in manner.items():
            setattr(portal, name, value)
        async with keys_on(address, "f9", "f8") as heard:
            note = (await heard.standing()).note
    assert words in note
    assert (COMMAND in note) is ladder


async def test_no_key_is_given_to_a_name_without_a_dot(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("novadesk.desktop.hotkeys.portal.APP_ID", "novadesk")
    async with portal_on(address) as portal, keys_on(address) as heard:
        assert "does not say why" in (await heard.standing()).note
        assert portal.name == "novadesk"


async def test_without_a_portal_the_way_around_is_said(address: str) -> None:
    async with keys_on(address) as heard:
        note = (await heard.standing()).note
    assert "has no portal" in note
    assert COMMAND in note


@pytest.mark.parametrize("where", ["unix:path=/nowhere/bus", "nonsense"])
async def test_without_a_bus_the_way_around_is_said(where: str) -> None:
    async with keys_on(where) as heard:
        note = (await heard.standing()).note
    assert "no session bus" in note
    assert COMMAND in note


async def test_whether_keys_can_be_bound_is_asked_without_binding_any(address: str) -> None:
    async with portal_on(address) as portal:
        assert await portal_version(address) == 1
        assert [member for member, _ in portal.calls] == ["Get"]
        portal.shortcuts = False
        with pytest.raises(KnownError, match="gives no keys to programs"):
            await portal_version(address)
    with pytest.raises(KnownError, match="has no portal"):
        await portal_version(address)


async def test_a_portal_that_does_not_answer_is_given_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = PortalBus.open

    async def connect_first(bus: PortalBus) -> None:
        await connect(bus)
        monkeypatch.setattr(portalbus, "CALL_S", 0.1)

    monkeypatch.setattr(PortalBus, "open", connect_first)
    async with portal_on(address) as portal:
        portal.answers = False
        async with keys_on(address) as heard:
            assert "does not answer" in (await heard.standing()).note


async def test_the_person_is_asked_as_long_as_it_takes(address: str) -> None:
    async with portal_on(address) as portal:
        portal.asks = "BindShortcuts"
        async with keys_on(address) as heard:
            (standing,) = await heard.until(bool)
            assert isinstance(standing, Standing)
            assert "asks which key" in standing.note
            assert standing.triggers == ()


@pytest.mark.parametrize("manner", [{"asks": "BindShortcuts"}, {"asks": "CreateSession"}, {"answers": False}], ids=str)
async def test_a_portal_that_ends_before_it_has_answered_is_asked_again(address: str, manner: dict[str, Any]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with portal_on(address) as portal:
            for name, value in manner.items():
                setattr(portal, name, value)
            heard = await stack.enter_async_context(keys_on(address))
            await portal.asked.wait()
        assert "portal has ended" in (await heard.standing()).note
        async with portal_on(address):
            assert await heard.standing() == TALK_BOUND
            await stack.aclose()


async def test_a_session_that_the_desktop_closes_releases_the_key(address: str) -> None:
    async with portal_on(address) as portal, keys_on(address) as heard:
        await heard.standing()
        portal.press("talk")
        portal.end_session()
        portal.press("talk")
        down, lost, standing = await heard.until(lambda news: isinstance(news[-1], Standing) if news else False)
        assert (down, lost) == (KeyDown(key=TALK), LOST)
        assert isinstance(standing, Standing)
        assert "no longer gives" in standing.note
        assert standing.triggers == ()
        assert COMMAND in standing.note


async def test_a_portal_that_is_started_anew_gives_the_key_again(address: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with portal_on(address) as portal:
            heard = await stack.enter_async_context(keys_on(address))
            await heard.standing()
            portal.press("talk")
            await heard.until(bool)
        lost, standing = await heard.until(lambda news: len(news) == 2)
        assert lost == LOST
        assert isinstance(standing, Standing)
        assert "portal has ended" in standing.note
        async with portal_on(address) as portal:
            assert await heard.standing() == TALK_BOUND
            portal.press("talk")
            assert await heard.until(bool) == [KeyDown(key=TALK)]
            await stack.aclose()


async def test_the_end_of_the_bus_releases_the_key(tmp_path: Path) -> None:
    with session_bus_process(tmp_path) as (address, process):
        async with portal_on(address) as portal, keys_on(address) as heard:
            await heard.standing()
            portal.press("talk")
            await heard.until(bool)
            os.kill(process, signal.SIGKILL)
            assert (await heard.until(lambda news: len(news) >= 2))[0] == LOST


async def test_another_choice_of_the_person_is_shown(address: str) -> None:
    async with portal_on(address) as portal, keys_on(address) as heard:
        await heard.standing()
        portal.press("talk")
        portal.change(grant([["talk", {}]], "Press Pause").value)
        assert await heard.until(lambda news: len(news) == 3) == [
            KeyDown(key=TALK),
            LOST,
            Standing(triggers=((Action.TALK, "Press Pause"),)),
        ]
        portal.change([])
        _, standing = await heard.until(lambda news: len(news) == 2)
        assert isinstance(standing, Standing)
        assert "no key yet" in standing.note


async def test_only_the_portal_presses_keys_and_only_ours(address: str) -> None:
    async with portal_on(address) as portal, keys_on(address) as heard:
        await heard.standing()
        ((_, wanted, *_),) = portal.called("BindShortcuts")
        assert wanted
        stranger = await MessageBus(bus_address=address).connect()
        for name in await _names(stranger):
            await stranger.send(
                Message(
                    message_type=MessageType.SIGNAL, destination=name, path=PATH, interface=SHORTCUTS,
                    member="Activated", signature="osta{sv}", body=[portal.session.value, "talk", 1, {}],
                )
            )  # fmt: skip
        stranger.disconnect()
        await stranger.wait_for_disconnect()
        portal.press("talk", session=f"{PATH}/session/9_9/else")
        portal.press("fly")
        portal._tell(SHORTCUTS, "Activated", "s", ["talk"])
        portal._tell("org.freedesktop.portal.Request", "Response", "s", ["x"], path=f"{PATH}/request/x")
        portal.release("talk")
        assert await heard.until(bool) == [KeyUp(key=TALK)]


async def _names(bus: MessageBus) -> list[str]:
    reply = await bus.call(
        Message(
            destination="org.freedesktop.DBus", path="/org/freedesktop/DBus", interface="org.freedesktop.DBus",
            member="ListNames",
        )
    )  # fmt: skip
    assert reply is not None
    return [name for name in reply.body[0] if name.startswith(":") and name != bus.unique_name]


class Told:
    """A conversation that notes what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.more = asyncio.Event()

    def _note(self, words: str) -> None:
        self.words.append(words)
        self.more.set()

    def press_talk(self, held_s: float = 0.0) -> None:
        self._note("press")

    def release_talk(self, *, meant: bool = True) -> None:
        self._note("release")

    def set_talk_mode(self, mode: object) -> None:
        self._note("mode")

    def set_muted(self, muted: bool) -> None:
        self._note("mute" if muted else "unmute")

    def notice(self, line: str) -> None:
        self._note(line)

    def set_extra(self, **values: Any) -> None: ...


async def test_the_end_of_the_portal_ends_the_talk(address: str) -> None:
    """From the bus to the conversation: what is held when the session ends does not go on talking."""
    told, shown = Told(), asyncio.Event()
    press = TalkPress(Rules(), told, asyncio.get_running_loop().time)

    def show(standing: Standing) -> None:
        if standing.settled:
            assert standing in (TALK_BOUND, Standing(note=standing.note))
            shown.set()

    async with portal_on(address) as portal:
        key = TalkKey(TalkSettings(), press, show, lambda bindings: PortalHotkey(bindings, address), lambda _: None)
        key.start()
        await shown.wait()
        portal.press("talk")
        portal.end_session()
        while len(told.words) < 3:
            told.more.clear()
            await told.more.wait()
        await key.stop()
    press.stop()
    assert told.words == ["press", "release", "Talking stopped: the desktop no longer tells of the key."]


@pytest.mark.parametrize(
    ("chord", "words"),
    [
        ("f9", "F9"),
        ("ctrl+alt+shift+super+a", "CTRL+ALT+SHIFT+LOGO+a"),
        ("shift+page_up", "SHIFT+Page_Up"),
        ("f", "f"),
        ("7", "7"),
        ("comma", "comma"),
        ("right_ctrl", ""),
        ("mouse_back", ""),
        ("ctrl", ""),
        ("a+b", ""),
        ("ß", ""),
        ("right_ctrl+a", ""),
    ],
)
def test_a_chord_in_the_desktops_words(chord: str, words: str) -> None:
    assert trigger(parse_chord(chord)) == words


@pytest.mark.parametrize("odd", [None, 7, "talk", [], [7], [[]], [["talk"]], [["talk", 7]], [[7, {}]], {"talk": {}}])
def test_odd_shortcuts_are_none(odd: object) -> None:
    assert read_shortcuts(odd) == {}
