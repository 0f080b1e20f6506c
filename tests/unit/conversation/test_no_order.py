"""No order of key, gate, flush, device loss, respawn and renewal leaves a microphone open or an old answer playing."""

import asyncio
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.config import LimitSettings
from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, InputTrouble
from tests.support.bench import LOST, Bench, MemorySound
from tests.support.memory_service import MemoryLink
from tests.support.virtual_loop import run_virtually

pytestmark = pytest.mark.thorough

TAIL_S = 0.2
TICK_S = 0.05
TICK_SAMPLES = 1_200
SECRET = b"\x22\x22" * 512
WORDS = b"\x11\x11" * 512
HASTY = LimitSettings(scale=1 / 120)
"""Wire sessions of four seconds: the successor is opened after three, and takes over at the latest after 3.9."""

LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")
GONE = KnownError(Reason.ENGINE_DIED, "The sound stopped.", "It comes back.")


class Ring(MemorySound):
    """An engine as the port describes it: one generation, a pause, and a client that gives a new one what is unplayed.

    Every sample carries the number of its answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ring: deque[int] = deque()
        self.heard: list[int] = []
        self.generation = self.counted = 0
        self.paused = False
        self.alive = True

    def play(self, pcm: bytes, generation: int) -> None:
        if generation == self.generation:
            self.ring.extend(pcm[::2])

    def flush(self, generation: int) -> None:
        super().flush(generation)
        if generation > self.generation:
            self.generation, self.counted, self.paused = generation, 0, False
            self.ring.clear()

    def play_on(self, generation: int) -> None:
        if generation == self.generation:
            self.paused = False

    def lose(self) -> None:
        if self.listener is not None and self.alive:
            self.alive = self.paused = False
            self.listener.on_lost(GONE)

    def respawn(self) -> None:
        if self.listener is not None and not self.alive:
            self.alive = True
            self.listener.on_opened("Mic", "Speaker", "")

    def tick(self) -> list[int]:
        """Play 50 ms; return the numbers of the answers that were heard."""
        if self.paused or not self.alive or self.listener is None or not self.ring:
            return []
        played = [self.ring.popleft() for _ in range(min(TICK_SAMPLES, len(self.ring)))]
        self.counted += len(played)
        self.listener.on_played(self.generation, self.counted, 0.1)
        self.heard += {*played}
        return sorted({*played})


class Order:
    """A person, a service and a machine that do things in some order; what is old and who listens is known here."""

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self.sound = Ring()
        self.bench = Bench(sound=self.sound, limits=limits)
        self.answering: MemoryLink | None = None
        self.answer = 0
        self.open = False
        self.broken: MemoryLink | None = None
        self.old: set[int] = set()
        self.key = self.muted = self.declined = False
        self.mode = TalkMode.HOLD
        self.trouble = InputTrouble.NONE
        self.released_at = float("-inf")

    # --- what may happen ---

    def press(self) -> None:
        if not self.key:
            self._silence()
        self.key = True
        self.bench.controller.press_talk()

    def release(self) -> None:
        if self.key:
            self.released_at = self.now
        self.key = False
        self.bench.controller.release_talk()

    def switch(self) -> None:
        self.mode = TalkMode.HANDS_FREE if self.mode is TalkMode.HOLD else TalkMode.HOLD
        if self.key:
            self.key, self.released_at = False, self.now
        self.bench.controller.set_talk_mode(self.mode)

    def mute(self) -> None:
        self.muted = not self.muted
        self.bench.controller.set_muted(self.muted)

    def stop(self) -> None:
        self.declined = not self.open and self.bench.now.phase in DUE
        self._silence()
        self.bench.controller.stop_speaking()

    def type(self) -> None:
        self._silence()
        self.bench.controller.say("typed")

    def begin(self) -> None:
        if not self.open and self.served:
            self.answer, self.open = self.answer + 1, True
            if self.declined:
                self._silence()
            self.link.plan("Words of an answer.")

    def speak(self) -> None:
        if self.open:
            self.link.speak(6_000, last=False, sample=bytes((self.answer % 256, 0)))

    def finish(self) -> None:
        if self.open:
            self.open = False
            self.link.speak(6_000, last=True, sample=bytes((self.answer % 256, 0)))
            self.link.spoken("Words of an answer.", last=True)

    def interrupt(self) -> None:
        if self.open:
            self._silence()
            self.open = False
            self.link.interrupt()

    def understand(self) -> None:
        if self.open:
            self.interrupt()
        if self.held:
            self._silence()
        if self.served:
            self.link.user_said("words")

    def suspect(self) -> None:
        if self.sound.listener is not None and self.sound.alive:
            self.sound.listener.on_barge_in(BargeIn.SUSPECTED)

    def cut_in(self) -> None:
        if self.sound.listener is not None and self.sound.alive:
            self.sound.paused = True
            self.sound.listener.on_barge_in(BargeIn.CONFIRMED)

    def lose_device(self) -> None:
        self.trouble = InputTrouble.NONE
        self.sound.lose()

    def respawn(self) -> None:
        self.sound.respawn()

    def monitor(self) -> None:
        self._trouble(InputTrouble.MONITOR)

    def well(self) -> None:
        self._trouble(InputTrouble.NONE)

    def lose_link(self) -> None:
        self._end_link(LOST)

    def limit(self) -> None:
        self._end_link(LIMIT)

    def sleep(self) -> None:
        self.bench.controller.on_resumed()

    # --- what has to hold ---

    @property
    def held(self) -> bool:
        return self.key and self.mode is TalkMode.HOLD

    @property
    def may_listen(self) -> bool:
        if self.muted or not self.sound.alive or self.trouble is InputTrouble.MONITOR:
            return False
        return self.mode is TalkMode.HANDS_FREE or self.key or self.now < self.released_at + TAIL_S

    def step(self, name: str) -> None:
        self._follow()
        self.declined = self.declined and name in KEEPS_DECLINED
        getattr(self, name)()

    async def run(self, steps: list[str]) -> None:
        await self.bench.controller.start()
        self.bench.controller.connect()
        try:
            await self.bench.ready()
            for step in steps:
                self.step(step)
                await self.pass_time()
            await self._settle()
        finally:
            await self.bench.controller.stop()
        assert self.sound.listener is None, "no capture outside a conversation"
        assert all(SECRET[:2] not in link.heard() for link in self.bench.linker.links)

    async def pass_time(self, ticks: int = 4) -> None:
        for _ in range(ticks):
            await asyncio.sleep(TICK_S)
            if self.sound.listener is not None:
                self.sound.listener.on_frame(WORDS if self.may_listen else SECRET, 0.005)
                shown = self.bench.now.microphone
                assert (shown is MicrophoneState.OPEN) <= self.may_listen
            heard = self.sound.tick()
            assert not {*heard} & self.old, "an old answer plays"
            assert not (heard and self.held), "an answer plays while the key is held"

    async def _settle(self) -> None:
        """Let go of everything: the microphone closes, and nothing is left that waits or is paused."""
        self._follow()
        self.respawn()
        self.release()
        self.finish()
        await self.pass_time(100)
        assert not self.sound.paused, "a pause for ever"
        assert not self.sound.ring
        assert not self.bench.now.talking
        if self.mode is TalkMode.HOLD:
            assert self.bench.now.microphone is not MicrophoneState.OPEN
        assert self.bench.now.phase is not Phase.SPEAKING

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def link(self) -> MemoryLink:
        live = [link for link in self.bench.linker.links if link.listening and not link.closed]
        return live[-1] if live else self.bench.linker.newest

    @property
    def served(self) -> bool:
        return self.link.listening and self.link is not self.broken

    def _follow(self) -> None:
        """Leave behind what the link before has not sent, and owes, when another one carries the conversation."""
        if self.link is not self.answering:
            self.answering, self.open, self.declined = self.link, False, False

    def _end_link(self, error: KnownError) -> None:
        if self.served:
            self.open, self.broken = False, self.link
            self.link.end(error)

    def _silence(self) -> None:
        self.old |= set(range(1, self.answer + 1))

    def _trouble(self, trouble: InputTrouble) -> None:
        if self.sound.listener is not None and self.sound.alive:
            self.trouble = trouble
            self.sound.listener.on_input(trouble)


DUE = (Phase.THINKING, Phase.TOOL, Phase.INTERRUPTED)
KEEPS_DECLINED = {"release", "mute", "stop", "begin", "speak", "suspect", "cut_in", "lose_device", "respawn", "monitor"}
STEPS = sorted(
    {
        *("press", "release", "switch", "mute", "stop", "type"),
        *("begin", "speak", "finish", "interrupt", "understand"),
        *("suspect", "cut_in", "lose_device", "respawn", "monitor", "well", "lose_link", "limit", "sleep"),
    }
)


SCENES = (  # where the order matters most, each of which chance alone would seldom begin
    ("press", "begin", "speak"),
    ("press", "begin", "finish", "understand"),
    ("begin", "speak"),
    ("switch", "begin", "speak", "cut_in"),
    ("press", "switch", "switch"),
    ("understand", "stop", "begin", "speak"),
)


@given(st.lists(st.sampled_from([*((step,) for step in STEPS), *SCENES * 3]), max_size=12))
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("limits", [None, HASTY], ids=["one wire session", "renewed every few seconds"])
def test_no_order_leaves_the_microphone_open_or_an_old_answer_playing(
    limits: LimitSettings | None, scenes: list[tuple[str, ...]]
) -> None:
    run_virtually(Order(limits).run([step for scene in scenes for step in scene]))
