"""What crosses between the threads: the newest snapshot, merged; answers in time; wishes on the core's loop."""

import asyncio
import threading
import weakref
from typing import Any

from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from novadesk.chord import OtherDown
from novadesk.conversation.api import Phase, Snapshot, TalkMode
from novadesk.errors import BugError, KnownError, Reason
from novadesk.ui.bridge import Bridge, ThreadsafeIntents
from tests.ui.conftest import RecordedIntents, drain


def test_a_burst_from_another_thread_is_merged_and_its_last_snapshot_arrives(qtbot: QtBot) -> None:
    bridge = Bridge(frame_ms=20)
    shown: list[Snapshot] = []
    bridge.snapshot_changed.connect(shown.append)

    def publish() -> None:
        for number in range(500):
            bridge.publish(Snapshot(store_revision=number))

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(shown) and shown[-1].store_revision == 499)
    assert len(shown) == 1  # nothing ran on the main thread between the first and the last
    bridge.close()


def test_snapshots_closer_than_a_frame_wait_for_the_next_one(qtbot: QtBot) -> None:
    bridge = Bridge(frame_ms=40)
    shown: list[Snapshot] = []
    bridge.snapshot_changed.connect(shown.append)
    bridge.publish(Snapshot(store_revision=1))
    drain()
    assert [snapshot.store_revision for snapshot in shown] == [1]
    bridge.publish(Snapshot(store_revision=2))
    drain()
    bridge.publish(Snapshot(store_revision=3))
    drain()
    assert len(shown) == 1
    qtbot.waitUntil(lambda: len(shown) == 2)
    assert shown[1].store_revision == 3
    bridge.close()


def test_levels_keep_their_peak_until_shown_and_fall_afterwards(qtbot: QtBot) -> None:
    bridge = Bridge(frame_ms=1)
    shown: list[Snapshot] = []
    bridge.snapshot_changed.connect(shown.append)
    bridge.publish(Snapshot(microphone_level=0.5, speaker_level=0.1))
    bridge.publish(Snapshot(microphone_level=0.2, speaker_level=0.3, phase=Phase.READY))
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert (shown[0].microphone_level, shown[0].speaker_level, shown[0].phase) == (0.5, 0.3, Phase.READY)
    bridge.publish(Snapshot())
    qtbot.waitUntil(lambda: len(shown) == 2)
    assert shown[1].microphone_level == 0.0
    bridge.close()


def test_a_closed_bridge_is_silent(qtbot: QtBot) -> None:
    bridge = Bridge(frame_ms=1)
    shown: list[Snapshot] = []
    bridge.snapshot_changed.connect(shown.append)
    bridge.publish(Snapshot())
    bridge.close()
    bridge.publish(Snapshot())
    drain()
    assert shown == []


def test_an_answer_comes_on_the_main_thread_from_work_on_the_core(
    qtbot: QtBot, bridge: Bridge, core_loop: asyncio.AbstractEventLoop
) -> None:
    answers: list[Any] = []

    async def work() -> bool:
        return asyncio.get_running_loop() is core_loop

    def take(answer: bool) -> None:
        answers.append((answer, QThread.isMainThread()))

    bridge.ask(work, take, lambda error: answers.append(error))
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == [(True, True)]


