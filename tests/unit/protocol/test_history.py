"""History limits as properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage, pieces, shape, well_formed
from novadesk.protocol.limits import DEFAULT

SMALL = replace(DEFAULT, history_bytes=200, text_bytes=16)
ANY_TEXT = st.text(max_size=120)
MESSAGES = st.lists(st.builds(HistoryMessage, st.sampled_from(WireRole), ANY_TEXT), max_size=12)
USER, ASSISTANT = WireRole.USER, WireRole.ASSISTANT


def messages(*pairs: tuple[WireRole, str]) -> list[HistoryMessage]:
    return [HistoryMessage(role, text) for role, text in pairs]


@given(MESSAGES)
def test_the_service_would_take_the_shaped_history(given_messages: list[HistoryMessage]) -> None:
    shaped = shape(given_messages, SMALL)
    roles = [message.role for message in shaped]
    assert roles == [USER if index % 2 == 0 else ASSISTANT for index in range(len(roles))]
    assert sum(len(message.text.encode()) for message in shaped) <= SMALL.history_bytes
    assert all(message.text.strip() for message in shaped)


@given(MESSAGES)
def test_shaping_twice_changes_nothing(given_messages: list[HistoryMessage]) -> None:
    shaped = shape(given_messages, SMALL)
    assert shape(shaped, SMALL) == shaped


@given(MESSAGES)
def test_the_newest_words_are_kept(given_messages: list[HistoryMessage]) -> None:
    shaped = shape(given_messages, replace(SMALL, history_bytes=10**6))
    kept = [m for m in given_messages if m.role in (USER, ASSISTANT) and well_formed(m.text).strip()]
    while kept and kept[0].role is ASSISTANT:
        del kept[0]
    assert "\n".join(m.text for m in shaped) == "\n".join(well_formed(m.text).strip() for m in kept)


@given(ANY_TEXT, st.integers(4, 40))
def test_pieces_fit_and_lose_nothing(text: str, size_bytes: int) -> None:
    found = pieces(text, replace(DEFAULT, text_bytes=size_bytes))
    assert "".join(found) == well_formed(text)
    assert all(0 < len(piece.encode()) <= size_bytes for piece in found)


def test_one_character_is_the_least() -> None:
    assert pieces("ä€x", replace(DEFAULT, text_bytes=1)) == ("ä", "€", "x")


def test_neighbours_of_one_role_are_merged() -> None:
    given_messages = messages(
        (USER, " one "), (USER, "two"), (ASSISTANT, "three"), (WireRole.TOOL, "x"), (ASSISTANT, "four")
    )
    assert shape(given_messages, DEFAULT) == tuple(messages((USER, "one\ntwo"), (ASSISTANT, "three\nfour")))


def test_a_leading_assistant_is_dropped() -> None:
    assert shape(messages((ASSISTANT, "a"), (USER, "b")), DEFAULT) == tuple(messages((USER, "b")))
    assert shape(messages((ASSISTANT, "a")), DEFAULT) == ()


def test_an_assistant_left_first_by_the_size_is_dropped() -> None:
    given_messages = messages((USER, "u" * 199), (ASSISTANT, "a"), (USER, "b"), (ASSISTANT, "c"))
    assert shape(given_messages, SMALL) == tuple(messages((USER, "b"), (ASSISTANT, "c")))


def test_forty_kilobytes_are_forty_kilobytes() -> None:
    exact = messages((USER, "u" * 960), (ASSISTANT, "a" * 40_000))
    assert shape(exact, DEFAULT) == tuple(exact)
    assert shape(messages((USER, "u" * 961), (ASSISTANT, "a" * 40_000)), DEFAULT) == ()


def test_a_newest_message_that_is_too_long_keeps_its_end() -> None:
    (kept,) = shape(messages((USER, "ä" * 150)), replace(SMALL, history_bytes=101))
    assert kept.text == "ä" * 50


def test_a_limit_below_a_character_keeps_nothing() -> None:
    assert shape(messages((USER, "€€")), replace(SMALL, history_bytes=2)) == ()


@pytest.mark.parametrize("size", [1_023, 1_024, 1_025])
def test_a_kilobyte_is_cut_between_characters(size: int) -> None:
    found = pieces("x" * (size - 2) + "ä", DEFAULT)
    assert [len(piece.encode()) for piece in found] == ([size] if size <= 1_024 else [1_023, 2])
