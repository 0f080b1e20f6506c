"""A locked screen where it has to be looked for, and what macOS lacks consent for; no such system needed."""

import asyncio
import sys
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any, cast

import pytest

from novadesk.app.talkkey import watch_away
from novadesk.app.talkpress import TalkPress
from novadesk.chord import Action, parse_bindings
from novadesk.desktop.hotkeys.base import News, Standing
from novadesk.desktop.hotkeys.lockpoll import LOOK_S, LockPoll, mac_locked, windows_locked
from novadesk.desktop.hotkeys.macos import Consent, MacHotkey, consent_note, read_consent
from novadesk.desktop.hotkeys.press import Loss, Lost
from tests.support.virtual_loop import run_virtually


def test_each_lock_is_told_once() -> None:
    looks = iter([False, True, True, False, True, False])
    told: list[tuple[float, Lost]] = []

    async def play() -> None:
        loop = asyncio.get_running_loop()
        poll = LockPoll(lambda lost: told.append((loop.time(), lost)), lambda: next(looks))
        poll.start()
        await asyncio.sleep(5.5 * LOOK_S)
        await poll.stop()
        await poll.stop()

    run_virtually(play())
    assert told == [(1 * LOOK_S, Lost(loss=Loss.LOCK)), (4 * LOOK_S, Lost(loss=Loss.LOCK))]


@pytest.mark.parametrize(("desktop", "locked", "closed"), [(0, True, []), (77, False, [77])])
def test_windows_is_locked_while_its_input_desktop_is_not_ours(desktop: int, locked: bool, closed: list[int]) -> None:
    given: list[int] = []
    user32 = SimpleNamespace(OpenInputDesktop=lambda *_: desktop, CloseDesktop=given.append)
    assert windows_locked(SimpleNamespace(user32=user32)) is locked
    assert given == closed


@pytest.mark.parametrize(("session", "locked"), [(None, False), ({}, False), ({"CGSSessionScreenIsLocked": 1}, True)])
def test_a_mac_is_locked_when_its_session_says_so(session: dict[str, int] | None, locked: bool) -> None:
    assert mac_locked(SimpleNamespace(CGSessionCopyCurrentDictionary=lambda: session)) is locked


def test_a_system_that_does_not_tell_is_watched_by_nobody() -> None:
    talk = cast(TalkPress, SimpleNamespace(take=lambda _: None))
    assert watch_away(talk, "win32") is None  # this is none
    assert watch_away(talk, "darwin") is None
    assert watch_away(talk, "plan9") is None


def modules(trusted: Any, listens: Any) -> Callable[[str], Any]:
    def load(name: str) -> Any:
        questions = {"HIServices": ("AXIsProcessTrusted", trusted), "Quartz": ("CGPreflightListenEventAccess", listens)}
        question, answer = questions[name]
        if answer is ImportError:
            raise ImportError
        return SimpleNamespace() if answer is None else SimpleNamespace(**{question: lambda: answer})

    return load


CONSENTS: list[tuple[Any, Any, Consent, list[str]]] = [
    (True, True, Consent(accessibility=True, input_monitoring=True), []),
    (True, False, Consent(accessibility=True, input_monitoring=False), ["Input Monitoring"]),
    (False, True, Consent(accessibility=False, input_monitoring=True), ["Accessibility"]),
    (0, 0, Consent(accessibility=False, input_monitoring=False), ["Accessibility", "Input Monitoring"]),
    (ImportError, None, Consent(accessibility=True, input_monitoring=True), []),  # before 10.15 there was no such call
]


@pytest.mark.parametrize(("trusted", "listens", "consent", "lacking"), CONSENTS)
def test_the_consent_that_macos_lacks_is_named(
    trusted: Any, listens: Any, consent: Consent, lacking: list[str]
) -> None:
    assert read_consent(modules(trusted, listens)) == consent
    note = consent_note(consent)
    assert bool(note) is bool(lacking)
    for place in ("Accessibility", "Input Monitoring"):
        assert (place in note) is (place in lacking)


class Keys(Enum):
    f9 = SimpleNamespace(vk=101)


class Listener:
    def __init__(self, **_: object) -> None: ...

    def start(self) -> None: ...


@pytest.mark.parametrize("allowed", [True, False])
def test_a_mac_without_consent_promises_no_key(monkeypatch: pytest.MonkeyPatch, allowed: bool) -> None:
    keyboard = SimpleNamespace(Key=Keys, Listener=Listener)
    monkeypatch.setitem(sys.modules, "pynput", SimpleNamespace(keyboard=keyboard))
    consent = Consent(accessibility=True, input_monitoring=allowed)
    told: list[News] = []
    MacHotkey(parse_bindings("f9"), lambda: consent).start(told.append)
    triggers = ((Action.TALK, "f9"),) if allowed else ()
    hears = frozenset(binding.key for binding in parse_bindings("f9")) if allowed else frozenset()
    assert told == [Standing(note=consent_note(consent), triggers=triggers, hears=hears)]
