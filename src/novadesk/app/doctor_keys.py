"""The doctor's look at the talk key: what would bind it, why not, and what to do then. Nothing is bound for it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from novadesk.chord import LADDER, Action, Binding, parse_bindings
from novadesk.config import TalkSettings
from novadesk.daemon import DaemonCall
from novadesk.desktop.hotkeys.base import HotkeyBackend, News, Standing, choose_backend, is_wayland
from novadesk.desktop.menuentry import find_menu_entry
from novadesk.errors import KnownError, Reason

FIND_S = 5.0


async def examine_talk_key(
    settings: TalkSettings,
    *,
    platform: str = sys.platform,
    environment: Mapping[str, str] = os.environ,
    choose: Callable[[Sequence[Binding]], HotkeyBackend] = choose_backend,
) -> str:
    """Return what makes the talk key work in every window.

    Under Wayland the desktop asks the person when a key is bound, so it is only asked whether it can.

    Raises:
        KnownError: `BAD_SETTINGS` for a key that there is none of, `HOTKEY_UNAVAILABLE` where no key works.
    """
    bindings = parse_bindings(settings.key, settings.mute_key)
    keys = ", ".join(str(binding.chord) for binding in bindings if binding.action is Action.TALK)
    if not keys:
        return "none is set; Space and the talk button work in the window"
    if is_wayland(platform, environment):
        return await _portal(keys, environment)
    try:
        backend = await DaemonCall(lambda: choose(bindings), name="doctor-keys").result(deadline_s=FIND_S)
    except TimeoutError as error:
        raise KnownError(
            Reason.HOTKEY_UNAVAILABLE, "The desktop does not say in time whether it shows keys.", "Start it anew."
        ) from error
    told: list[News] = []
    backend.start(told.append)
    await backend.stop()
    standing = next(news for news in told if isinstance(news, Standing))
    if standing.note:
        raise KnownError(Reason.HOTKEY_UNAVAILABLE, standing.note.removesuffix(LADDER).rstrip(), LADDER)
    return f"{keys} can be heard in every window"


async def _portal(keys: str, environment: Mapping[str, str]) -> str:
    from novadesk.desktop.hotkeys.portal import portal_version

    version = await portal_version(environment.get("DBUS_SESSION_BUS_ADDRESS", ""))
    if find_menu_entry(environment) is None:
        raise KnownError(
            Reason.HOTKEY_UNAVAILABLE,
            "The desktop's portal can bind {keys}, but io.github.novadesk.NovaDesk.desktop is in no menu, and newer "
            "portals know programs by it.",
            "Copy io.github.novadesk.NovaDesk.desktop to ~/.local/share/applications.",
            keys=keys,
        )
    return f"the desktop's portal (version {version}) is asked for {keys} when the window starts"
