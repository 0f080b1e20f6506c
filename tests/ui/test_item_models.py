"""Rows of conversations and of the history: they change as little as possible and stay few."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QDateTime, QLocale, Qt
from PySide6.QtTest import QAbstractItemModelTester

from novadesk.conversation.api import LiveText
from novadesk.models import Role, SyncState, Turn
from novadesk.ui.history_model import HistoryKind, HistoryModel
from novadesk.ui.i18n import locale
from novadesk.ui.item_models import WINDOW_ROWS, ConversationModel, Row, RowKind
from novadesk.ui.marking import begin_near, marks_in
from tests.ui.conftest import make_conversation

HANDLE = "session_1760000000000_abcdefghij"


WHEN = locale().toString(QDateTime.fromMSecsSinceEpoch(1_760_000_000_000), QLocale.FormatType.ShortFormat)


def make_turn(position: int, **changes: object) -> Turn:
    role = Role.USER if position % 2 == 0 else Role.ASSISTANT
    turn = Turn(
        turn_id=f"t{position}",
        conversation=HANDLE,
        position=position,
        role=role,
        text=f"Turn {position}",
        at_ms=1_760_000_000_000 + position,
        wire_session="w",
    )
    return replace(turn, **changes)  # type: ignore[arg-type]


def make_turns(first: int, last: int) -> tuple[Turn, ...]:
    return tuple(make_turn(position) for position in range(first, last))


def rows(model: ConversationModel) -> list[Row]:
    return [model.row(model.index(number)) for number in range(model.rowCount())]


class Changes:
    """Counts what a model tells its views."""

    def __init__(self, model: ConversationModel) -> None:
        self.inserted: list[tuple[int, int]] = []
        self.removed: list[tuple[int, int]] = []
        self.changed: list[int] = []
        self.resets = 0
        model.rowsInserted.connect(lambda _parent, first, last: self.inserted.append((first, last)))
        model.rowsRemoved.connect(lambda _parent, first, last: self.removed.append((first, last)))
        model.dataChanged.connect(lambda first, _last: self.changed.append(first.row()))
        model.modelReset.connect(self._reset)

    def _reset(self) -> None:
        self.resets += 1


@pytest.fixture
def model(qapp: object) -> ConversationModel:
    made = ConversationModel()
    QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    return made


def test_a_new_turn_is_one_new_row(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 200))
    changes = Changes(model)
    model.show(HANDLE, make_turns(1, 201))
    assert changes.inserted == [(200, 200)]
    assert (changes.removed, changes.changed, changes.resets) == ([], [], 0)
    assert [row.text for row in rows(model)] == [f"Turn {n}" for n in range(201)]


def test_the_same_snapshot_again_changes_nothing(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 5), (LiveText(role=Role.USER, spoken="a"),), ("note",))
    changes = Changes(model)
    model.show(HANDLE, make_turns(0, 5), (LiveText(role=Role.USER, spoken="a"),), ("note",))
    assert (changes.inserted, changes.removed, changes.changed) == ([], [], [])


def test_live_text_grows_in_its_row_and_becomes_the_turn(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 1), (LiveText(role=Role.ASSISTANT, spoken="", planned="Hello there"),))
    assert (rows(model)[1].kind, rows(model)[1].text, rows(model)[1].faded) == (RowKind.LIVE, "", "Hello there")
    changes = Changes(model)
    model.show(HANDLE, make_turns(0, 1), (LiveText(role=Role.ASSISTANT, spoken="Hello", planned="there"),))
    assert (changes.changed, changes.inserted) == ([1], [])
    assert (rows(model)[1].text, rows(model)[1].faded) == ("Hello", " there")
    model.show(HANDLE, (make_turn(0), make_turn(1, text="Hello there")))
    assert [row.kind for row in rows(model)] == [RowKind.TURN, RowKind.TURN]
    assert (rows(model)[1].text, rows(model)[1].faded) == ("Hello there", "")


def test_ten_thousand_turns_are_a_window_of_rows(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 10_000))
    assert model.rowCount() == WINDOW_ROWS
    assert rows(model)[-1].text == "Turn 9999"
    changes = Changes(model)
    model.show(HANDLE, make_turns(9_801, 10_001))
    assert changes.inserted == [(WINDOW_ROWS, WINDOW_ROWS)]
    assert changes.resets == 0


def test_growing_live_never_holds_more_than_two_windows(model: ConversationModel) -> None:
    for newest in range(200, 3 * WINDOW_ROWS, 50):
        model.show(HANDLE, make_turns(max(0, newest - 200), newest))
        assert model.rowCount() <= 2 * WINDOW_ROWS


def test_nothing_of_a_private_conversation_leaves_the_memory(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 2 * WINDOW_ROWS + 1), private=True)
    assert model.turns[0].position == 0
    model.show(HANDLE, make_turns(0, 2 * WINDOW_ROWS + 2))
    assert model.turns[0].position > 0


def test_paging_up_and_down_walks_the_whole_and_keeps_order(model: ConversationModel) -> None:
    everything = make_turns(0, 3_000)
    model.show(HANDLE, everything[-200:])
    while model.turns[0].position > 0:
        first = model.turns[0].position
        model.prepend(everything[max(0, first - 200) : first])
        positions = [turn.position for turn in model.turns]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
        assert len(positions) <= WINDOW_ROWS
    assert not model.attached
    model.show(HANDLE, (*everything[-199:], make_turn(3_000)))  # grows below while we read above
    assert model.turns[0].position == 0
    while not model.attached:
        last = model.turns[-1].position
        model.append((*everything, make_turn(3_000))[last + 1 : last + 201])
        positions = [turn.position for turn in model.turns]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
    assert model.turns[-1].position == 3_000


def test_going_back_to_the_newest_drops_what_was_paged_in(model: ConversationModel) -> None:
    everything = make_turns(0, 2_000)
    model.show(HANDLE, everything[-200:])
    for first in range(1_800, 0, -200):
        model.prepend(everything[first - 200 : first])
    assert not model.attached
    model.reattach()
    assert model.attached
    assert [turn.position for turn in model.turns] == list(range(1_800, 2_000))


def test_another_conversation_replaces_everything(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 3), (), ("note",))
    model.show("other", (), ())
    assert model.rowCount() == 0


def test_the_speaker_is_named_once_for_turns_in_a_row(model: ConversationModel) -> None:
    turns = (make_turn(0), make_turn(1), make_turn(2, role=Role.ASSISTANT), make_turn(3, role=Role.USER))
    model.show(HANDLE, turns)
    assert [row.headed for row in rows(model)] == [True, True, False, True]


def test_an_interrupted_answer_is_cut_and_its_rest_opens(model: ConversationModel) -> None:
    cut = make_turn(1, text="Good. Which product?", heard_chars=6, interrupted=True)
    model.show(HANDLE, (make_turn(0), cut))
    row = rows(model)[1]
    assert (row.text, row.faded) == ("Good.", "")
    assert row.notes == "interrupted by you · show what was not spoken"
    model.toggle(model.index(1))
    row = rows(model)[1]
    assert (row.text, row.faded) == ("Good. ", "Which product?")
    assert "hide" in row.notes
    model.toggle(model.index(1))
    assert rows(model)[1].faded == ""


def test_notes_tell_typed_and_unconfirmed(model: ConversationModel) -> None:
    model.show(HANDLE, (make_turn(0, typed=True, unconfirmed=True),))
    assert rows(model)[0].notes == "not confirmed by the service · typed"


@pytest.mark.parametrize(
    ("sync", "private", "late", "words"),
    [
        (SyncState.SYNCED, False, True, ""),
        (SyncState.PENDING, False, False, ""),
        (SyncState.PENDING, False, True, "waiting to sync"),
        (SyncState.FAILED, False, False, "not synced"),
        (SyncState.LOCAL, False, False, "not saved yet"),
        (SyncState.LOCAL, True, True, ""),
    ],
)
def test_a_turn_that_is_not_where_it_should_be_is_marked_in_picture_and_words(
    model: ConversationModel, sync: SyncState, private: bool, late: bool, words: str
) -> None:
    model.show(HANDLE, (make_turn(0, text="hello", sync=sync),), private=private, late=late)
    (row,) = rows(model)
    assert (row.mark.words if row.mark is not None else "") == words
    index = model.index(0)
    spoken = model.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == (f"You: hello ({words})" if words else "You: hello")
    assert str(model.data(index, Qt.ItemDataRole.ToolTipRole)).endswith(words)


def test_marks_come_and_go_with_time_and_sync_alone(model: ConversationModel) -> None:
    turns = (make_turn(0, sync=SyncState.PENDING),)
    model.show(HANDLE, turns)
    assert rows(model)[0].mark is None
    model.show(HANDLE, turns, late=True)
    assert rows(model)[0].mark is not None
    model.show(HANDLE, (make_turn(0, sync=SyncState.SYNCED),), late=True)
    assert rows(model)[0].mark is None


def test_notices_stay_where_they_came_up_and_collapse_in_one_place(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 1))
    model.show(HANDLE, make_turns(0, 1), (), ("one",))
    model.show(HANDLE, make_turns(0, 1), (), ("one", "two"))
    model.show(HANDLE, make_turns(0, 2), (), ("one", "two", "three"))
    assert [(row.kind, row.text) for row in rows(model)] == [
        (RowKind.TURN, "Turn 0"),
        (RowKind.NOTICE, "two · 1 more line"),
        (RowKind.TURN, "Turn 1"),
        (RowKind.NOTICE, "three"),
    ]
    model.show(HANDLE, make_turns(0, 2), (), ("three",))
    assert [row.text for row in rows(model)] == ["Turn 0", "Turn 1", "three"]
    model.show(HANDLE, make_turns(0, 2), (), ())
    assert [row.text for row in rows(model)] == ["Turn 0", "Turn 1"]


def test_rows_read_aloud_name_the_speaker(model: ConversationModel) -> None:
    model.show(HANDLE, make_turns(0, 2), (), ("note",))
    spoken = [model.data(model.index(n), Qt.ItemDataRole.AccessibleTextRole) for n in range(3)]
    assert spoken == ["You: Turn 0", "Nova: Turn 1", "note"]
    when = [model.data(model.index(n), Qt.ItemDataRole.AccessibleDescriptionRole) for n in range(3)]
    assert when == [WHEN, WHEN, None]


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 6),
            st.lists(st.sampled_from(Role), max_size=2, unique=True),
            st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        ),
        max_size=12,
    )
)
def test_any_order_of_snapshots_ends_in_what_the_last_one_shows(
    steps: list[tuple[int, list[Role], list[str]]],
) -> None:
    model = ConversationModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    for count, live, notices in steps:
        texts = tuple(LiveText(role=role, spoken=f"{count}") for role in live)
        model.show(HANDLE, make_turns(0, count), texts, tuple(notices))
        shown = rows(model)
        assert [row.text for row in shown if row.kind is RowKind.TURN] == [f"Turn {n}" for n in range(count)]
        assert [row.role for row in shown if row.kind is RowKind.LIVE] == live
        assert any(row.kind is RowKind.NOTICE for row in shown) is bool(notices)
        assert len({row.key for row in shown}) == len(shown)


@pytest.fixture
def history(qapp: object) -> HistoryModel:
    made = HistoryModel()
    QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    return made


def local_ms(*when: int) -> int:
    return round(datetime(*when).timestamp() * 1000)  # type: ignore[arg-type]  # year to minute


def test_conversations_are_grouped_by_local_day(history: HistoryModel) -> None:
    history.show(
        [
            make_conversation(0, updated_ms=local_ms(2026, 3, 10, 9), title="Now"),
            make_conversation(1, updated_ms=local_ms(2026, 3, 10, 0, 1)),
            make_conversation(2, updated_ms=local_ms(2026, 3, 9, 23, 59)),
            make_conversation(3, updated_ms=local_ms(2026, 3, 6, 12)),
            make_conversation(4, updated_ms=local_ms(2026, 2, 1, 12)),
            make_conversation(5, updated_ms=local_ms(2025, 12, 31, 12)),
        ],
        date(2026, 3, 10),
    )
    shown = [history.row(history.index(n)) for n in range(history.rowCount())]
    assert [row.title for row in shown if row.kind is HistoryKind.DAY] == [
        "Today",
        "Yesterday",
        "Friday",
        "1 February",
        "31 December 2025",
    ]
    assert (shown[1].title, shown[1].below) == ("Now", "caring-king-0 · 2 turns")
    assert (shown[2].title, shown[2].below) == ("caring-king-1", "2 turns")
    assert not history.flags(history.index(0)) & Qt.ItemFlag.ItemIsSelectable


@pytest.mark.parametrize(
    ("title", "search", "marks"),
    [
        ("Aspirin call", "CALL asp", ((0, 3), (8, 12))),
        ("Café Größe", "cafe große", ((0, 4), (5, 10))),
        ("Straße 5", '"strasse 5"', ((0, 6), (7, 8))),
        ("Lisbon", "aspirin", ()),
        ("tea for two, teas", "tea", ((0, 3), (13, 16))),
        ("Lisbon", "", ()),
    ],
)
def test_words_of_a_search_are_marked_in_titles(title: str, search: str, marks: tuple[tuple[int, int], ...]) -> None:
    assert marks_in(title, search) == marks


@pytest.mark.parametrize(
    ("length_ms", "words"),
    [
        (0, "2 turns"),
        (20_000, "2 turns · under a minute"),
        (12 * 60_000, "2 turns · 12 min"),
        (125 * 60_000, "2 turns · 2 h 5 min"),
        (26 * 3_600_000, "2 turns · over 1 day"),
        (80 * 3_600_000, "2 turns · over 3 days"),
    ],
)
def test_a_row_says_how_long_it_was(history: HistoryModel, length_ms: int, words: str) -> None:
    made = make_conversation(0)
    history.show([replace(made, begun_ms=made.updated_ms - length_ms)], date(2026, 3, 10))
    assert history.row(history.index(1)).below == words


def test_the_open_conversation_is_marked_and_counts_live(history: HistoryModel) -> None:
    stored = make_conversation(0)
    history.show([stored], date(2026, 3, 10))
    resets: list[None] = []
    history.modelReset.connect(lambda: resets.append(None))
    history.set_current(replace(stored, turns=3, sync=SyncState.PENDING, pending=1))
    row = history.row(history.index(1))
    assert (row.current, row.below) == (True, "3 turns")
    spoken = history.data(history.index(1), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "caring-king-0, 3 turns, 1 turn waiting to sync, open"
    assert history.data(history.index(1), Qt.ItemDataRole.AccessibleDescriptionRole) == WHEN
    assert resets == []


def test_another_page_of_conversations_is_added_and_one_that_changed_alone_is_drawn(history: HistoryModel) -> None:
    stored = [make_conversation(number) for number in range(300)]
    history.show(stored[:200], date(2026, 3, 10))
    told: list[tuple[str, int, int]] = []
    history.modelReset.connect(lambda: told.append(("reset", 0, 0)))
    history.rowsInserted.connect(lambda _parent, first, last: told.append(("added", first, last)))
    history.dataChanged.connect(lambda first, last: told.append(("changed", first.row(), last.row())))
    history.show(stored, date(2026, 3, 10))
    assert told == [("added", 201, 300)]
    history.show([*stored[:4], replace(stored[4], title="Lisbon"), *stored[5:]], date(2026, 3, 10))
    assert told[1:] == [("changed", 5, 5)]
    history.show(stored[1:], date(2026, 3, 10))
    assert told[2:] == [("reset", 0, 0)]


def test_notes_tell_what_an_answer_used(model: ConversationModel) -> None:
    model.show(HANDLE, (make_turn(0, role=Role.ASSISTANT, tools=("current_time", "sums")),))
    assert rows(model)[0].notes == "used: Date and time, sums"


LONG = "I answered that three plus four is seven, and before that you said: my name is Anna."


@pytest.mark.parametrize(
    ("room", "begins"), [(200, "I answered"), (30, "…you said: my name is Anna."), (5, "…Anna."), (2, "…Anna.")]
)
def test_the_first_word_that_was_found_is_seen_however_long_the_text_before_it_is(room: int, begins: str) -> None:
    text, marks = begin_near(LONG, marks_in(LONG, "anna"), lambda part: len(part) <= room)
    assert text.startswith(begins)
    assert [text[first:past] for first, past in marks] == ["Anna"]


def test_a_text_in_which_nothing_was_found_is_left_whole() -> None:
    assert begin_near(LONG, (), lambda _part: False) == (LONG, ())
