"""What the control channel answers: `novadesk ctl` and end-to-end tests drive the running core through here."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from novadesk.app.diagnosis import Diagnosis
from novadesk.app.talkpress import TalkPress
from novadesk.app.update_command import standing_row
from novadesk.app.upkeep import Upkeep
from novadesk.chord import Origin
from novadesk.conversation.api import Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.updateapi import UpdateStanding
from novadesk.desktop.hotkeys.press import MuteWished, Wish, Wished
from novadesk.errors import KnownError, Reason
from novadesk.scenario import Chosen

PROTOCOL = 1
_UPKEEP = frozenset({"delete", "set_aside", "bring_back", "clear", "rename", "star", "backup", "logout"})


class Asked(Protocol):
    """What of the core answers requests about more than the open conversation."""

    async def pull(self) -> int:
        """Read what other machines wrote; return how many turns came in."""
        ...

    async def check_updates(self) -> UpdateStanding:
        """Ask whether there is a newer version."""
        ...

    async def choose_scenario(self, name: str, values: Mapping[str, str]) -> Chosen:
        """Return a scenario with its form filled in."""
        ...


class ControlHandler:
    """Answers one request after another.

    Args:
        controller: the running conversation.
        talk: who holds the talk key.
        diagnosis: what the core knows about its own health.
        upkeep: answers what is about the store.
        core: answers what is about more than the open conversation.
        show: brings the window to the front, given what the desktop calls the right to do so; None without a window.
    """

    def __init__(
        self,
        controller: Controller,
        talk: TalkPress,
        diagnosis: Diagnosis,
        upkeep: Upkeep,
        core: Asked,
        show: Callable[[str], None] | None = None,
    ) -> None:
        self._controller, self._talk, self._diagnosis, self._upkeep = controller, talk, diagnosis, upkeep
        self._core, self._show = core, show

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
            case {"do": "show"}:
                if self._show is None:
                    raise KnownError(Reason.NO_DISPLAY, "This NovaDesk has no window.", "End it, and start `novadesk`.")
                self._show(str(request.get("activation", "")))
            case {"do": "new"}:
                await self._begin(request)
            case {"do": "again"}:
                await self._controller.begin_anew(scenario=self._controller.snapshot().scenario)
            case {"do": "pause"}:
                await self._controller.pause()
            case {"do": "resume"}:
                self._controller.resume_conversation()
            case {"do": "end"}:
                await self._controller.end()
            case {"do": "pull"}:
                return {"protocol": PROTOCOL, "done": True, "came": await self._core.pull()}
            case {"do": "update-check"}:
                return {"protocol": PROTOCOL, **standing_row(await self._core.check_updates())}
            case {"do": str(what)} if what in _UPKEEP:
                if (done := await self._upkeep.answer(request)) is None:
                    raise _senseless()
                return {"protocol": PROTOCOL, "done": True, **done}
            case {"do": str(what)}:
                _wish(self._controller, self._talk, what, request)
            case _:
                raise _senseless()
        return {"protocol": PROTOCOL, "done": True}

    async def _begin(self, request: Mapping[str, Any]) -> None:
        private, name, values = request.get("private", False), request.get("scenario"), request.get("values", {})
        known = isinstance(name, str) or (name is None and not values)
        if not (known and isinstance(private, bool) and isinstance(values, dict)):
            raise _senseless()
        filled = {key: str(value) for key, value in values.items()}
        scenario = None if name is None else await self._core.choose_scenario(name, filled)
        await self._controller.begin_anew(private=private, scenario=scenario)


def status(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as `novadesk ctl status --json` prints it."""
    conversation = snapshot.conversation
    return {
        "protocol": PROTOCOL,
        "phase": snapshot.phase.value,
        "pause": snapshot.pause.value,
        "microphone": snapshot.microphone.value,
        "backend": snapshot.backend.value,
        "conversation": None if conversation is None else conversation.handle,
        "scenario": None if snapshot.scenario is None else snapshot.scenario.name,
        "voice": snapshot.voice,
        "changing": snapshot.changing,
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
        case "say", {"text": str(text), **more} if text.strip():
            intents.say(text, aloud=more.get("silent") is not True)
        case "quit", _:
            intents.quit()
        case _:
            raise _senseless()


def _senseless() -> KnownError:
    return KnownError(Reason.BAD_INPUT, "NovaDesk does not know that request.", "See `novadesk ctl --help`.")
