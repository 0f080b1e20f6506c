"""What the control channel answers: `novadesk ctl` and end-to-end tests drive the running core through here."""

from collections.abc import Awaitable, Callable
from typing import Any

from novadesk.app.diagnosis import Diagnosis
from novadesk.app.talkkey import TalkPress
from novadesk.app.upkeep import Upkeep
from novadesk.chord import Origin
from novadesk.conversation.api import Snapshot
from novadesk.conversation.controller import Controller
from novadesk.desktop.hotkeys.press import MuteWished, Wish, Wished
from novadesk.errors import KnownError, Reason

PROTOCOL = 1
_UPKEEP = frozenset({"delete", "set_aside", "bring_back", "clear", "rename", "star", "backup", "logout"})


class ControlHandler:
    """Answers one request after another.

    Args:
        controller: the running conversation.
        talk: who holds the talk key.
        diagnosis: what the core knows about its own health.
        upkeep: answers what is about the store.
        pull: reads what other machines wrote.
        show: brings the window to the front, given what the desktop calls the right to do so; None without a window.
    """

    def __init__(
        self,
        controller: Controller,
        talk: TalkPress,
        diagnosis: Diagnosis,
        upkeep: Upkeep,
        pull: Callable[[], Awaitable[int]],
        show: Callable[[str], None] | None = None,
    ) -> None:
        self._controller, self._talk, self._diagnosis, self._upkeep = controller, talk, diagnosis, upkeep
        self._pull = pull
        self._show = show

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request.

        Raises:
            KnownError: `BAD_INPUT` for a request that makes no sense.
        """
        match request:
            case {"do": "status"}:
                return status(self._controller.snapshot())
            case {"do": "report"}:
                report, recording = await self._diagnosis.save()
                return {"protocol": PROTOCOL, "report": str(report), "recording": str(recording)}
            case {"do": "open", "handle": str(handle)}:
                await self._controller.resume(handle)
            case {"do": "new", "private": bool(private)}:
                await self._controller.begin_anew(private=private)
            case {"do": "new"} if "private" not in request:
                await self._controller.begin_anew()
            case {"do": "show"}:
                if self._show is None:
                    raise KnownError(Reason.NO_DISPLAY, "This NovaDesk has no window.", "End it, and start `novadesk`.")
                self._show(str(request.get("activation", "")))
            case {"do": "end"}:
                await self._controller.end()
            case {"do": "pull"}:
                return {"protocol": PROTOCOL, "done": True, "came": await self._pull()}
            case {"do": str(what)} if what in _UPKEEP:
                if (done := await self._upkeep.answer(request)) is None:
                    raise _senseless()
                return {"protocol": PROTOCOL, "done": True, **done}
            case {"do": str(what)}:
                _wish(self._controller, self._talk, what, request)
            case _:
                raise _senseless()
        return {"protocol": PROTOCOL, "done": True}


def status(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as `novadesk ctl status --json` prints it."""
    conversation = snapshot.conversation
    return {
        "protocol": PROTOCOL,
        "phase": snapshot.phase.value,
        "microphone": snapshot.microphone.value,
        "backend": snapshot.backend.value,
        "conversation": None if conversation is None else conversation.handle,
        "attempt": snapshot.attempt,
        "retry_in_s": None if snapshot.retry_in_s is None else round(snapshot.retry_in_s, 1),
        "error": None
        if snapshot.error is None
        else {
            "layer": snapshot.error.layer,
            "reason": snapshot.error.reason,
            "what": snapshot.error.what,
            "advice": snapshot.error.advice,
        },
        "pending_sync": snapshot.pending_sync,
        "recovered_turns": snapshot.recovered_turns,
    }


def _wish(intents: Controller, talk: TalkPress, what: str, request: dict[str, Any]) -> None:
    match what, request:
        case "talk", {"what": "start" | "stop" | "toggle" as wish}:
            talk.take(Wished(wish=Wish(wish), origin=Origin.COMMAND))
        case "mute" | "unmute", _:
            talk.take(MuteWished(on=what == "mute"))
        case "stop", _:
            intents.stop_speaking()
        case "say", {"text": str(text)} if text.strip():
            intents.say(text)
        case "quit", _:
            intents.quit()
        case _:
            raise _senseless()


def _senseless() -> KnownError:
    return KnownError(Reason.BAD_INPUT, "NovaDesk does not know that request.", "See `novadesk ctl --help`.")
