"""When an assistant's turn is over: each rule by itself, and none of them too early."""

import pytest

from novadesk.protocol import events as ev
from novadesk.protocol import session_events as told
from novadesk.protocol.events import OutputEvent, StopReason, WireRole
from novadesk.protocol.pairing import match
from novadesk.protocol.session import NovaSession, Setup, Side
from tests.unit.protocol.wire_values import FRAME, payloads, planned, speech, speech_end, text_block, tool_block

END, PARTIAL, INTERRUPTED = StopReason.END_TURN, StopReason.PARTIAL_TURN, StopReason.INTERRUPTED
SETUP = Setup(session=ev.SessionStart(), prompt=ev.PromptStart(prompt_name="p", voice_id="v"), system_prompt="s")

P1, P2 = planned("p1", "One fish."), planned("p2", "Two fish.")
A1, A2, LAST_A1, LAST_A2 = speech("a1", 2), speech("a2", 2), speech("a1", 2, stop=END), speech("a2", 2, stop=END)
F1, F2 = text_block("f1", "One fish."), text_block("f2", "Two fish.")
LAST_F1, LAST_F2 = text_block("f1", "One fish.", stop=END), text_block("f2", "Two fish.", stop=END)
USER = text_block("u", "next", role=WireRole.USER)
MARK = text_block("m", '{"interrupted":true}', stop=INTERRUPTED)


def ends(*blocks: list[OutputEvent] | OutputEvent) -> list[int]:
    """Return after which of the blocks a turn ended."""
    session = NovaSession(Side.CLIENT)
    session.start(SETUP, 0.0)
    found = []
    for index, block in enumerate(blocks):
        for payload in payloads(block if isinstance(block, list) else [block]):
            session.receive(payload, 0.0)
        found += [index for event in session.events_received() if isinstance(event, told.TurnEnded)]
    return found


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        # 1. audio END_TURN, and every plan has its FINAL text, in whatever order
        ([P1, LAST_A1, F1], [2]),
        ([P1, A1, F1, P2, LAST_A2, F2], [5]),
        ([P1, P2, A1, LAST_A2, F1, F2], [5]),
        ([P1, P2, A1, LAST_A2, F2, F1], [5]),
        ([P1, F1, LAST_A1], [2]),
        ([P1, P2, LAST_A1, text_block("f", "One fish. Two fish.")], [3]),
        ([P1, LAST_A1, text_block("f", "Something else entirely")], [2]),
        # 2. nothing planned: FINAL texts, then audio END_TURN
        ([F1, LAST_A1], [1]),
        ([A1, F1, F2, LAST_A2], [3]),
        # 3. FINAL END_TURN
        ([P1, A1, LAST_F1], [2]),
        ([P1, P2, LAST_A1, LAST_F1], [3]),
        ([LAST_F1], [0]),
        ([P1, P2, LAST_F2], [2]),
        ([P1, LAST_F1], [1]),
        ([LAST_A1, F1, LAST_F2], [2]),
        ([P1, LAST_A1, F1, text_block("e", "", stop=END)], [2]),
        ([P1, A1, text_block("e", "", stop=END), F1], [3]),
        # 4. the conversation moves on
        ([P1, LAST_A1, USER], [2]),
        ([P1, LAST_A1, P2], [2]),
        ([P1, P2, A1, LAST_F1, USER], [4]),
        ([P1, LAST_A1, tool_block("t", "t")], [2]),
        ([P1, LAST_A1, ev.CompletionEnd(**FRAME, stop_reason=END)], [2]),
        # not yet
        ([P1, A1, F1], []),
        ([P1, LAST_A1], []),
        ([P1, P2, A1, LAST_A2, F1], []),
        ([P1, P2, A1, LAST_F1], []),
        ([LAST_A1, F1], []),
        ([A1, F1, LAST_A2], []),
        ([P1, A1, USER], []),
        ([P1, speech("a1", 2, stop=None), LAST_F1], []),
        ([P1, speech("a1", 2, stop=None), LAST_F1, speech_end("a1", PARTIAL)], [3]),
        ([P1, LAST_A1, speech("a2", 2, stop=None), USER], []),
        ([P1, F1, speech_end("nowhere", END)], []),
        ([text_block("e", "", stop=END)], []),
        ([speech_end("nowhere", END)], []),
        # a barge-in ends the turn in place of TurnEnded
        ([P1, LAST_A1, MARK, F1, USER], []),
        ([P1, P2, A1, MARK, speech_end("a1", END), F1], []),
        ([P1, P2, A1, F1, MARK, planned("p3", "Red fish."), speech("a3", 2, stop=END), F2], []),
        ([P1, A1, MARK, planned("p3", "Red fish."), speech("a3", 2, stop=END), text_block("f3", "Red fish.")], [5]),
        ([P1, A1, MARK, F1, F2, LAST_F2], [5]),
        ([P1, A1, MARK, planned("p3", "Red."), speech("a3", 2, stop=END), text_block("f3", "Blue.")], [5]),
        # late FINAL texts of an earlier turn do not end the present one
        ([P1, LAST_A1, P2, F1, LAST_A2, F2], [2, 5]),
        ([P1, LAST_A1, USER, F1, P2, LAST_A2, F2], [2, 6]),
        ([P1, LAST_A1, USER, LAST_F1], [2]),
        # the same words owed and planned: the present turn comes first
        ([P1, A1, MARK, planned("p3", "One fish."), speech("a3", 2, stop=END), F1], [5]),
    ],
)
def test_the_end_of_a_turn(blocks: list[list[OutputEvent] | OutputEvent], expected: list[int]) -> None:
    assert ends(*blocks) == expected


def test_the_end_of_the_link_ends_no_turn_whose_text_is_owed() -> None:
    session = NovaSession(Side.CLIENT)
    session.start(SETUP, 0.0)
    for payload in payloads([*P1, *LAST_A1]):
        session.receive(payload, 0.0)
    session.events_received()
    session.link_closed(0.0)
    assert session.events_received() == []


def test_a_plan_in_two_pieces_is_one_plan() -> None:
    start, piece, end = planned("p1", "One ")
    more = ev.TextOutput(**FRAME, content_id="p1", role=WireRole.ASSISTANT, content="fish.")
    assert ends([start, piece, more, end], LAST_A1, F1) == [2]


@pytest.mark.parametrize(
    ("plans", "spoken", "expected"),
    [
        (["One fish.", "Two fish."], "one fish", range(0, 1)),
        (["One fish.", "Two fish."], "Two fish!", range(1, 2)),
        (["One fish.", "Two fish."], "One fish. Two fish.", range(0, 2)),
        (["One fish.", "Two fish."], "One fish. Two", range(0, 2)),
        (["One fish.", "Two fish."], "One fish. Red", range(0, 1)),
        (["One fish."], "One fish. Two fish.", range(0, 1)),
        (["One fish.", "Two fish."], "One", range(0, 1)),
        (["One fish.", "Two fish."], "Red", None),
        (["...", "Two fish."], "Two fish.", range(1, 2)),
        (["One fish."], "?!", None),
        ([], "One", None),
    ],
)
def test_a_final_text_finds_its_plans(plans: list[str], spoken: str, expected: range | None) -> None:
    assert match(plans, spoken) == expected
