"""`novadesk talk`: one conversation without a window, from a WAV file to a WAV file."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np

from novadesk.app.core import Core, Start
from novadesk.app.output import put, put_error, put_note, put_row
from novadesk.app.scenarios import chosen
from novadesk.app.talkcourse import Course, Outcome
from novadesk.audio.formats import Recording, read_wav
from novadesk.audio.nullio import FileSound
from novadesk.config import Settings, TalkModeSetting
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.ports import SoundListener
from novadesk.errors import KnownError, Layer, Reason
from novadesk.logs import start_logs, stop_logs
from novadesk.models import BackendKind, Cue, Role, Turn
from novadesk.paths import Folders, find_folders
from novadesk.scenario import Chosen
from novadesk.settings_file import load_settings

LOOK_S = 0.1
HURRY_S = 1.7
LOUD = 0.01
_SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Nova"}


class Ending(Enum):
    """How a talk ended: its reason and its exit code."""

    DONE = ("done", 0)
    NOTHING_RECOGNISED = ("nothing recognised", 3)
    NO_ANSWER = ("no answer", 4)
    FAILED = ("failed", 2)
    QUIT = ("quit", 0)
    UNREAD = ("nobody reads the output", 0)
    INTERRUPTED = ("interrupted", 128 + signal.SIGINT)
    TERMINATED = ("terminated", 128 + signal.SIGTERM)


_ENDINGS = {
    Outcome.DONE: Ending.DONE,
    Outcome.NOTHING_RECOGNISED: Ending.NOTHING_RECOGNISED,
    Outcome.NO_ANSWER: Ending.NO_ANSWER,
}


def run_talk(
    *,
    profile: str,
    read: Path,
    write: Path | None,
    backend: str | None,
    handle: str | None,
    fresh: bool,
    private: bool = False,
    scenario: str | None = None,
    values: Mapping[str, str] | None = None,
    as_json: bool,
) -> int:
    """Hold the conversation; return the exit code of its ending.

    Raises:
        KnownError: it could not begin: bad input, bad settings, another core holds the folder, a broken store.
    """
    recording = read_wav(read)
    _check_target(read, write)
    folders = find_folders(profile=profile).make()
    settings = load_settings(folders.settings_file)
    settings = replace(settings, talk=replace(settings.talk, mode=TalkModeSetting.HANDS_FREE))
    if backend is not None:
        settings = replace(settings, backend=replace(settings.backend, kind=BackendKind(backend)))
    start = Start(
        role="talk",
        handle=handle,
        fresh=fresh or scenario is not None,
        private=private,
        scenario=_chosen(folders, scenario, values or {}, resumed=handle is not None),
    )
    sound = FileSound(read, write)
    logs = start_logs(folders.log_file)
    try:
        talk = _Talk(settings, folders, sound, quiet_end_s=quiet_end_s(recording), as_json=as_json)
        return asyncio.run(talk.run(start))
    finally:
        stop_logs(logs)


def _chosen(folders: Folders, name: str | None, values: Mapping[str, str], *, resumed: bool) -> Chosen | None:
    """Return the scenario to begin with, its form filled in."""
    if name is None and not values:
        return None
    if name is None or resumed:
        raise KnownError(
            Reason.BAD_INPUT,
            "A scenario is for a new conversation." if resumed else "There is no form without a scenario.",
            "See `novadesk talk --help`.",
        )
    return chosen(folders, name, values)


def _check_target(read: Path, write: Path | None) -> None:
    """Refuse a place where the answer cannot be written, before anything is said or overwritten."""
    if write is None:
        return
    if write.exists() and write.samefile(read):
        raise KnownError(
            Reason.BAD_INPUT, f"The answer would overwrite the recording {read}.", "Name another file with --out."
        )
    possible = (
        not write.is_dir() and os.access(write, os.W_OK)
        if write.exists()
        else write.parent.is_dir() and os.access(write.parent, os.W_OK | os.X_OK)
    )
    if not possible:
        raise KnownError(
            Reason.BAD_INPUT, f"The file {write} cannot be written.", "Choose another place for the recording."
        )


def quiet_end_s(recording: Recording) -> float | None:
    """Return the length of the quiet at the end of a recording in seconds, or None when all of it is quiet."""
    loud = np.flatnonzero(np.abs(recording.samples) > LOUD)
    return (len(recording.samples) - 1 - int(loud[-1])) / recording.rate_hz if len(loud) else None


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

    def play_on(self, generation: int) -> None:
        self._file.play_on(generation)

    def cue(self, cue: Cue) -> None:
        self._file.cue(cue)

    def watch_barge_in(self, on: bool) -> None:
        self._file.watch_barge_in(on)

    def set_volume(self, volume: float) -> None:
        self._file.set_volume(volume)


class _Talk:
    def __init__(
        self, settings: Settings, folders: Folders, file: FileSound, *, quiet_end_s: float | None, as_json: bool
    ) -> None:
        self._file = file
        self._quiet_end_s = quiet_end_s
        self._as_json = as_json
        self._seen: set[str] = set()
        self._phase = Phase.IDLE
        self._changed = asyncio.Event()
        self._told: Ending | None = None
        self._core = Core(
            settings=settings, folders=folders, publish=self._take, on_quit=lambda: self._tell(Ending.QUIT)
        )

    async def run(self, start: Start) -> int:
        loop = asyncio.get_running_loop()
        self._course = Course(now=loop.time(), quiet_end_s=self._quiet_end_s)
        for number, ending in ((signal.SIGINT, Ending.INTERRUPTED), (signal.SIGTERM, Ending.TERMINATED)):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self._tell, ending)
        sound = _WaitingSound(self._file)
        await self._core.start(replace(start, sound=sound))
        begun = self._core.controller.snapshot()
        if begun.store_note:
            put_note(Layer.STORE, begun.store_note)
        self._seen = {turn.turn_id for turn in begun.turns}
        failure: KnownError | None = None
        try:
            ending = await self._hold(sound)
        except KnownError as error:
            ending, failure = Ending.FAILED, error
        finally:
            await self._leave()
        self._print_new_turns()
        self._say_goodbye(ending, failure)
        return int(ending.value[1])

    def _tell(self, ending: Ending) -> None:
        self._told = self._told or ending
        self._changed.set()

    async def _hold(self, sound: _WaitingSound) -> Ending:
        loop = asyncio.get_running_loop()
        while self._told is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            self._changed.clear()
            snapshot = self._core.controller.snapshot()
            if snapshot.phase is Phase.READY:
                sound.begin.set()
            outcome = self._course.judge(snapshot, now=loop.time(), fed=self._file.finished_feeding.is_set())
            if outcome is not None:
                return _ENDINGS[outcome]
        return self._told

    async def _leave(self) -> None:
        """Stop the core; who was told to hurry waits no longer than `HURRY_S`, everything said is on disk by then."""
        stopping = asyncio.create_task(self._core.stop(), name="core-stop")
        await asyncio.wait({stopping}, timeout=None if self._told is None else HURRY_S)
        if stopping.done():
            stopping.result()

    def _take(self, snapshot: Snapshot) -> None:
        if snapshot.phase is not self._phase:
            self._phase = snapshot.phase
            if self._as_json:
                self._put(type="phase", phase=snapshot.phase.value)
        self._print_new_turns()
        self._changed.set()

    def _print_new_turns(self) -> None:
        for turn in self._core.controller.snapshot().turns:
            if turn.turn_id not in self._seen:
                self._seen.add(turn.turn_id)
                self._course.take(turn.role, asyncio.get_running_loop().time())
                self._print(turn)

    def _print(self, turn: Turn) -> None:
        if self._as_json:
            self._put(
                type="turn",
                conversation=turn.conversation,
                role=turn.role.value,
                text=turn.heard_text,
                interrupted=turn.interrupted,
            )
        else:
            self._emit(lambda: put(f"{_SPEAKERS[turn.role]:>5}: {turn.heard_text}"))

    def _say_goodbye(self, ending: Ending, failure: KnownError | None) -> None:
        if failure is not None:
            self._emit(lambda: put_error(failure, as_json=self._as_json))
        if self._as_json:
            self._put(type="end", reason=ending.value[0])

    def _put(self, **fields: object) -> None:
        self._emit(lambda: put_row(**fields))

    def _emit(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (BrokenPipeError, KnownError):
            self._tell(Ending.UNREAD)
