"""The only crossing between the core's thread and Qt's main thread. Only frozen values cross."""

import dataclasses
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

from novadesk.chord import KeyDown, KeyUp, OtherDown
from novadesk.config import VoiceSettings
from novadesk.conversation.api import Snapshot, Talking, TalkMode, Wishes
from novadesk.errors import BugError, KnownError, Reason
from novadesk.scenario import Chosen

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

FRAME_MS = 34
"""Least time between two snapshots shown: at most 30 a second."""

DEADLINE_S = 10.0


class Question(QObject):
    """One request under way. Dropped, its answer goes nowhere."""

    def __init__(
        self,
        on_answer: Callable[[Any], None],
        on_error: Callable[[KnownError], None],
        deadline_s: float,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._on_answer = on_answer
        self._on_error = on_error
        self._future: Future[Any] | None = None
        self.open = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._expire)
        self._timer.start(round(deadline_s * 1000))

    def drop(self) -> None:
        """Forget the question; a late answer is not delivered."""
        if not self.open:
            return
        self.open = False
        self._timer.stop()
        if self._future is not None:
            self._future.cancel()
        self.deleteLater()

    def watch(self, future: "Future[Any]") -> None:
        """Remember the future, so that dropping the question ends the work."""
        self._future = future

    def settle(self, answer: Any, error: BaseException | None) -> None:
        """Deliver the answer or error, once.

        Raises:
            BugError: when the work failed in a way that is nobody's to foresee.
        """
        if not self.open:
            return
        self._future = None
        self.drop()
        if error is None:
            self._on_answer(answer)
        elif isinstance(error, KnownError):
            self._on_error(error)
        else:
            raise BugError("A request of the window failed") from error

    def _expire(self) -> None:
        error = KnownError(Reason.TIMED_OUT, "NovaDesk took too long to answer.", "Try again in a moment.")
        if self._future is not None:
            self._future.cancel()
        self.settle(None, error)


