"""Push-to-talk under Wayland: the desktop's portal binds the keys, and tells of press and release.

Interface org.freedesktop.portal.GlobalShortcuts, version 1. The desktop, with the person, chooses the keys; what it
says about them is what is shown.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from dbus_fast import Variant

from novadesk.chord import LADDER, Action, Binding, Chord, Key, KeyDown, KeyUp
from novadesk.desktop.hotkeys.base import News, Standing, Tell, with_ladder
from novadesk.desktop.hotkeys.portalbus import PortalBus, PortalGoneError, PortalRefusalError
from novadesk.desktop.hotkeys.press import Loss, Lost
from novadesk.desktop.menuentry import APP_ID
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

_log = logging.getLogger(__name__)

_SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
_REGISTRY = "org.freedesktop.host.portal.Registry"
_MOST_RETURNS = 3  # of a portal that ends again and again; each may ask the person anew

_WORDS = {Action.TALK: "Talk to NovaDesk", Action.MUTE: "Mute NovaDesk while held"}
_UNSAID = Text("a key of the desktop’s settings")
_ASKING = Text("The desktop asks which key to use: answer in its window.")
_DENIED = Text("The desktop was told not to give NovaDesk a key.")
_NAMELESS = Text(
    "The desktop gives keys only to programs of its menu: copy io.github.novadesk.NovaDesk.desktop to "
    "~/.local/share/applications."
)
_ODD = Text("The desktop gives no key and does not say why.")
_NOTHING_BOUND = with_ladder(
    Text("The desktop has bound no key yet: choose one for NovaDesk in its keyboard settings.")
)
_NO_TALK = with_ladder(Text("The desktop has bound no key to talk: choose one for NovaDesk in its keyboard settings."))
_NO_MUTE = Text("The desktop has bound no key to mute: choose one for NovaDesk in its keyboard settings.")
_CLOSED = Text("The desktop no longer gives NovaDesk its key.")
_GONE = Text("The desktop's portal has ended, and the talk key with it.")

# Names of keys as xkbcommon has them, for the XDG shortcuts specification.
_KEYSYMS = {
    "space": "space", "tab": "Tab", "enter": "Return", "esc": "Escape", "backspace": "BackSpace", "insert": "Insert",
    "delete": "Delete", "home": "Home", "end": "End", "page_up": "Page_Up", "page_down": "Page_Down", "up": "Up",
    "down": "Down", "left": "Left", "right": "Right", "pause": "Pause", "scroll_lock": "Scroll_Lock",
    "num_lock": "Num_Lock", "caps_lock": "Caps_Lock", "print_screen": "Print", "menu": "Menu",
    "media_play_pause": "XF86AudioPlay", ",": "comma", "+": "plus",
}  # fmt: skip
_MODIFIERS = {"ctrl": "CTRL", "alt": "ALT", "shift": "SHIFT", "super": "LOGO"}


class _Over(Enum):
    CLOSED = "session closed"
    GONE = "portal gone"


class PortalHotkey:
    """A `HotkeyBackend` for Wayland.

    Args:
        bindings: what to bind, all at once, for each bind may ask the person.
        address: of the session bus; empty means the usual one.
    """

    def __init__(self, bindings: Sequence[Binding], address: str = "") -> None:
        self._shortcuts = dict(zip(_names(bindings), bindings, strict=True))
        self._bus = PortalBus(address, self._on_signal, self._on_gone)
        self._tell: Tell | None = None
        self._task: asyncio.Task[None] | None = None
        self._over: asyncio.Future[_Over] | None = None
        self._session = ""
        self._bound: dict[str, str] = {}

    def start(self, tell: Tell) -> None:
        """Begin to watch, see `HotkeyBackend`."""
        self._tell = tell
        self._task = asyncio.create_task(self._run(), name="portal-hotkey")

    async def stop(self) -> None:
        """Tell nothing any more; the desktop forgets the session."""
        self._tell = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._bus.close()

    async def _run(self) -> None:
        try:
            await self._bus.open()
            for _ in range(_MOST_RETURNS):
                try:
                    await self._serve()
                    break
                except PortalGoneError:
                    self._lose(with_ladder(_GONE))
                await self._bus.back()
        except KnownError as error:
            self._lose(error.whole)
        except Exception:  # The outermost frame of the task: without a key, but with a word.
            _log.exception("the desktop's keys were lost by a bug")
            self._say(Lost(loss=Loss.PORTAL))
            self._lose(with_ladder(_ODD))
        await self._bus.close()

    async def _serve(self) -> None:
        """Bind the keys and watch them until the desktop ends the session.

        Raises:
            KnownError: it does not begin.
            PortalGoneError: the portal went.
        """
        self._over = asyncio.get_running_loop().create_future()
        nameless = await self._introduce()
        try:
            self._session = await self._create_session()
            self._say(Standing(note=_ASKING, settled=False))
            await self._bind()
        except KnownError as error:
            if nameless and error.what != _DENIED:
                raise KnownError(Reason.HOTKEY_UNAVAILABLE, _NAMELESS, LADDER) from error
            raise
        if await self._over is _Over.GONE:
            raise PortalGoneError
        self._lose(with_ladder(_CLOSED))

    async def _introduce(self) -> bool:
        """Say who we are, before anything else; return whether that was refused, though there is somebody to say it to.

        Portals before 1.20 do not ask, and those of a sandbox know.
        """
        try:
            await self._bus.call(_REGISTRY, "Register", "sa{sv}", APP_ID, {})
        except KnownError as error:
            _log.info("the portal did not take our name: %s", error.what)
            return isinstance(error, PortalRefusalError)
        return False

    async def _create_session(self) -> str:
        code, results = await self._bus.request(
            _SHORTCUTS, "CreateSession", "a{sv}", session_handle_token=Variant("s", "novadesk")
        )
        session = results.get("session_handle")
        if code != 0 or not isinstance(session, str) or not session.startswith("/"):
            raise KnownError(Reason.HOTKEY_UNAVAILABLE, _DENIED if code == 1 else _ODD, LADDER)
        return session

    async def _bind(self) -> None:
        wanted = [[name, _wish(binding)] for name, binding in self._shortcuts.items()]
        code, results = await self._bus.request(
            _SHORTCUTS, "BindShortcuts", "oa(sa{sv})sa{sv}", self._session, wanted, "", deadline_s=None
        )
        if code != 0:
            raise KnownError(Reason.HOTKEY_UNAVAILABLE, _DENIED if code == 1 else _ODD, LADDER)
        if "shortcuts" not in results:  # some portals answer without; the list tells
            code, results = await self._bus.request(_SHORTCUTS, "ListShortcuts", "oa{sv}", self._session)
        self._set_bound(results.get("shortcuts"))

    def _set_bound(self, shortcuts: object) -> None:
        self._bound = {name: words or _UNSAID for name, words in read_shortcuts(shortcuts).items()}
        self._stand()

    def _stand(self) -> None:
        """Tell which keys work."""
        triggers = tuple(
            (binding.action, self._bound[name]) for name, binding in self._shortcuts.items() if name in self._bound
        )
        bound = {action for action, _ in triggers}
        lacking = {binding.action for binding in self._shortcuts.values()} - bound
        note = ""
        if lacking:
            note = _NOTHING_BOUND if not bound else _NO_TALK if Action.TALK in lacking else _NO_MUTE
        self._say(Standing(note=note, triggers=triggers))

    def _lose(self, note: str) -> None:
        self._session, self._bound = "", {}
        self._say(Standing(note=note))

    def _on_signal(self, path: str, member: str, body: list[Any]) -> None:
        if not self._session:
            return
        match member, body:
            case "Activated" | "Deactivated", [session, str(name), *_] if session == self._session:
                if (key := self._key(name)) is not None:
                    self._say(KeyDown(key=key) if member == "Activated" else KeyUp(key=key))
            case "ShortcutsChanged", [session, shortcuts] if session == self._session:
                self._say(Lost(loss=Loss.PORTAL))  # of a key that is bound no more no release comes
                self._set_bound(shortcuts)
            case "Closed", _ if path == self._session:
                self._end(_Over.CLOSED)
            case _:
                pass

    def _on_gone(self) -> None:
        self._end(_Over.GONE)

    def _end(self, over: _Over) -> None:
        self._say(Lost(loss=Loss.PORTAL))  # at once; the words come from the task
        self._session = ""
        if self._over is not None and not self._over.done():
            self._over.set_result(over)

    def _key(self, name: str) -> Key | None:
        binding = self._shortcuts.get(name)
        if binding is None:
            return None
        # A desktop that binds a modifier takes it for itself: it is part of no shortcut.
        return Key(name=name, action=binding.action)

    def _say(self, news: News) -> None:
        if self._tell is None:
            return
        try:
            self._tell(news)
        except Exception:
            _log.exception("The answer to a key failed.")


def read_shortcuts(shortcuts: object) -> dict[str, str]:
    """Return the words for the trigger of each bound shortcut; what has another form is left out."""
    found: dict[str, str] = {}
    for each in shortcuts if isinstance(shortcuts, list) else []:
        match each:
            case [str(name), {**properties}]:
                words = properties.get("trigger_description")
                words = words.value if isinstance(words, Variant) else words
                found[name] = " ".join(words.split()) if isinstance(words, str) else ""
            case _:
                pass
    return found


async def portal_version(address: str) -> int:
    """Return the version of the portal's global shortcuts; nothing is bound.

    Raises:
        KnownError: `HOTKEY_UNAVAILABLE` where there is no bus, no portal, or none for keys.
    """
    bus = PortalBus(address, lambda *_: None, lambda: None)
    await bus.open()
    try:
        answer = await bus.call("org.freedesktop.DBus.Properties", "Get", "ss", _SHORTCUTS, "version")
    except PortalGoneError as error:
        raise KnownError(Reason.HOTKEY_UNAVAILABLE, _GONE, LADDER) from error
    finally:
        await bus.close()
    version = answer[0].value if answer and isinstance(answer[0], Variant) else None
    if not isinstance(version, int):
        raise KnownError(Reason.HOTKEY_UNAVAILABLE, _ODD, LADDER)
    return version


def trigger(chord: Chord) -> str:
    """Return a chord in the words of the XDG shortcuts specification, or an empty text where it has none for it."""
    modifiers = [_MODIFIERS[key] for key in chord.keys if key in _MODIFIERS]
    others = [key for key in chord.keys if key not in _MODIFIERS]
    if len(others) != 1:
        return ""
    key = others[0]
    plain = len(key) == 1 and key.isascii() and key.isalnum()
    symbol = key if plain else key.upper() if key[0] == "f" and key[1:].isdigit() else _KEYSYMS.get(key, "")
    return "+".join([*modifiers, symbol]) if symbol else ""


def _wish(binding: Binding) -> Mapping[str, Variant]:
    wish = {"description": Variant("s", _WORDS[binding.action])}
    if preferred := trigger(binding.chord):
        wish["preferred_trigger"] = Variant("s", preferred)
    return wish


def _names(bindings: Sequence[Binding]) -> list[str]:
    """Return a name for each shortcut, the same at each start, by which the desktop remembers it."""
    count: dict[Action, int] = {}
    names = []
    for binding in bindings:
        count[binding.action] = number = count.get(binding.action, 0) + 1
        names.append(binding.action.value if number == 1 else f"{binding.action.value}-{number}")
    return names
