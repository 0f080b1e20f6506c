"""The open conversation between memory and disk: order, refusal, privacy, replay."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from novadesk.conversation.backlog import LAST_TRIES_S, RETRY_S
from novadesk.conversation.record import SHOWN_TURNS, Record, carried_line, recovered_line
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Role, SyncState, Turn, make_handle, no_such_conversation
from novadesk.protocol.history import shape
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.transcript import TurnText
from tests.support.leaks import LogWatch
from tests.support.virtual_loop import LoopClock, run_virtually

FULL = KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")


class Disk:
    """An archive in memory that notes every write and refuses while `refusal` is set."""

    def __init__(self) -> None:
        self.rows: dict[str, Conversation] = {}
        self.stored: dict[str, list[Turn]] = {}
        self.open: str | None = None
        self.refusal: KnownError | None = None
        self.writes: list[str] = []
        self.read_s = 0.0

    def _write(self, what: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.writes.append(what)

    async def create(self, conversation: Conversation) -> None:
        self._write("create")
        self.rows.setdefault(conversation.handle, conversation)
        self.stored.setdefault(conversation.handle, [])

    async def append(self, turn: Turn) -> Turn:
        await asyncio.sleep(0)
        self._write(f"append {turn.text}")
        if turn.conversation not in self.rows:
            raise no_such_conversation()
        turns = self.stored[turn.conversation]
        for at, older in enumerate(turns):
            if older.turn_id == turn.turn_id:
                turns[at] = replace(turn, position=at)
                return turns[at]
        turns.append(replace(turn, position=len(turns)))
        return turns[-1]

    async def find(self, handle: str) -> Conversation | None:
        row = self.rows.get(handle)
        return None if row is None else replace(row, turns=len(self.stored[handle]))

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        await asyncio.sleep(self.read_s)
        return tuple(self.stored.get(handle, [])[:before][-limit:])

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        return tuple(self.rows.values())[offset : offset + limit]

    async def current(self) -> str | None:
        return self.open

    async def set_current(self, handle: str | None) -> None:
        self._write("current")
        self.open = handle

    async def pending(self) -> int:
        return 0

    def fill(self, texts: Sequence[str]) -> str:
        """Put a conversation there and return its handle."""
        row = Conversation(
            handle=make_handle(1_790_000_000_000),
            label="caring-king-275",
            title="",
            backend=BackendKind.PRACTICE,
            created_ms=1_790_000_000_000,
            updated_ms=1_790_000_000_000,
        )
        self.rows[row.handle] = row
        self.stored[row.handle] = [
            Turn(
                turn_id=f"stored-{number}",
                conversation=row.handle,
                position=number,
                role=(Role.USER, Role.ASSISTANT)[number % 2],
                text=text,
                at_ms=1_790_000_000_000 + number,
                wire_session="wire",
            )
            for number, text in enumerate(texts)
        ]
        return row.handle


class Desk:
    """A record with its disk and what it told."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.stored: list[str] = []
        self.shown: list[str] = []
        self.troubles: list[KnownError | None] = []
        self.changes = 0
        self.record = Record(
            archive=self.disk,
            clock=LoopClock(),
            on_changed=self._on_changed,
            on_stored=self.stored.append,
            on_trouble=self.troubles.append,
            on_shown=self.shown.append,
        )

    def _on_changed(self) -> None:
        self.changes += 1

    def say(self, text: str, *, turn_id: str = "", role: Role = Role.USER, unconfirmed: bool = False) -> None:
        said = TurnText(turn_id=turn_id or f"id of {text}", role=role, text=text, unconfirmed=unconfirmed)
        self.record.keep(said, wire_session="wire", typed=False)

    @property
    def shown_texts(self) -> list[tuple[str, str]]:
        return [(turn.text, turn.sync.value) for turn in self.record.turns]

    @property
    def told(self) -> list[str]:
        return [message.text for message in self.record.history(frozenset())]


