"""Long lists: what is loaded while they are scrolled, and how little work a step is."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Turn
from novadesk.ui import history_model, item_models
from novadesk.ui.conversation_view import ConversationView
from novadesk.ui.item_models import WINDOW_ROWS
from novadesk.ui.main_window import MainWindow
from novadesk.ui.turn_loader import PAGE
from tests.ui.conftest import CannedRequests, drain, make_conversation
from tests.ui.test_item_models import make_turn, make_turns

# --- the history ---


def test_more_of_the_history_is_loaded_at_its_end(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.stored = [make_conversation(number) for number in range(450)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 200)
    window.history.list.scrollToBottom()
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 400)
    window.history.list.scrollToBottom()
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 450)


def test_who_scrolls_to_the_end_while_the_list_is_loaded_gets_more_too(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.stored = [make_conversation(number) for number in range(450)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 200)
    window.history.loader.refresh()
    window.history.loader.refresh()
    window.history.list.scrollToBottom()
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 400)


def test_a_list_that_grows_taller_at_its_end_loads_one_page_and_not_two(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.stored = [make_conversation(number) for number in range(900)]
    window.show_snapshot(Snapshot(store_revision=1))
    loader = window.history.loader
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 200 and loader._page is None)
    requests.asked.clear()
    window.history.list.scrollToBottom()
    bar = window.history.list.verticalScrollBar()
    bar.setMaximum(bar.maximum() - 53)  # as when a line under the list goes, and the list grows by it
    qtbot.waitUntil(lambda: loader._page is None)
    assert requests.asked == [("conversations", 200, 200)]
    assert len(window.history.model.conversations) == 400


def test_the_list_stays_where_the_person_looks(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.stored = [make_conversation(number) for number in range(450)]
    window.show_snapshot(Snapshot(store_revision=1))
    rows, bar = window.history.list, window.history.list.verticalScrollBar()
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 200 and bar.maximum() > 0)
    rows.choose(1)
    place = bar.maximum() - bar.pageStep()
    bar.setValue(place)
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 400)
    assert bar.value() == place
    newest = make_conversation(-1)
    requests.stored.insert(0, newest)
    window.show_snapshot(Snapshot(store_revision=2))
    qtbot.waitUntil(lambda: newest in window.history.model.conversations)
    drain()
    rows.executeDelayedItemsLayout()
    assert bar.value() == place
    assert [one.handle for one in rows.chosen()] == [make_conversation(0).handle]
    window.history.search.setText("king-1")
    assert bar.value() == 0


def test_a_page_of_a_long_list_and_a_change_in_it_are_little_work(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.stored = [make_conversation(number) for number in range(1_500)]
    work, history = Work(), window.history
    monkeypatch.setattr(history_model, "_history_row", counting(work, "rows_made", history_model._history_row))
    window.show_snapshot(Snapshot(store_revision=1))
    for many in (200, 400, 600, 800, 1_000):
        qtbot.waitUntil(lambda many=many: len(history.model.conversations) == many)  # type: ignore[misc]
        assert work.rows_made == 200
        work.rows_made = 0
        history.list.scrollToBottom()
    qtbot.waitUntil(lambda: len(history.model.conversations) == 1_200)
    work.rows_made = 0
    requests.stored[700] = replace(requests.stored[700], title="Lisbon")
    window.show_snapshot(Snapshot(store_revision=2))
    qtbot.waitUntil(lambda: requests.stored[700] in history.model.conversations)
    assert work.rows_made == 1


# --- a conversation of 100,000 turns ---

WHOLE = 100_000
NEWEST = 200
SHOWN = 30


class Talk:
    """So many turns, each made when it is asked for."""

    def __len__(self) -> int:
        return WHOLE

    def __getitem__(self, part: slice) -> tuple[Turn, ...]:
        first, past, _ = part.indices(WHOLE)
        return make_turns(first, past)


@dataclass
class Work:
    """What the main thread and the store were asked for."""

    queries: int = 0
    rows_made: int = 0
    heights_measured: int = 0
    heights_asked_for: int = 0
    texts_laid_out: int = 0


class Reader:
    """Somebody who walks through the conversation; every step tells the work that it was."""

    def __init__(self, view: ConversationView, qtbot: QtBot, requests: CannedRequests) -> None:
        self.view, self._qtbot, self._requests = view, qtbot, requests
        self.work = Work()

    def step(self, act: Callable[[], object]) -> Work:
        """Do something, wait until all that it brought is painted, and return the work."""
        view, work = self.view, self.work
        laid_out = view.turns.delegate.layouts_made
        self._requests.asked.clear()
        work.rows_made = work.heights_measured = work.heights_asked_for = 0
        act()
        self._qtbot.waitUntil(lambda: view.loader._question is None)
        view.turns.executeDelayedItemsLayout()
        view.turns.grab()
        work.queries = sum(asked[0] == "turns" for asked in self._requests.asked)
        work.texts_laid_out = view.turns.delegate.layouts_made - laid_out
        return replace(work)

    def press(self, key: Qt.Key) -> Work:
        return self.step(lambda: self._qtbot.keyClick(self.view.turns, key))

    def drag(self, *shares: float) -> Work:
        """Drag the bar over these parts of its way, all before anything is answered."""
        bar = self.view.bar

        def act() -> None:
            bar.setSliderDown(True)
            for share in shares:
                bar.setValue(round(bar.maximum() * share))

        work = self.step(act)
        assert bar.value() == round(bar.maximum() * shares[-1]), "it has left the pointer"
        bar.setSliderDown(False)
        return work

    @property
    def top(self) -> int:
        """Return the position of the turn at the top."""
        turns = self.view.turns
        turn = self.view.model.row(turns.indexAt(QPoint(turns.width() // 2, 30))).turn
        assert turn is not None
        return turn.position

    @property
    def chosen(self) -> int:
        """Return the position of the selected turn."""
        turn = self.view.model.row(self.view.turns.currentIndex()).turn
        assert turn is not None
        return turn.position


@pytest.fixture
def reader(
    window: MainWindow,
    qtbot: QtBot,
    requests: CannedRequests,
    conversation: Conversation,
    monkeypatch: pytest.MonkeyPatch,
) -> Reader:
    """Return somebody before the newest of 100,000 turns, with the focus on them."""
    requests.spoken = Talk()  # type: ignore[assignment]
    made = Reader(window.conversation, qtbot, requests)
    delegate = made.view.turns.delegate
    for where, name, counter in (
        (item_models, "_turn_row", "rows_made"),
        (delegate, "_measure", "heights_measured"),
        (delegate, "height", "heights_asked_for"),
    ):
        monkeypatch.setattr(where, name, counting(made.work, counter, getattr(where, name)))
    opened = Snapshot(conversation=replace(conversation, turns=WHOLE), turns=make_turns(WHOLE - NEWEST, WHOLE))
    work = made.step(lambda: window.show_snapshot(opened))
    made.view.turns.setFocus()
    most = Work(0, NEWEST, NEWEST, 4 * NEWEST, NEWEST + SHOWN)
    assert all(done <= limit for done, limit in zip(astuple(work), astuple(most), strict=True)), work
    assert made.view.turns.following
    return made


def counting[**P, T](work: Work, name: str, call: Callable[P, T]) -> Callable[P, T]:
    def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        setattr(work, name, getattr(work, name) + 1)
        return call(*args, **kwargs)

    return counted


def little(work: Work, *, queries: int) -> bool:
    """Say whether a step was that of one page, however long the conversation is."""
    return (
        work.queries <= queries
        and work.rows_made <= PAGE + 1  # the row that has another one in front of it now may name its speaker
        and work.heights_measured <= PAGE + 1
        and work.heights_asked_for <= 6 * (WINDOW_ROWS + PAGE)
        and work.texts_laid_out <= PAGE + SHOWN
    )


def test_page_up_is_a_page_of_work_and_leaves_no_turn_out(reader: Reader) -> None:
    reader.press(Qt.Key.Key_End)
    reader.press(Qt.Key.Key_PageUp)  # to the top of what is shown
    before = reader.top
    for _ in range(40):
        work = reader.press(Qt.Key.Key_PageUp)
        assert little(work, queries=1), work
        assert before - PAGE < reader.top < before
        before = reader.top
    positions = [turn.position for turn in reader.view.model.turns]
    assert positions == list(range(positions[0], positions[0] + len(positions)))
    assert len(positions) <= WINDOW_ROWS


def test_home_and_end_are_one_page_away(reader: Reader) -> None:
    work = reader.press(Qt.Key.Key_Home)
    assert little(work, queries=1), work
    assert (reader.chosen, reader.top) == (0, 0)
    assert reader.press(Qt.Key.Key_PageDown).queries <= 1
    assert 0 < reader.chosen < PAGE
    work = reader.press(Qt.Key.Key_End)
    assert work.queries == 0
    assert max(work.rows_made, work.heights_measured) <= NEWEST
    assert (reader.chosen, reader.view.turns.following) == (WHOLE - 1, True)


def test_a_page_that_cannot_be_read_is_said_and_asked_for_again(reader: Reader, requests: CannedRequests) -> None:
    requests.error = KnownError(Reason.STORE_LOCKED, "The store is locked.", "Try again.")
    reader.press(Qt.Key.Key_Home)
    assert reader.view.passing.text() == "The store is locked. Try again. (ND-STORE-01)"
    assert reader.step(lambda: reader.view.turns.verticalScrollBar().setValue(0)).queries == 1
    assert reader.press(Qt.Key.Key_PageUp).queries == 1
    requests.error = None
    reader.press(Qt.Key.Key_PageUp)
    assert reader.view.model.turns[0].position == WHOLE - NEWEST - PAGE
    reader.press(Qt.Key.Key_Home)
    assert reader.chosen == 0


def test_the_scroll_bar_is_that_of_the_whole_conversation(reader: Reader) -> None:
    for share in (0.5, 0.75, 0.1):
        work = reader.drag(*(share * step / 20 for step in range(10, 20)), share)
        assert little(work, queries=2), work  # of ten places on the way one may have been asked for
        assert reader.top == pytest.approx(WHOLE * share, abs=WHOLE / 100)
        bar = reader.view.bar
        assert bar.value() / bar.maximum() == pytest.approx(share, abs=0.02)
    assert reader.drag(0.0).queries == 1
    assert reader.top == 0
    assert reader.drag(1.0).queries == 0
    assert reader.view.turns.following


def test_a_window_taller_than_a_page_is_filled(reader: Reader, window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1120, 6000)
    drain()
    reader.drag(0.5)
    qtbot.waitUntil(lambda: reader.view.turns.verticalScrollBar().maximum() > 0)
    assert len(reader.view.model.turns) <= WINDOW_ROWS


def test_a_bar_of_what_is_all_there_is_the_list_s_own(window: MainWindow, conversation: Conversation) -> None:
    view = window.conversation
    window.show_snapshot(Snapshot(conversation=conversation, turns=make_turns(0, 2)))
    drain()
    assert not view.bar.isVisible()
    window.show_snapshot(Snapshot(conversation=conversation, turns=make_turns(0, 100)))
    view.turns.executeDelayedItemsLayout()
    own = view.turns.verticalScrollBar()
    assert (view.bar.maximum(), view.bar.value(), view.bar.isVisible()) == (own.maximum(), own.maximum(), True)
    view.bar.setValue(7)
    assert own.value() == 7


def test_a_turn_that_comes_while_the_middle_is_read_is_no_work(
    reader: Reader, window: MainWindow, conversation: Conversation
) -> None:
    reader.drag(0.5)
    before = reader.top
    newest = (*make_turns(WHOLE - NEWEST + 1, WHOLE), make_turn(WHOLE))
    grown = Snapshot(conversation=replace(conversation, turns=WHOLE + 1), turns=newest)
    work = reader.step(lambda: window.show_snapshot(grown))
    assert replace(work, heights_asked_for=0) == Work()
    assert work.heights_asked_for <= SHOWN  # those that are painted
    assert reader.top == before


def test_another_width_lays_every_row_out_again_and_leaves_what_is_read(
    window: MainWindow, conversation: Conversation
) -> None:
    turns, model = window.conversation.turns, window.conversation.model
    said = tuple(make_turn(position, text="word " * (20 + position % 50)) for position in range(100))
    window.show_snapshot(Snapshot(conversation=conversation, turns=said))
    for middle in (None, 50):
        if middle is not None:
            turns.go_to(middle)
        for width in (1120, 880, 700):
            window.resize(width, window.height())
            drain()
            turns.executeDelayedItemsLayout()
            places = [turns.visualRect(model.index(number)) for number in range(100)]
            assert [one.bottom() + 1 for one in places[:-1]] == [one.top() for one in places[1:]]
            assert turns.viewport().rect().contains(places[99 if middle is None else middle].center())
