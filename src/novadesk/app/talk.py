"""`novadesk talk`: one conversation without a window, from a WAV file to a WAV file."""

import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path

from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.config import Settings, TalkModeSetting, load_settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.ports import SoundListener
from novadesk.errors import KnownError, Reason
from novadesk.logs import start_logs, stop_logs
from novadesk.models import BackendKind, Role, Turn
from novadesk.paths import Folders, find_folders

QUIET_S = 3.0
ANSWER_S = 30.0
CONNECT_S = 60.0
_SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Nova"}
_REPLY_OPEN = frozenset({Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.RECONNECTING, Phase.RENEWING})


class Ending(Enum):
    """How a talk ended, with its exit code."""

    DONE = ("done", 0)
    NOTHING_RECOGNISED = ("nothing recognised", 3)
    NO_ANSWER = ("no answer", 4)
    CANCELLED = ("cancelled", 130)


def run_talk(
    *,
    profile: str,
    read: Path,
    write: Path | None,
    backend: str | None,
    handle: str | None,
    fresh: bool,
    as_json: bool,
) -> int:
    """Hold the conversation; return the exit code of its ending."""
    folders = find_folders(profile=profile).make()
    settings = load_settings(folders.settings_file)
    settings = replace(settings, talk=replace(settings.talk, mode=TalkModeSetting.HANDS_FREE))
    if backend is not None:
        settings = replace(settings, backend=replace(settings.backend, kind=BackendKind(backend)))
    sound = FileSound(read, write)
    logs = start_logs(folders.log_file)
    try:
        return asyncio.run(_Talk(settings, folders, sound, as_json=as_json).run(handle=handle, fresh=fresh))
    finally:
        stop_logs(logs)


class _WaitingSound:
    """A file that begins to be spoken when the service listens, not before."""

    def __init__(self, file: FileSound) -> None:
        self.begin = asyncio.Event()
        self._file = file

    async def open(self, listener: SoundListener) -> None:
        await self.begin.wait()
        await self._file.open(listener)

    async def close(self) -> None:
        await self._file.close()

    def play(self, pcm: bytes, generation: int) -> None:
        self._file.play(pcm, generation)

    def flush(self, generation: int) -> None:
        self._file.flush(generation)


class _Talk:
    def __init__(self, settings: Settings, folders: Folders, file: FileSound, *, as_json: bool) -> None:
        self._file = file
        self._as_json = as_json
        self._seen: set[str] = set()
        self._roles: set[Role] = set()
        self._snapshot = Snapshot()
        self._changed = asyncio.Event()
        self._cancelled = asyncio.Event()
        self._core = Core(settings=settings, folders=folders, publish=self._take, on_quit=self._cancelled.set)

    async def run(self, *, handle: str | None, fresh: bool) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self._cancelled.set)
        sound = _WaitingSound(self._file)
        await self._core.start(Start(role="talk", handle=handle, fresh=fresh, sound=sound))
        self._seen = {turn.turn_id for turn in self._core.controller.snapshot().turns}
        try:
            ending = await self._hold(sound)
        finally:
            await self._core.stop()
        self._print_new_turns()
        reason, code = ending.value
        if self._as_json:
            print(json.dumps({"type": "end", "reason": reason}), flush=True)
        return code

    async def _hold(self, sound: _WaitingSound) -> Ending:
        quiet_since: float | None = None
        asked_at: float | None = None
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._cancelled.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._changed.wait()
            self._changed.clear()
            snapshot, now = self._core.controller.snapshot(), loop.time()
            late = now - began > CONNECT_S and not sound.begin.is_set()
            if (snapshot.phase is Phase.FAILED or late) and snapshot.error is not None:
                raise KnownError(Reason(snapshot.error.reason), snapshot.error.what, snapshot.error.advice)
            if snapshot.phase is Phase.READY:
                sound.begin.set()
            if not self._file.finished_feeding.is_set():
                continue
            asked_at = asked_at or now
            waiting = Role.USER in self._roles and Role.ASSISTANT not in self._roles
            if waiting and now - asked_at > ANSWER_S:
                return Ending.NO_ANSWER
            if waiting or snapshot.phase in _REPLY_OPEN:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            elif now - quiet_since > QUIET_S:
                return Ending.DONE if Role.USER in self._roles else Ending.NOTHING_RECOGNISED
        return Ending.CANCELLED

    def _take(self, snapshot: Snapshot) -> None:
        if self._as_json and snapshot.phase is not self._snapshot.phase:
            print(json.dumps({"type": "phase", "phase": snapshot.phase.value}), flush=True)
        self._snapshot = snapshot
        self._print_new_turns()
        self._changed.set()

    def _print_new_turns(self) -> None:
        for turn in self._core.controller.snapshot().turns:
            if turn.turn_id not in self._seen:
                self._seen.add(turn.turn_id)
                self._roles.add(turn.role)
                self._print(turn)

    def _print(self, turn: Turn) -> None:
        if self._as_json:
            row = {"type": "turn", "conversation": turn.conversation, "role": turn.role.value}
            print(json.dumps({**row, "text": turn.heard_text, "interrupted": turn.interrupted}), flush=True)
        else:
            print(f"{_SPEAKERS[turn.role]:>5}: {turn.heard_text}", flush=True)