def story(work: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = Desk()
        desk.record.start()
        try:
            await work(desk)
        finally:
            desk.disk.refusal = None
            await desk.record.stop()

    run_virtually(run())


def test_a_turn_is_drawn_once_the_disk_has_it() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.say("hello")
        assert desk.record.turns == ()
        assert desk.told == ["hello"]  # a link that opens now is told all the same
        await desk.record.settle()
        assert desk.shown_texts == [("hello", "pending")]
        assert desk.stored == desk.shown == ["id of hello"]
        assert desk.disk.writes == ["create", "current", "append hello"]

    story(work)


def test_a_wish_to_try_now_does_not_wait_for_the_next_try() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.record.try_now()  # with nothing refused it says nothing about the next refusal
        desk.disk.refusal = FULL
        desk.say("one")
        await desk.record.settle()
        await asyncio.sleep(RETRY_S / 4)
        desk.disk.refusal = None
        desk.record.try_now()
        await asyncio.sleep(RETRY_S / 4)
        assert desk.shown_texts == [("one", "pending")]

    story(work)


def test_turns_that_the_disk_refuses_are_shown_counted_replayed_and_written_in_order() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.say("one")
        await desk.record.settle()
        desk.disk.refusal = FULL
        desk.say("two")
        await desk.record.settle()
        desk.say("three")
        assert desk.shown_texts == [("one", "pending"), ("two", "local"), ("three", "local")]
        assert [turn.position for turn in desk.record.turns] == [0, 1, 2]
        assert desk.told == ["one", "two", "three"]
        assert desk.record.unsaved == 2
        assert desk.stored == ["id of one"]
        assert desk.shown[-1] == "id of three"
        trouble = desk.troubles[-1]
        assert trouble is not None
        assert trouble.what == "The disk is full. 2 turns are not saved yet."
        await asyncio.sleep(5 * RETRY_S)
        assert desk.disk.writes == ["create", "current", "append one"]
        desk.disk.refusal = None
        await asyncio.sleep(RETRY_S + 0.1)
        assert desk.disk.writes[-2:] == ["append two", "append three"]
        assert desk.shown_texts == [("one", "pending"), ("two", "pending"), ("three", "pending")]
        assert desk.record.unsaved == 0
        assert desk.troubles[-1] is None
        assert [turn.text for turns in desk.disk.stored.values() for turn in turns] == ["one", "two", "three"]

    story(work)


def test_a_turn_confirmed_while_it_waits_is_shown_once_with_its_last_words() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.disk.refusal = FULL
        desk.say("Good mor", turn_id="a", role=Role.ASSISTANT, unconfirmed=True)
        desk.say("Good morning.", turn_id="a", role=Role.ASSISTANT)
        await desk.record.settle()
        assert desk.shown_texts == [("Good morning.", "local")]
        assert desk.told == ["Good morning."]
        desk.disk.refusal = None
        await asyncio.sleep(RETRY_S + 0.1)
        assert desk.shown_texts == [("Good morning.", "pending")]

    story(work)


def test_a_conversation_can_be_left_and_another_begun_while_the_disk_is_full() -> None:
    async def work(desk: Desk) -> None:
        record = desk.record
        record.begin(BackendKind.PRACTICE)
        old = record.conversation
        assert old is not None
        desk.disk.refusal = FULL
        desk.say("of the old one")
        await record.settle()
        await record.leave()
        record.begin(BackendKind.PRACTICE)
        assert record.turns == ()
        desk.say("of the new one")
        assert desk.shown_texts == [("of the new one", "local")]
        assert record.unsaved == 2
        await record.load(old.handle)  # it is nowhere but here
        assert desk.shown_texts == [("of the old one", "local")]
        desk.disk.refusal = None
        await asyncio.sleep(RETRY_S + 0.1)
        assert desk.shown_texts == [("of the old one", "pending")]
        assert [[turn.text for turn in turns] for turns in desk.disk.stored.values()] == [
            ["of the old one"],
            ["of the new one"],
        ]
        assert desk.disk.open == old.handle

    story(work)


def test_what_stays_unwritten_at_the_end_is_counted(expected_logs: LogWatch) -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.disk.refusal = FULL
        desk.say("one")
        desk.say("two")
        begun = asyncio.get_running_loop().time()
        assert await desk.record.stop() == 2
        assert asyncio.get_running_loop().time() - begun == pytest.approx(LAST_TRIES_S)

    expected_logs.allow("turns were still unwritten at the end: 2")
    story(work)


def test_a_disk_with_room_again_at_the_end_takes_everything_at_once() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE)
        desk.disk.refusal = FULL
        desk.say("one")
        await desk.record.settle()
        desk.disk.refusal = None
        begun = asyncio.get_running_loop().time()
        assert await desk.record.stop() == 0
        assert asyncio.get_running_loop().time() == begun
        assert desk.disk.writes[-1] == "append one"

    story(work)


