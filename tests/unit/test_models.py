import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.errors import KnownError, Reason
from novadesk.models import Role, Turn, check_handle, make_handle

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
EARLIEST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
TAIL = "abcdefghij0123456789uvwxyz"


def valid(text: str, now_ms: int = NOW) -> bool:
    try:
        return check_handle(text, now_ms) == text
    except KnownError as error:
        refused = error
    assert refused.reason is Reason.UNKNOWN_CONVERSATION
    assert len(text) < 9 or text not in str(refused), "an id may not reach a log by way of the exception"
    assert "history list" in refused.advice
    return False


@given(now_ms=st.integers(EARLIEST, 9_999_999_999_999))
def test_what_we_make_is_valid_and_ours(now_ms: int) -> None:
    handle = make_handle(now_ms)
    assert valid(handle, now_ms)
    assert re.fullmatch(rf"session_{now_ms}_[0-9a-z]{{26}}", handle)


def test_no_two_are_the_same() -> None:
    made = [make_handle(NOW) for _ in range(500)]
    assert len(set(made)) == 500
    tails = "".join(handle.rsplit("_", 1)[1] for handle in made)
    assert set(tails) == set("0123456789abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize(
    ("at_ms", "ok"),
    [(EARLIEST - 1, False), (EARLIEST, True), (NOW, True), (NOW + 60_000, True), (NOW + 60_001, False)],
)
def test_its_time_is_from_2020_to_a_minute_ahead(at_ms: int, ok: bool) -> None:
    assert valid(f"session_{at_ms:013d}_{TAIL}") is ok


@pytest.mark.parametrize(("length", "ok"), [(0, False), (8, False), (9, True), (64, True), (65, False)])
def test_its_random_part_has_9_to_64_characters(length: int, ok: bool) -> None:
    assert valid(f"session_{NOW}_{'z' * length}") is ok


@pytest.mark.parametrize(
    "text",
    [
        "", "session", f"session_{NOW}", f"Session_{NOW}_{TAIL}", f"session_{NOW}_{TAIL.upper()}",
        f" session_{NOW}_{TAIL}", f"session_{NOW}_{TAIL}\n", f"session_{NOW}_{TAIL}\0", f"session_{NOW}-{TAIL}",
        f"session_{NOW // 10}_{TAIL}", f"session_{NOW}0_{TAIL}", f"session_+{NOW // 10}_{TAIL}",
        "session_" + "".join(chr(0x660 + int(digit)) for digit in str(NOW)) + "_" + TAIL,
        f"session_{NOW}_{TAIL[:-1]}é", f"session_{NOW}_{TAIL[:-1]}_", f"session_{NOW}_../../etc/passwd",
        f"session_{NOW}_{TAIL}/..", f"sessions_{NOW}_{TAIL}", f"session_{NOW}_{TAIL}%00", "a" * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    assert not valid(text)


@given(text=st.text())
def test_any_text_is_refused(text: str) -> None:
    assert not valid(text)


@given(at=st.integers(0, 47), character=st.characters(exclude_characters="0123456789abcdefghijklmnopqrstuvwxyz"))
def test_a_foreign_character_in_its_numbers_is_refused(at: int, character: str) -> None:
    handle = f"session_{NOW}_{TAIL}"
    changed = handle[:at] + character + handle[at + 1 :]
    assert valid(changed) is (changed == handle)


@given(text=st.text(), heard=st.none() | st.integers(0, 50))
def test_a_turn_is_cut_at_what_was_heard(text: str, heard: int | None) -> None:
    turn = Turn(
        turn_id="t", conversation="c", position=0, role=Role.ASSISTANT, text=text, at_ms=0, wire_session="w",
        heard_chars=heard,
    )  # fmt: skip
    assert turn.heard_text == (text if heard is None else text[:heard])
    assert text.startswith(turn.heard_text)