class Bridge(QObject):
    """Carry snapshots to the window at the frame rate and the window's questions to the core.

    Made and used on the main thread; `publish` alone may be called from any thread.

    Args:
        loop: the core's running loop; without one, questions wait for `attach`: the window is painted before.
        frame_ms: least time between two deliveries.
    """

    snapshot_changed = Signal(object)
    _woken = Signal()
    _settled = Signal(object, object, object)

    def __init__(
        self,
        loop: "asyncio.AbstractEventLoop | None" = None,
        *,
        frame_ms: int = FRAME_MS,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._loop = loop
        self._frame_ms = frame_ms
        self._lock = threading.Lock()
        self._waiting: Snapshot | None = None
        self._closed = False
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)
        self._questions: set[Question] = set()
        self._early: list[tuple[Question, Callable[[], Awaitable[Any]]]] = []
        self.latest: Snapshot | None = None
        self._woken.connect(self._wake, Qt.ConnectionType.QueuedConnection)
        self._settled.connect(self._settle, Qt.ConnectionType.QueuedConnection)

    def publish(self, snapshot: Snapshot) -> None:
        """Take a snapshot from any thread. The newest wins; levels keep their peak until they are shown."""
        with self._lock:
            if self._closed:
                return
            first = self._waiting is None
            self._waiting = snapshot if self._waiting is None else _merge(self._waiting, snapshot)
            if first:
                self._woken.emit()

    def ask(
        self,
        coroutine: Callable[[], Awaitable[Any]],
        on_answer: Callable[[Any], None],
        on_error: Callable[[KnownError], None],
        *,
        owner: QObject | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Question:
        """Run a request on the core's loop and answer on the main thread.

        Args:
            coroutine: makes the awaitable; called on the core's thread.
            on_answer: takes the result.
            on_error: takes the known error, also when the deadline has passed or the core has stopped.
            owner: with its end the question is dropped.
            deadline_s: seconds until `on_error` is called instead.
        """
        question = Question(on_answer, on_error, deadline_s, self)
        questions = self._questions  # not the bridge: whoever is its child must not be the last to hold it
        questions.add(question)
        question.destroyed.connect(lambda: questions.discard(question))
        if owner is not None:
            owner.destroyed.connect(question.drop)

        if self._loop is None and not self._closed:
            self._early.append((question, coroutine))
        else:
            self._begin(question, coroutine)
        return question

    def attach(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Give it the core's running loop, and that the questions that wait."""
        self._loop = loop
        early, self._early = self._early, []
        for question, coroutine in early:
            if question.open:
                self._begin(question, coroutine)

    def close(self) -> None:
        """Deliver no more and drop every question. Called before the core's loop ends."""
        with self._lock:
            self._closed = True
            self._waiting = None
        self._timer.stop()
        for question in tuple(self._questions):
            question.drop()

    def _begin(self, question: Question, coroutine: Callable[[], Awaitable[Any]]) -> None:
        from asyncio import run_coroutine_threadsafe

        async def run() -> Any:
            return await coroutine()

        work = run()
        try:
            if self._loop is None or self._closed:
                raise RuntimeError
            future = run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            self._settled.emit(question, None, _stopped())
            return
        question.watch(future)
        future.add_done_callback(lambda done: self._done(question, done))

    def _done(self, question: Question, future: "Future[Any]") -> None:
        error = _stopped() if future.cancelled() else future.exception()
        answer = None if error is not None else future.result()
        with self._lock:
            if not self._closed:
                self._settled.emit(question, answer, error)

    @Slot(object, object, object)
    def _settle(self, question: Question, answer: Any, error: BaseException | None) -> None:
        if question in self._questions:
            self._questions.discard(question)
            question.settle(answer, error)

    @Slot()
    def _wake(self) -> None:
        if self._timer.isActive():
            return
        passed = self._since.elapsed() if self._since.isValid() else self._frame_ms
        if passed >= self._frame_ms:
            self._deliver()
        else:
            self._timer.start(int(self._frame_ms - passed))

    @Slot()
    def _deliver(self) -> None:
        with self._lock:
            snapshot, self._waiting = self._waiting, None
        if snapshot is None:
            return
        self._since.start()
        self.latest = snapshot
        self.snapshot_changed.emit(snapshot)


class CoreLoop(Protocol):
    """The part of an asyncio loop that wishes need."""

    def call_soon_threadsafe[*Given](self, callback: Callable[[*Given], object], /, *arguments: *Given) -> object:
        """Call back soon, on the core's thread. Raises RuntimeError once the loop is closed."""
        ...

    def is_closed(self) -> bool:
        """Return whether it never calls back again."""
        ...


class ThreadsafeIntents:
    """Fit `Intents`: hand every wish to the core's loop and return at once.

    Args:
        loop: the core's loop; once it is closed, wishes are dropped.
        find_wishes: returns the core's own object, which is touched on its loop only.
        find_talking: likewise; every key meets in it.
    """

    def __init__(
        self,
        loop: CoreLoop,
        find_wishes: Callable[[], Wishes],
        find_talking: Callable[[], Talking],
    ) -> None:
        self._loop = loop
        self._find_wishes = find_wishes
        self._find_talking = find_talking

    @property
    def _wishes(self) -> Wishes:
        return self._find_wishes()

    @property
    def _talking(self) -> Talking:
        return self._find_talking()

    def take_key(self, event: KeyDown | KeyUp | OtherDown) -> None:
        """Hand on `take_key`."""
        self._hand(self._talking.take_key, event)

    def lose_focus(self) -> None:
        """Hand on `lose_focus`."""
        self._hand(self._talking.lose_focus)

    def toggle_talk(self) -> None:
        """Hand on `toggle_talk`."""
        self._hand(self._talking.toggle_talk)

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Hand on `set_talk_mode`."""
        self._hand(self._talking.set_talk_mode, mode)

    def set_muted(self, muted: bool) -> None:
        """Hand on `set_muted`."""
        self._hand(self._talking.set_muted, muted)

    def set_volume(self, volume: float) -> None:
        """Hand on `set_volume`."""
        self._hand(self._wishes.set_volume, volume)

    def stop_speaking(self) -> None:
        """Hand on `stop_speaking`."""
        self._hand(self._wishes.stop_speaking)

    def say(self, text: str, *, aloud: bool = True) -> None:
        """Hand on `say`."""
        self._hand(lambda: self._wishes.say(text, aloud=aloud))

    def new_conversation(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        """Hand on `new_conversation`."""
        self._hand(lambda: self._wishes.new_conversation(private=private, scenario=scenario))

    def change_scenario(self, scenario: Chosen | None) -> None:
        """Hand on `change_scenario`."""
        self._hand(self._wishes.change_scenario, scenario)

    def use_voice(self, settings: VoiceSettings) -> None:
        """Hand on `use_voice`."""
        self._hand(self._wishes.use_voice, settings)

    def open_conversation(self, handle: str) -> None:
        """Hand on `open_conversation`."""
        self._hand(self._wishes.open_conversation, handle)

    def pause_conversation(self) -> None:
        """Hand on `pause_conversation`."""
        self._hand(self._wishes.pause_conversation)

    def resume_conversation(self) -> None:
        """Hand on `resume_conversation`."""
        self._hand(self._wishes.resume_conversation)

    def end_conversation(self) -> None:
        """Hand on `end_conversation`."""
        self._hand(self._wishes.end_conversation)

    def try_now(self) -> None:
        """Hand on `try_now`."""
        self._hand(self._wishes.try_now)

    def quit(self) -> None:
        """Hand on `quit`."""
        self._hand(self._wishes.quit)

    def _hand[*Given](self, call: Callable[[*Given], None], *arguments: *Given) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise


def _merge(older: Snapshot, newer: Snapshot) -> Snapshot:
    microphone = max(older.microphone_level, newer.microphone_level)
    speaker = max(older.speaker_level, newer.speaker_level)
    if microphone == newer.microphone_level and speaker == newer.speaker_level:
        return newer
    return dataclasses.replace(newer, microphone_level=microphone, speaker_level=speaker)


def _stopped() -> KnownError:
    return KnownError(Reason.NOT_RUNNING, "NovaDesk is closing.", "Start it again to go on.")
