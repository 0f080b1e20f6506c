"""A flight recording played through a whole controller on virtual time: its service says what it said then."""

import asyncio
import json
from dataclasses import dataclass

from novadesk.config import Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.ports import SoundListener
from novadesk.conversation.toolbox import Toolbox
from novadesk.diagnostics.recorder import Recorded, read_dump
from novadesk.protocol.codec import decode_input
from novadesk.protocol.events import PromptStart, SessionStart, TextInput, TextStart
from novadesk.protocol.session import Setup
from tests.support.memory_service import MemoryArchive
from tests.support.plain_sound import PlainSound
from tests.support.replay import RecordedLinker
from tests.support.virtual_loop import LoopClock, run_virtually

FRAME_S = 0.032
PLAYED_SAMPLES = 768  # of 24 kHz in 32 ms
REST_S = 3.0


class PlayingSound(PlainSound):
    """A microphone that hears silence and a speaker that plays, both on the loop's time."""

    def __init__(self) -> None:
        self._listener: SoundListener | None = None
        self._generation = 0
        self._queued = self._played = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self, listener: SoundListener) -> None:
        self._listener = listener
        listener.on_opened("Mic", "Speaker", "")
        self._task = asyncio.create_task(self._run(listener), name="playing-sound")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def play(self, pcm: bytes, generation: int) -> None:
        if generation >= self._generation:
            self._queued += len(pcm) // 2

    def flush(self, generation: int) -> None:
        self._generation = generation
        self._queued = self._played = 0

    async def _run(self, listener: SoundListener) -> None:
        while True:
            await asyncio.sleep(FRAME_S)
            listener.on_frame(bytes(1_024), 0.0)
            if self._played < self._queued:
                self._played = min(self._played + PLAYED_SAMPLES, self._queued)
                listener.on_played(self._generation, self._played, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a controller made of a recording: the phases it showed, and its turns as (role, length, interrupted)."""

    phases: list[str]
    turns: list[tuple[str, int, bool]]


def recorded_phases(dump: str) -> list[str]:
    """Return the phases that the recording has, in order, each once in a row."""
    notes = [row["note"].split(",")[0] for row in map(json.loads, dump.splitlines()) if "note" in row]
    return _without_rows(notes)


def replay(dump: str) -> Replayed:
    """Play a recording, with the texts that were typed then, and let it rest."""
    return run_virtually(_replay(dump))


async def _replay(dump: str) -> Replayed:
    phases: list[str] = []
    sound, archive = PlayingSound(), MemoryArchive()

    def publish(snapshot: Snapshot) -> None:
        phases.append(snapshot.phase.value)

    controller = Controller(
        settings=Settings(talk=TalkSettings(mode=TalkModeSetting.HANDS_FREE)),
        setup=lambda _: Setup(
            session=SessionStart(),
            prompt=PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id="matthew"),
            system_prompt="Be kind.",
        ),
        linker=RecordedLinker(dump),
        sound=sound,
        archive=archive,
        clock=LoopClock(),
        toolbox=Toolbox(),
        publish=publish,
        on_saved=lambda: None,
        on_quit=lambda: None,
    )
    await controller.start()
    controller.connect()
    events = read_dump(dump)
    now_s = events[0].at_s
    for at_s, text in _typed(events):
        await asyncio.sleep(max(0.0, at_s - now_s))
        now_s = max(now_s, at_s)
        controller.say(text)
    await asyncio.sleep(max(0.0, events[-1].at_s - now_s) + REST_S)
    turns = [(turn.role.value, len(turn.text), turn.interrupted) for turn in controller.snapshot().turns]
    await controller.stop()
    shown = _without_rows(phases)
    return Replayed(phases=shown[shown.index("connecting") :], turns=turns)


def _typed(events: tuple[Recorded, ...]) -> list[tuple[float, str]]:
    """Return what was typed, and when it went out."""
    found: list[tuple[float, str]] = []
    open_blocks: set[str] = set()
    for event in (event for event in events if event.ours):
        match decode_input(event.payload):
            case TextStart(content_name=name, interactive=True):
                open_blocks.add(name)
            case TextInput(content_name=name, content=text) if name in open_blocks:
                found.append((event.at_s, text))
    return found


def _without_rows(phases: list[str]) -> list[str]:
    return [phase for at, phase in enumerate(phases) if at == 0 or phases[at - 1] != phase]
