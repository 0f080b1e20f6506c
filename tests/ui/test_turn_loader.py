"""Pages of turns in any order of wishes, answers, failures and new turns: no hole, no turn twice, no wish forgotten."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError, Reason
from novadesk.models import Turn
from novadesk.ui.bridge import Bridge
from novadesk.ui.item_models import WINDOW_ROWS, ConversationModel
from novadesk.ui.turn_loader import PAGE, Place, TurnLoader
from tests.ui.test_item_models import HANDLE, make_turns

BEGAN_WITH = 1_500
NEWEST = 200
LOCKED = KnownError(Reason.STORE_LOCKED, "The store is locked.", "Try again.")


class Store:
    """Answers when it is told to; fits the part of the bridge and of the requests that pages need."""

    def __init__(self) -> None:
        self.count = BEGAN_WITH
        self.waiting: list[
            tuple[Callable[[], Awaitable[Any]], Callable[[Any], None], Callable[[KnownError], None]]
        ] = []

    def ask(
        self,
        request: Callable[[], Awaitable[Any]],
        on_answer: Callable[[Any], None],
        on_error: Callable[[KnownError], None],
        *,
        owner: QObject,
    ) -> "Store":
        assert not self.waiting, "two at a time"
        self.waiting.append((request, on_answer, on_error))
        return self

    def drop(self) -> None:
        self.waiting.clear()

    async def turns(self, handle: str, *, before: int, limit: int) -> Sequence[Turn]:
        past = min(before, self.count)
        return make_turns(max(0, past - limit), past)

    def settle(self, *, well: bool) -> None:
        """Answer what is waiting."""
        if self.waiting:
            request, on_answer, on_error = self.waiting.pop()
            try:
                request().__await__().send(None)
            except StopIteration as answered:
                if well:
                    on_answer(answered.value)
                else:
                    on_error(LOCKED)


class Reading:
    """A model with its loader, and what the person has reached."""

    def __init__(self) -> None:
        self.store, self.model = Store(), ConversationModel()
        self.loader = TurnLoader(cast(Bridge, self.store), cast(Requests, self.store), self.model, self.model)
        self.reached: list[Place] = []
        self.loader.reached.connect(self.reached.append)
        self.grow(0)

    def grow(self, by: int) -> None:
        self.store.count += by
        self.model.show(HANDLE, make_turns(self.store.count - NEWEST, self.store.count))

    def check(self) -> None:
        positions = [turn.position for turn in self.model.turns]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
        assert len(positions) <= 2 * WINDOW_ROWS
        assert not self.model.attached or positions[-1] == self.store.count - 1


WISHES = st.one_of(
    st.sampled_from(["older", "newer", "answer", "fail", "end"]),
    st.integers(0, BEGAN_WITH - 1),
    st.integers(-3, -1),  # so many new turns
)


@given(steps=st.lists(WISHES, max_size=40), place=st.integers(0, BEGAN_WITH - 1))
def test_any_order_leaves_no_hole_and_the_last_place_is_reached(steps: list[str | int], place: int) -> None:
    reading = Reading()
    does: dict[str | int, Callable[[], None]] = {
        "older": reading.loader.older,
        "newer": reading.loader.newer,
        "answer": lambda: reading.store.settle(well=True),
        "fail": lambda: reading.store.settle(well=False),
        "end": reading.model.reattach,
    }
    for step in steps:
        if isinstance(step, str):
            does[step]()
        elif step < 0:
            reading.grow(-step)
        else:
            reading.loader.seek(Place(position=step, chosen=False))
        reading.check()
    reading.loader.seek(Place(position=place, chosen=True))
    for _ in range(3):
        reading.store.settle(well=True)
        reading.check()
    assert reading.reached[-1] == Place(position=place, chosen=True)
    assert reading.model.row_of(place) is not None
    assert reading.store.waiting == []


def test_the_whole_is_walked_both_ways_a_page_at_a_time() -> None:
    reading = Reading()
    pages = 0
    while reading.model.turns[0].position:
        reading.loader.older()
        reading.store.settle(well=True)
        reading.check()
        pages += 1
    assert pages == -(-(BEGAN_WITH - NEWEST) // PAGE)
    while not reading.model.attached:
        reading.loader.newer()
        reading.store.settle(well=True)
        reading.check()


def test_a_place_that_could_not_be_read_is_not_gone_to_later() -> None:
    reading = Reading()
    reading.loader.seek(Place(position=0, chosen=True))
    reading.store.settle(well=False)
    reading.loader.older()
    reading.store.settle(well=True)
    assert (reading.reached, reading.store.waiting) == ([], [])