def test_a_known_error_goes_to_on_error(qtbot: QtBot, bridge: Bridge) -> None:
    errors: list[KnownError] = []

    async def work() -> None:
        raise KnownError(Reason.STORE_LOCKED, "The store is locked.", "Close the other program.")

    bridge.ask(work, lambda _answer: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert errors[0].reason is Reason.STORE_LOCKED


def test_a_bug_is_not_hidden(qtbot: QtBot, bridge: Bridge) -> None:
    async def work() -> None:
        raise ValueError("a bug")

    with qtbot.captureExceptions() as caught:
        bridge.ask(work, lambda _answer: None, lambda _error: None)
        qtbot.waitUntil(lambda: bool(caught))
    assert caught[0][0] is BugError
    assert isinstance(caught[0][1].__cause__, ValueError)


def test_a_deadline_answers_once_and_ends_the_work(qtbot: QtBot, bridge: Bridge) -> None:
    ended = threading.Event()
    heard: list[Any] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    bridge.ask(work, heard.append, heard.append, deadline_s=0.02)
    qtbot.waitUntil(lambda: bool(heard))
    assert heard[0].reason is Reason.TIMED_OUT
    assert ended.wait(60)
    drain()
    assert len(heard) == 1


def test_an_answer_for_a_closed_owner_is_dropped(qtbot: QtBot, bridge: Bridge) -> None:
    owner = QObject()
    go, ended = threading.Event(), threading.Event()
    heard: list[Any] = []

    async def work() -> str:
        try:
            while not go.is_set():
                await asyncio.sleep(0)
            return "late"
        finally:
            ended.set()

    bridge.ask(work, heard.append, heard.append, owner=owner)
    owner.deleteLater()
    drain()
    go.set()
    assert ended.wait(60)
    later: list[Any] = []

    async def after() -> str:
        return "after"

    bridge.ask(after, later.append, later.append)
    qtbot.waitUntil(lambda: later == ["after"])
    assert heard == []


def test_an_answer_already_queued_is_dropped_when_the_question_is(qtbot: QtBot, bridge: Bridge) -> None:
    ended = threading.Event()
    heard: list[Any] = []

    async def work() -> str:
        ended.set()
        return "queued"

    question = bridge.ask(work, heard.append, heard.append)
    assert ended.wait(60)
    question.drop()
    drain()
    assert heard == []


def test_a_bridge_that_nobody_holds_any_more_ends_before_its_dropped_questions(qtbot: QtBot) -> None:
    async def work() -> None:
        raise AssertionError

    for _ in range(20):
        bridge = Bridge()
        question = bridge.ask(work, lambda _answer: None, lambda _error: None)
        held = weakref.ref(bridge)
        question.drop()
        bridge.close()
        del bridge, question
        assert held() is None, "a question holds what it is a child of, and ends it in the middle of its own end"
        drain()


def test_without_a_core_the_question_fails_soon_and_not_at_once(qtbot: QtBot) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    bridge = Bridge(loop)
    errors: list[KnownError] = []

    async def work() -> None:
        raise AssertionError

    bridge.ask(work, lambda _answer: None, errors.append)
    drain()
    assert [error.reason for error in errors] == [Reason.NOT_RUNNING]
    bridge.close()


def test_questions_of_the_first_picture_wait_for_the_core(qtbot: QtBot, core_loop: asyncio.AbstractEventLoop) -> None:
    bridge = Bridge()
    answers: list[str] = []

    async def answer(word: str) -> str:
        return word

    bridge.ask(lambda: answer("dropped"), answers.append, lambda _error: None).drop()
    bridge.ask(lambda: answer("early"), answers.append, lambda _error: None)
    drain()
    assert answers == []
    bridge.attach(core_loop)
    qtbot.waitUntil(lambda: answers == ["early"])
    bridge.close()


def test_wishes_reach_the_core_in_order_on_its_loop(qtbot: QtBot, core_loop: asyncio.AbstractEventLoop) -> None:
    recorded = RecordedIntents()
    wishes = ThreadsafeIntents(core_loop, lambda: recorded, lambda: recorded)
    wishes.take_key(OtherDown())
    wishes.toggle_talk()
    wishes.lose_focus()
    wishes.set_talk_mode(TalkMode.HANDS_FREE)
    wishes.set_muted(True)
    wishes.stop_speaking()
    wishes.say("hello")
    wishes.new_conversation()
    wishes.open_conversation("handle")
    wishes.end_conversation()
    wishes.try_now()
    wishes.quit()
    done = threading.Event()
    core_loop.call_soon_threadsafe(done.set)
    assert done.wait(60)
    assert recorded.focus_lost == 1
    assert recorded.calls == [
        ("other",),
        ("toggle_talk",),
        ("set_talk_mode", TalkMode.HANDS_FREE),
        ("set_muted", True),
        ("stop_speaking",),
        ("say", "hello"),
        ("new_conversation",),
        ("open_conversation", "handle"),
        ("end_conversation",),
        ("try_now",),
        ("quit",),
    ]


def test_wishes_after_the_end_of_the_core_are_dropped() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    recorded = RecordedIntents()
    ThreadsafeIntents(loop, lambda: recorded, lambda: recorded).quit()
    assert recorded.calls == []
