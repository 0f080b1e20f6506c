"""The record of a wire session: nothing FINAL is lost or doubled, nothing planned is passed off as said."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from novadesk.models import Role
from novadesk.protocol.events import StopReason, TokenCount
from novadesk.protocol.session_events import (
    Interrupted,
    SessionEvent,
    SpeechEnded,
    SpeechReceived,
    TextPlanned,
    TextSpoken,
    ToolRequested,
    TurnEnded,
    UsageReported,
    UserTextReceived,
)
from novadesk.protocol.transcript import LivePiece, Transcript, TurnText
from tests.unit.protocol.wire_values import ids

PARTIAL, END = StopReason.PARTIAL_TURN, StopReason.END_TURN
ONE, TWO = "One fish swims here.", "Two fish swim there."  # 20 characters each


def plan(number: int, text: str) -> TextPlanned:
    return TextPlanned(f"p{number}", text)


def sound(number: int, samples: int) -> SpeechReceived:
    return SpeechReceived(f"a{number}", bytes(2 * samples))


def final(text: str) -> TextSpoken:
    return TextSpoken("f", text, PARTIAL)


def fed(transcript: Transcript, *events: SessionEvent) -> list[TurnText]:
    return [turn for event in events for turn in transcript.feed(event)]


def assistant(text: str, **more: object) -> TurnText:
    return TurnText(turn_id="id1", role=Role.ASSISTANT, text=text, **more)  # type: ignore[arg-type]


def record() -> Transcript:
    return Transcript(new_id=ids())


# --- finished turns --------------------------------------------------------------------------


def test_a_user_text_is_a_turn_at_once() -> None:
    assert fed(record(), UserTextReceived("u", " hello ")) == [TurnText(turn_id="id1", role=Role.USER, text="hello")]


def test_every_user_text_is_a_turn_of_its_own() -> None:
    turns = fed(record(), UserTextReceived("u", "a"), UserTextReceived("v", "b"))
    assert [(turn.turn_id, turn.text) for turn in turns] == [("id1", "a"), ("id2", "b")]


def test_random_turn_ids_differ() -> None:
    first, second = fed(Transcript(), UserTextReceived("u", "a"), UserTextReceived("v", "a"))
    assert first.turn_id != second.turn_id


def test_a_turn_is_its_final_texts_joined() -> None:
    happened = [plan(1, ONE), sound(1, 4), plan(2, TWO), sound(2, 4), final(f" {ONE}\n"), final(TWO)]
    transcript = record()
    assert fed(transcript, *happened) == []
    assert fed(transcript, TurnEnded()) == [assistant(f"{ONE} {TWO}")]
    assert fed(transcript, TurnEnded()) == []
    assert transcript.expire() == ()


def test_final_texts_out_of_order_are_put_in_order() -> None:
    happened = [plan(1, ONE), sound(1, 4), plan(2, TWO), sound(2, 4), final(TWO), final(ONE), TurnEnded()]
    assert fed(record(), *happened) == [assistant(f"{ONE} {TWO}")]


def test_one_final_text_for_several_plans() -> None:
    happened = [plan(1, ONE), plan(2, TWO), sound(1, 4), final(f"{ONE} {TWO}"), TurnEnded()]
    assert fed(record(), *happened) == [assistant(f"{ONE} {TWO}")]


def test_several_final_texts_for_one_plan() -> None:
    happened = [plan(1, f"{ONE} {TWO}"), sound(1, 4), final(ONE), final(TWO), TurnEnded()]
    assert fed(record(), *happened) == [assistant(f"{ONE} {TWO}")]


def test_no_plan_at_all() -> None:
    assert fed(record(), sound(1, 4), final(ONE), sound(2, 4), final(TWO), TurnEnded()) == [assistant(f"{ONE} {TWO}")]
    assert fed(record(), sound(1, 4), sound(2, 4), final(ONE), final(TWO), TurnEnded()) == [assistant(f"{ONE} {TWO}")]
    assert fed(record(), final(ONE), TurnEnded()) == [assistant(ONE)]


def test_a_second_block_of_speech_continues_its_plan() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 500), sound(2, 500), final(ONE))
    transcript.played(500)
    assert fed(transcript, Interrupted()) == [assistant(ONE, interrupted=True, heard_chars=len("One fish"))]


def test_blocks_of_speech_may_cross() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), plan(2, TWO), sound(1, 500), sound(2, 500), sound(1, 500), sound(2, 500))
    fed(transcript, final(ONE), final(TWO))
    transcript.played(1_500)
    assert fed(transcript, Interrupted()) == [
        assistant(f"{ONE} {TWO}", interrupted=True, heard_chars=len(f"{ONE} Two fish"))
    ]


def test_a_falling_count_without_new_speech_stays_where_it_was() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000))
    transcript.played(500)
    fed(transcript, Interrupted(), plan(2, TWO))
    transcript.played(400)
    transcript.played(300)
    fed(transcript, sound(2, 1_000), SpeechEnded("a2", END))
    transcript.played(800)
    assert transcript.live()[-1] == LivePiece(Role.ASSISTANT, "Two fish", "swim there.")


def test_the_same_sentence_twice_is_kept_twice() -> None:
    happened = [plan(1, "No."), sound(1, 4), plan(2, "No."), sound(2, 4), final("No."), final("No."), TurnEnded()]
    assert fed(record(), *happened) == [assistant("No. No.")]


def test_a_turn_without_any_text_is_none() -> None:
    assert fed(record(), sound(1, 4), TurnEnded(), Interrupted(), final("  ")) == []


def test_other_events_change_nothing() -> None:
    assert fed(record(), UsageReported(TokenCount(), TokenCount()), SpeechEnded("a1", END)) == []


# --- barge-in --------------------------------------------------------------------------------


def test_a_barge_in_keeps_the_final_texts_so_far() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(ONE))
    transcript.played(1_500)
    assert fed(transcript, Interrupted()) == [assistant(ONE, interrupted=True)]


def test_a_final_text_that_was_not_heard_whole_is_marked_so() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(ONE), final(TWO))
    transcript.played(1_500)
    (turn,) = fed(transcript, Interrupted())
    assert turn == assistant(f"{ONE} {TWO}", interrupted=True, heard_chars=len(ONE) + 1 + len("Two fish"))
    assert turn.text[: turn.heard_chars] == "One fish swims here. Two fish"


def test_a_final_text_of_which_nothing_was_heard() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(ONE), final(TWO))
    transcript.played(1_000)
    (turn,) = fed(transcript, Interrupted())
    assert turn.heard_chars == len(ONE)
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE))
    transcript.played(0)
    (turn,) = fed(transcript, Interrupted())
    assert turn.heard_chars == 0


def test_one_final_text_for_several_plans_is_heard_over_all_of_their_speech() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(f"{ONE} {TWO}"))
    transcript.played(1_500)
    (turn,) = fed(transcript, Interrupted())
    assert turn.text[: turn.heard_chars] == f"{ONE} Two fish swim"


def test_a_final_text_cut_by_the_service_was_heard_to_its_end() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final("One fish"))
    transcript.played(600)
    assert fed(transcript, Interrupted()) == [assistant("One fish", interrupted=True)]


def test_without_counts_of_played_samples_nothing_is_claimed() -> None:
    assert fed(record(), plan(1, ONE), sound(1, 1_000), final(ONE), Interrupted()) == [assistant(ONE, interrupted=True)]


def test_heard_speech_without_any_final_text_is_unconfirmed() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000))
    transcript.played(500)
    assert fed(transcript, Interrupted()) == [assistant("One fish", interrupted=True, unconfirmed=True)]


def test_unheard_plans_are_no_turn() -> None:
    transcript = record()
    transcript.played(0)
    assert fed(transcript, plan(1, ONE), sound(1, 1_000), Interrupted()) == []


def test_a_late_final_text_replaces_the_unconfirmed_one() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000))
    transcript.played(500)
    fed(transcript, Interrupted())
    assert fed(transcript, final("One fish")) == [assistant("One fish", interrupted=True)]
    assert transcript.expire() == ()


def test_a_late_final_text_finds_its_turn_among_newer_plans() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(ONE))
    transcript.played(1_500)
    fed(transcript, Interrupted(), plan(3, "Red fish."), sound(3, 1_000))
    assert [turn.text for turn in fed(transcript, final(TWO))] == [f"{ONE} {TWO}"]
    assert fed(transcript, final("Red fish."), TurnEnded()) == [
        TurnText(turn_id="id2", role=Role.ASSISTANT, text="Red fish.")
    ]


def test_a_text_worded_anew_belongs_to_the_present_turn() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 4), Interrupted(), plan(2, TWO), sound(2, 4))
    assert fed(transcript, final("Blue"), TurnEnded()) == [TurnText(turn_id="id2", role=Role.ASSISTANT, text="Blue")]


def test_a_barge_in_after_the_last_text_cuts_what_still_played() -> None:
    transcript = record()
    told = fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE), TurnEnded())
    transcript.played(500)
    assert told == [assistant(ONE)]
    assert fed(transcript, Interrupted()) == [assistant(ONE, interrupted=True, heard_chars=len("One fish"))]
    assert fed(transcript, Interrupted()) == []


def test_a_barge_in_after_everything_was_played_changes_nothing() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE), TurnEnded())
    transcript.played(1_000)
    assert fed(transcript, Interrupted()) == []


def test_a_barge_in_may_cut_two_turns() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE), TurnEnded(), plan(2, TWO), sound(2, 1_000), final(TWO))
    transcript.played(500)
    first, second = fed(transcript, Interrupted())
    assert (first.heard_chars, second.heard_chars) == (len("One fish"), 0)
    assert first.interrupted
    assert second.interrupted


# --- the person stops it ---------------------------------------------------------------------


def test_a_stopped_turn_is_told_as_far_as_heard_and_goes_on_unheard() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), SpeechEnded("a1", PARTIAL), plan(2, TWO))
    transcript.played(500)
    assert transcript.stop() == (assistant("One fish", interrupted=True, unconfirmed=True),)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "One fish"),)
    happened = [sound(2, 1_000), final(ONE), final(TWO), TurnEnded()]
    assert fed(transcript, *happened) == [
        assistant(f"{ONE} {TWO}", interrupted=True, heard_chars=len("One fish")),
    ]


def test_a_turn_that_the_service_abandons_is_told_as_heard_and_replaced_by_a_late_final() -> None:
    transcript = record()
    assert transcript.expire() == ()
    fed(transcript, plan(1, ONE), sound(1, 1_000), SpeechEnded("a1", PARTIAL))
    transcript.played(1_000)
    (told,) = transcript.expire()
    assert (told.text, told.unconfirmed, told.interrupted, told.heard_chars) == (ONE, True, False, None)
    (late,) = fed(transcript, final(ONE))
    assert (late.turn_id, late.unconfirmed) == (told.turn_id, False)
    assert transcript.expire() == ()


def test_a_turn_stopped_before_its_first_sound_is_unheard() -> None:
    transcript = record()
    transcript.played(0)
    fed(transcript, plan(1, ONE))
    transcript.stop()
    assert fed(transcript, sound(1, 1_000), final(ONE), TurnEnded()) == [
        assistant(ONE, interrupted=True, heard_chars=0)
    ]


def test_speech_after_a_stop_takes_no_time() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000))
    transcript.played(500)
    transcript.stop()
    fed(transcript, sound(1, 5_000), final(ONE), TurnEnded(), plan(2, TWO), sound(2, 1_000), SpeechEnded("a2", END))
    transcript.played(500)
    assert transcript.live()[-1] == LivePiece(Role.ASSISTANT, "Two fish", "swim there.")


def test_a_stop_after_the_last_text_cuts_the_finished_turn() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE), TurnEnded())
    transcript.played(500)
    assert transcript.stop() == (assistant(ONE, interrupted=True, heard_chars=len("One fish")),)
    assert transcript.stop() == ()


def test_the_next_turn_is_heard_again() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000))
    transcript.played(500)
    transcript.stop()
    fed(transcript, Interrupted(), plan(2, TWO), sound(2, 1_000), SpeechEnded("a2", END))
    transcript.played(500)
    assert transcript.live()[-1] == LivePiece(Role.ASSISTANT, "Two fish", "swim there.")


# --- the link is over ------------------------------------------------------------------------


def test_at_the_end_heard_plans_are_kept_as_unconfirmed() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), plan(3, "Unheard."))
    transcript.played(1_500)
    assert transcript.expire() == (assistant(f"{ONE} Two fish", unconfirmed=True),)
    assert transcript.expire() == ()


def test_a_finished_turn_grows_while_it_is_played_and_no_final_text_has_come() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000))
    transcript.played(500)
    assert fed(transcript, TurnEnded()) == [assistant("One fish", unconfirmed=True)]
    fed(transcript, plan(2, TWO), sound(2, 1_000))
    transcript.played(1_500)
    said = TurnText(turn_id="id2", role=Role.ASSISTANT, text="Two fish", unconfirmed=True)
    assert fed(transcript, TurnEnded()) == [assistant(ONE, unconfirmed=True), said]
    assert fed(transcript, final(ONE)) == [assistant(ONE)]
    assert transcript.expire() == ()


def test_at_the_end_final_texts_come_before_heard_plans() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), plan(2, TWO), sound(2, 1_000), final(ONE))
    transcript.played(1_500)
    assert transcript.expire() == (assistant(f"{ONE} Two fish", unconfirmed=True),)


def test_at_the_end_final_texts_alone_are_confirmed() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 1_000), final(ONE))
    assert transcript.expire() == (assistant(ONE),)


def test_nothing_is_left_of_an_empty_record() -> None:
    assert record().expire() == ()
    transcript = record()
    fed(transcript, plan(1, ONE))
    assert transcript.expire() == ()


# --- live ------------------------------------------------------------------------------------


def test_the_live_text_follows_the_voice() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 24_000), SpeechEnded("a1", PARTIAL), plan(2, TWO))
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "", f"{ONE} {TWO}"),)
    transcript.played(12_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "One fish", f"swims here. {TWO}"),)
    transcript.played(24_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, ONE, TWO),)


def test_the_live_text_does_not_run_ahead_of_speech_that_still_arrives() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 2_400))
    transcript.played(2_400)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "", ONE),)
    fed(transcript, SpeechEnded("a1", PARTIAL))
    assert transcript.live() == (LivePiece(Role.ASSISTANT, ONE, ""),)


def test_nothing_after_the_first_unheard_word_counts_as_spoken() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), plan(2, TWO), sound(1, 24_000), SpeechEnded("a1", PARTIAL), final(TWO))
    transcript.played(12_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "One fish", f"swims here. {TWO}"),)


def test_a_plan_in_pieces_is_one_text() -> None:
    transcript = record()
    fed(transcript, plan(1, "One "), plan(1, "fish."))
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "", "One fish."),)


def test_a_finished_turn_shows_until_it_is_stored() -> None:
    transcript = record()
    fed(transcript, UserTextReceived("u", "hello"), plan(1, ONE))
    assert transcript.live() == (LivePiece(Role.USER, "hello"), LivePiece(Role.ASSISTANT, "", ONE))
    transcript.stored("id1")
    transcript.stored("id1")
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "", ONE),)
    fed(transcript, final(ONE), TurnEnded())
    assert transcript.live() == (LivePiece(Role.ASSISTANT, ONE),)
    transcript.stored("id2")
    assert transcript.live() == ()


def test_a_count_that_begins_anew_means_the_newest_answer() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 24_000), final(ONE), TurnEnded())
    transcript.played(24_000)
    fed(transcript, plan(2, TWO), sound(2, 24_000), SpeechEnded("a2", PARTIAL))
    transcript.played(12_000)
    assert transcript.live()[-1] == LivePiece(Role.ASSISTANT, "Two fish", "swim there.")


def test_a_count_may_begin_anew_after_an_answer_without_speech() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 24_000), final(ONE), TurnEnded())
    transcript.played(24_000)
    fed(transcript, final("Silent."), TurnEnded(), plan(2, TWO), sound(2, 24_000), SpeechEnded("a2", PARTIAL))
    transcript.played(12_000)
    assert transcript.live()[-1] == LivePiece(Role.ASSISTANT, "Two fish", "swim there.")


def test_a_count_that_has_run_before_is_corrected() -> None:
    transcript = record()
    transcript.played(1_000_000)
    fed(transcript, plan(1, ONE), sound(1, 24_000), SpeechEnded("a1", PARTIAL))
    transcript.played(1_012_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "One fish", "swims here."),)


def test_a_first_count_beyond_everything_received_starts_at_nothing() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 24_000), SpeechEnded("a1", PARTIAL))
    transcript.played(1_000_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "", ONE),)
    transcript.played(1_012_000)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, "One fish", "swims here."),)


def test_a_few_samples_too_many_do_not_matter() -> None:
    transcript = record()
    fed(transcript, plan(1, ONE), sound(1, 24_000), SpeechEnded("a1", PARTIAL))
    transcript.played(24_100)
    assert transcript.live() == (LivePiece(Role.ASSISTANT, ONE),)


# --- properties ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sentence:
    """A sentence of the service: with or without plan, speech, FINAL text."""

    text: str
    planned: bool
    samples: int
    confirmed: bool


WORDS = ("ash", "birch", "cedar", "elm", "fir")


@st.composite
def scripts(draw: st.DrawFn) -> list[SessionEvent | int]:
    """Return what the service tells, with counts of played samples (int) between."""
    told: list[SessionEvent | int] = []
    number = 0
    played = 0
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            told.append(UserTextReceived("u", f"user {number}"))
        late: list[SessionEvent] = []
        for _ in range(draw(st.integers(0, 3))):
            number += 1
            text = f"{draw(st.sampled_from(WORDS))} {number} speaks."
            if draw(st.integers(0, 9)):
                told.append(plan(number, text))
            if draw(st.integers(0, 9)):
                told.append(sound(number, draw(st.integers(1, 50_000))))
            if draw(st.booleans()):
                played += draw(st.integers(0, 30_000))
                told.append(played)
            late.append(final(text))
            if draw(st.booleans()):
                told += late
                late = []
        keep = draw(st.sampled_from(["all", "some", "after"]))
        if keep == "all":
            told += late
        ending = draw(st.sampled_from([TurnEnded(), Interrupted(), None]))
        if ending is not None:
            told.append(ending)
        if isinstance(ending, Interrupted):
            played = 0
        if keep == "after":
            told += late
    return told


@given(scripts())
def test_no_final_text_is_lost_or_doubled_and_no_plan_is_passed_off_as_said(script: list[SessionEvent | int]) -> None:
    transcript = record()
    kept: dict[str, TurnText] = {}
    for step in script:
        if isinstance(step, int):
            transcript.played(step)
            continue
        for turn in transcript.feed(step):
            kept[turn.turn_id] = turn
        for piece in transcript.live():
            assert piece.spoken == piece.spoken.strip()
    for turn in transcript.expire():
        kept[turn.turn_id] = turn
    finals = [step.text for step in script if isinstance(step, TextSpoken)]
    assistants = [turn for turn in kept.values() if turn.role is Role.ASSISTANT]
    everything = " ".join(turn.text for turn in assistants)
    for text in finals:
        assert everything.count(text) == 1
    for turn in assistants:
        rest = turn.text
        for text in finals:
            rest = rest.replace(text, "")
        assert turn.unconfirmed or not rest.strip()
        assert turn.text == turn.text.strip()
        assert turn.text
        assert turn.heard_chars is None or 0 <= turn.heard_chars < len(turn.text)
        assert turn.heard_chars is None or turn.interrupted
    assert [t.text for t in kept.values() if t.role is Role.USER] == [
        s.text for s in script if isinstance(s, UserTextReceived)
    ]


@given(scripts())
def test_what_is_live_grows_only_towards_spoken(script: list[SessionEvent | int]) -> None:
    transcript = record()
    for step in script:
        if isinstance(step, int):
            before = [len(piece.spoken) for piece in transcript.live()]
            transcript.played(step)
            after = [len(piece.spoken) for piece in transcript.live()]
            assert all(new >= old for old, new in zip(before, after, strict=True))
        else:
            transcript.feed(step)


# --- voice and tools -------------------------------------------------------------------------


def tool(name: str) -> ToolRequested:
    return ToolRequested("t", name, "{}")


def test_an_answer_has_the_voice_and_the_tools_asked_for_before_and_within_it() -> None:
    record = Transcript(new_id=ids(), tools=("earlier",))
    record.voice = "tiffany"
    said = UserTextReceived("u", "what time is it")
    turns = fed(record, said, tool("clock"), tool("clock"), plan(1, ONE), tool("sums"), final(ONE), TurnEnded())
    assert [(turn.voice, turn.tools) for turn in turns] == [("", ()), ("tiffany", ("earlier", "clock", "sums"))]
    assert record.unused_tools == ()
    (later,) = fed(record, plan(2, TWO), final(TWO), TurnEnded())
    assert (later.voice, later.tools) == ("tiffany", ())


def test_what_no_tool_can_be_called_is_not_noted() -> None:
    record = Transcript(new_id=ids())
    fed(record, *(tool(name) for name in ("", "two words", "a\nb", "x" * 65, "\ud800")))
    assert record.unused_tools == ()


@given(st.lists(st.sampled_from(["a", "b", "answer", "stop"]), max_size=12))
def test_every_tool_is_told_once_with_the_answer_it_came_before_or_within(steps: list[str]) -> None:
    record = Transcript(new_id=ids())
    expected: list[tuple[str, ...]] = []
    asked: dict[str, None] = {}
    told: dict[str, TurnText] = {}
    for step in steps:
        events = [plan(len(told), ONE), sound(len(told), 10), final(ONE), TurnEnded()] if step == "answer" else []
        told |= {turn.turn_id: turn for turn in fed(record, *events)}
        if step == "answer":
            expected.append(tuple(asked))
            asked.clear()
        elif step == "stop":
            told |= {turn.turn_id: turn for turn in record.stop()}
        else:
            fed(record, tool(step))
            asked[step] = None
    assert [turn.tools for turn in told.values()] == expected
    assert record.unused_tools == tuple(asked)
