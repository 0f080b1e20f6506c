"""Long lists: what is loaded while they are scrolled, and how little work a step is."""

from pytestqt.qtbot import QtBot

from novadesk.conversation.api import Snapshot
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import CannedRequests, drain, make_conversation

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
    bar.setValue(bar.maximum())
    place = bar.value()
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