def test_a_turn_of_a_deleted_conversation_holds_up_nobody() -> None:
    async def work(desk: Desk) -> None:
        record = desk.record
        record.begin(BackendKind.PRACTICE)
        desk.say("one")
        await record.settle()
        assert record.conversation is not None
        del desk.disk.rows[record.conversation.handle]
        desk.say("two")
        record.begin(BackendKind.PRACTICE)
        desk.say("three")
        await record.settle()
        assert desk.shown_texts == [("three", "pending")]
        assert record.unsaved == 0

    story(work)


# --- a private conversation ---------------------------------------------------------------------


def test_a_private_conversation_never_comes_near_the_disk() -> None:
    async def work(desk: Desk) -> None:
        record = desk.record
        handle = desk.disk.fill(["an ordinary word"])
        desk.disk.open = handle
        record.begin(BackendKind.PRACTICE, private=True)
        assert record.private
        desk.say("secret")
        desk.say("under the rose", role=Role.ASSISTANT, turn_id="a", unconfirmed=True)
        desk.say("under the rose.", role=Role.ASSISTANT, turn_id="a")
        await record.settle()
        await record.refresh()
        assert desk.shown_texts == [("secret", "local"), ("under the rose.", "local")]
        assert desk.told == ["secret", "under the rose."]
        assert desk.shown == ["id of secret", "a", "a"]
        assert record.conversation is not None
        assert record.conversation.private
        assert record.conversation.turns == 2
        await record.leave()
        assert (desk.disk.writes, desk.stored, desk.disk.open, record.unsaved) == ([], [], handle, 0)
        assert (record.private, record.turns, desk.told) == (False, (), [])  # gone with its end

    story(work)


def test_nothing_of_a_private_conversation_goes_with_the_next_one() -> None:
    async def work(desk: Desk) -> None:
        record = desk.record
        record.begin(BackendKind.PRACTICE, private=True)
        secret = record.conversation
        assert secret is not None
        desk.say("secret")
        record.begin(BackendKind.PRACTICE)
        assert not record.private
        desk.say("open")
        await record.settle()
        assert desk.told == ["open"]
        assert desk.disk.writes == ["create", "current", "append open"]
        with pytest.raises(KnownError) as error:
            await record.load(secret.handle)
        assert error.value.reason is Reason.UNKNOWN_CONVERSATION

    story(work)


def test_a_private_conversation_waits_for_no_full_disk() -> None:
    async def work(desk: Desk) -> None:
        record = desk.record
        record.begin(BackendKind.PRACTICE)
        desk.disk.refusal = FULL
        desk.say("ordinary")
        await record.settle()
        record.begin(BackendKind.PRACTICE, private=True)
        desk.say("secret")
        assert [turn.text for turn in record.turns] == ["secret"]
        assert record.unsaved == 1
        desk.disk.refusal = None
        await asyncio.sleep(RETRY_S + 0.1)
        assert desk.disk.writes == ["create", "append ordinary"]

    story(work)


def test_a_long_private_conversation_is_replayed_and_shown_whole() -> None:
    async def work(desk: Desk) -> None:
        desk.record.begin(BackendKind.PRACTICE, private=True)
        for number in range(SHOWN_TURNS + 50):
            desk.say(f"word {number}")
        assert len(desk.record.turns) == len(desk.told) == SHOWN_TURNS + 50

    story(work)


# --- loading and replay -------------------------------------------------------------------------


def test_short_texts_beyond_the_shown_ones_are_replayed_as_far_as_they_fit() -> None:
    texts = [f"{number:05d}" for number in range(9_000)]

    async def work(desk: Desk) -> None:
        handle = desk.disk.fill(texts)
        await desk.record.load(handle)
        assert len(desk.record.turns) == SHOWN_TURNS
        told = shape(desk.record.history(frozenset()), DEFAULT)
        fitting = DEFAULT.history_bytes // len(texts[0])
        assert fitting - 1 <= len(told) <= fitting
        assert told[-1].text == texts[-1]
        assert [message.text for message in told] == texts[-len(told) :]
        assert len(desk.told) < len(texts)  # not the whole store is read for it

    story(work)


def test_turns_said_later_push_no_older_ones_out_of_the_replay() -> None:
    async def work(desk: Desk) -> None:
        handle = desk.disk.fill([f"{number}" for number in range(SHOWN_TURNS)])
        await desk.record.load(handle)
        for number in range(5):
            desk.say(f"new {number}")
        await desk.record.settle()
        assert len(desk.record.turns) == SHOWN_TURNS
        assert len(desk.told) == SHOWN_TURNS + 5
        await desk.record.refresh()
        assert len(desk.told) == SHOWN_TURNS + 5

    story(work)


def test_no_more_is_kept_in_memory_than_is_shown_or_replayed() -> None:
    long = "word " * 80
    fitting = DEFAULT.history_bytes // len(long)

    async def work(desk: Desk) -> None:
        handle = desk.disk.fill([])
        await desk.record.load(handle)
        for number in range(SHOWN_TURNS + 50):
            desk.say(f"{number} {long}")
        await desk.record.settle()
        assert fitting < SHOWN_TURNS == len(desk.told) == len(desk.record.turns)
        assert desk.record.complete
        await desk.record.refresh()
        assert len(desk.told) == SHOWN_TURNS

    story(work)


def test_turns_of_another_machine_among_the_older_ones_are_replayed_after_a_pull() -> None:
    async def work(desk: Desk) -> None:
        handle = desk.disk.fill([f"{number}" for number in range(SHOWN_TURNS + 10)])
        await desk.record.load(handle)
        turns = desk.disk.stored[handle]
        turns.insert(3, replace(turns[3], turn_id="theirs", text="theirs"))
        turns[:] = [replace(turn, position=number) for number, turn in enumerate(turns)]
        await desk.record.refresh()
        assert desk.told[3] == "theirs"
        assert len(desk.told) == SHOWN_TURNS + 11

    story(work)


def test_the_time_until_a_conversation_is_readable_is_measured() -> None:
    async def work(desk: Desk) -> None:
        handle = desk.disk.fill([f"{number}" for number in range(3 * SHOWN_TURNS)])
        desk.disk.read_s = 0.25
        await desk.record.load(handle)
        assert desk.record.load_ms == pytest.approx(250)  # the older pages come after it
        assert len(desk.told) == 3 * SHOWN_TURNS

    story(work)


def test_what_was_delivered_shows_after_a_refresh_and_a_late_answer_changes_nothing() -> None:
    async def work(desk: Desk) -> None:
        handle = desk.disk.fill(["one", "two"])
        await desk.record.load(handle)
        desk.disk.stored[handle] = [replace(turn, sync=SyncState.SYNCED) for turn in desk.disk.stored[handle]]
        await desk.record.refresh()
        assert [turn.sync for turn in desk.record.turns] == [SyncState.SYNCED] * 2
        desk.disk.read_s = 1.0
        late = asyncio.create_task(desk.record.refresh())
        await asyncio.sleep(0.5)
        desk.record.begin(BackendKind.PRACTICE)
        await late
        assert desk.record.turns == ()

    story(work)


def test_a_stored_conversation_opens_on_a_disk_that_takes_nothing() -> None:
    async def work(desk: Desk) -> None:
        handle = desk.disk.fill(["one"])
        desk.disk.refusal = FULL
        await desk.record.load(handle)
        assert desk.told == ["one"]
        assert desk.record.recovered == 1

    story(work)


def test_the_lines_count_as_people_do() -> None:
    assert recovered_line(12) == "Recovered 12 turns from last time."
    assert recovered_line(1) == "Recovered 1 turn from last time."
    assert carried_line(1_200) == "1,200 turns carried over."
