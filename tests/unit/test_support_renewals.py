"""The checks of the renewal and kill tests find what they are there to find."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.server.runner import LocalServer
from tests.soak.test_soak import SLOPE_MB_PER_H, memory
from tests.support import renewal_verdicts as verdicts
from tests.support.kill_record import Row, check_history, check_record
from tests.support.kill_stories import activity
from tests.support.renewal_frames import (
    BLOCK_BYTES,
    FRAME_BYTES,
    AnswerBlock,
    FrameReader,
    MicFrame,
    Silence,
    Torn,
    decode_blocks,
    decode_frame,
    encode_block,
    encode_frame,
)
from tests.support.renewal_partner import NumberedPartner, SessionLog, Understood
from tests.support.renewal_person import Acts, Manner, Person
from tests.support.renewal_rig import Plan, Run, Stored
from tests.support.renewal_speaker import SpeakerModel
from tests.support.renewal_words import answered, asked

# --- marks in sound --------------------------------------------------------------------------


@given(st.integers(0, 16**6 - 1), st.integers(0, 16**4 - 1), st.integers(0, 255), st.integers(0, 255))
def test_a_frame_says_which_one_it_is(number: int, utterance: int, place: int, length: int) -> None:
    frame = MicFrame(number, utterance, place, length)
    pcm = encode_frame(frame)
    assert len(pcm) == FRAME_BYTES
    assert decode_frame(pcm) == frame


@given(st.integers(0, 400), st.integers(0, 9))
def test_a_person_who_is_stopped_lets_go_of_the_key_first(stopped_at: int, seed: int) -> None:
    acts: list[str] = []
    note = Acts(
        press=lambda: acts.append("press"),
        release=lambda: acts.append("release"),
        say=acts.append,
        note=lambda *_, **__: None,
    )
    person = Person(Manner.HOLD, seed, note)
    person.answered = lambda _: True
    person.stopped = False
    for number in range(600):
        person.stopped = number >= stopped_at
        person.frame(number)
    assert person.resting
    assert acts.count("press") == acts.count("release")
    assert len(acts) <= stopped_at // 8 * 2 + 2


@given(st.integers(0, 9_999), st.integers(32, FRAME_BYTES - 1))
def test_one_wrong_byte_tears_a_frame(number: int, at: int) -> None:
    pcm = bytearray(encode_frame(MicFrame(number)))
    pcm[at] ^= 1
    assert decode_frame(bytes(pcm)) == Torn()


def test_frames_are_found_however_they_are_cut() -> None:
    frames = [MicFrame(1), MicFrame(2, 1, 0, 9), MicFrame(3)]
    pcm = b"".join(map(encode_frame, frames)) + bytes(FRAME_BYTES)
    reader = FrameReader()
    found = [frame for start in range(0, len(pcm), 300) for frame in reader.feed(pcm[start : start + 300])]
    assert found == [*frames, Silence()]


def test_a_block_says_which_one_it_is() -> None:
    blocks = [AnswerBlock(7, 3, index, 4) for index in range(4)]
    assert decode_blocks(b"".join(map(encode_block, blocks))) == blocks
    assert decode_blocks(bytes(BLOCK_BYTES)) == [Torn()]


# --- the speaker -----------------------------------------------------------------------------


def answer(first: int, last: int, count: int = 10) -> bytes:
    return b"".join(encode_block(AnswerBlock(1, 0, index, count)) for index in range(first, last + 1))


def test_the_speaker_notes_where_it_ran_dry() -> None:
    speaker = SpeakerModel()
    speaker.play(answer(0, 4), 0, 10.0)  # lasts until 10.1
    speaker.play(answer(5, 9), 0, 10.15)
    (playing,) = speaker.all()
    assert [(block, round(due, 3), came) for block, due, came in playing.gaps] == [(5, 10.1, 10.15)]
    assert (playing.blocks, playing.holes, playing.cut) == (10, [], 0)
    assert speaker.played(10.2) == 24_000 * 150 // 1_000


def test_the_speaker_notes_what_never_came_and_what_was_silenced() -> None:
    speaker = SpeakerModel()
    speaker.play(answer(0, 1), 0, 10.0)
    speaker.play(answer(4, 9), 0, 10.01)
    speaker.flush(1, 10.06)
    speaker.play(answer(0, 9), 0, 10.07)  # of an older generation
    (playing,) = speaker.all()
    assert (playing.holes, playing.cut, playing.blocks) == ([(1, 4)], 5, 8)
    assert speaker.played(10.1) == 0


# --- verdicts on a run -----------------------------------------------------------------------


def exchange(number: int, first: int) -> list[dict[str, Any]]:
    return [{"at": 0.0, "type": "spoken", "utterance": number, "first": first, "last": first + 9}]


def made_run(**given: Any) -> Run:
    """Return a run of two exchanges over two wire sessions in which all is well."""
    plan = Plan(name="made", manner=Manner.HANDS_FREE, duration_s=1.0)
    partner = NumberedPartner(hasty=False)
    said = [asked(1), answered(1)]
    partner.sessions = [
        SessionLog(
            number=0,
            began=0.0,
            history=[],
            runs=[[0, 60]],
            understood=[Understood(utterance=1, at=0.5, context=[])],
            sent=[(1, 0, 0.6)],
        ),
        SessionLog(
            number=1,
            began=2.0,
            history=said,
            runs=[[50, 99]],
            understood=[Understood(utterance=2, at=2.5, context=said)],
            sent=[(2, 0, 2.6), (2, 5, 2.7)],
        ),
    ]
    played = [
        {"at": 1.0, "type": "played", "answer": number, "session": number - 1, "count": 10, "blocks": 10, "cut": 0}
        | {"holes": [], "gaps": [], "torn": 0}
        for number in (1, 2)
    ]
    rows = [*exchange(1, 20), *exchange(2, 70), *played, {"at": 3.0, "type": "end", "captured": 100}]
    texts = [*said, asked(2), answered(2)]
    stored = [
        Stored(
            id=text,
            role="user" if "utterance" in text else "assistant",
            text=text,
            interrupted=False,
            unconfirmed=False,
            wire_session="",
        )
        for text in texts
    ]
    remote = [(turn.id, turn.text) for turn in stored]
    values = {"rows": rows, "stored": stored, "remote": remote, "most_open": 2} | given
    return Run(plan=plan, server=cast(LocalServer, None), partner=partner, **values)


def all_wrong(run: Run) -> list[str]:
    return [
        *verdicts.holes(run, verdicts.captured(run)),
        *verdicts.overlaps(run),
        *verdicts.turns(run),
        *verdicts.answers(run),
        *verdicts.context(run),
        *verdicts.sessions(run, renewals=1),
    ]


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert all_wrong(made_run()) == []


def test_a_hole_is_found() -> None:
    run = made_run()
    run.sessions[1].runs = [[62, 99]]
    assert all_wrong(run) == ["1 frames were heard by nobody: 61-61"]


def test_too_much_heard_twice_is_found() -> None:
    run = made_run(rows=[{"at": 0.0, "type": "end", "captured": 300}])
    run.sessions[0].runs, run.sessions[1].runs = [[0, 200]], [[100, 299]]
    assert verdicts.overlaps(run) == ["session 1 heard 101 frames that others had heard"]


def test_frames_out_of_order_are_found() -> None:
    run = made_run()
    run.sessions[1].runs = [[61, 99], [50, 60]]
    assert [line[:41] for line in verdicts.overlaps(run)] == ["session 1 heard frames twice or out of or"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([asked(1), answered(1), asked(2), answered(2), answered(2)], "too often"),
        ([asked(1), answered(1), asked(2)], "is not stored"),
        ([asked(2), answered(1), asked(1), answered(2)], "another order"),
        ([asked(1), answered(1), asked(2) + " in part", answered(2)], "too often"),
    ],
)
def test_a_record_that_is_not_what_was_said_is_found(texts: list[str], words: str) -> None:
    stored = [
        Stored(id=str(at), role="", text=text, interrupted=False, unconfirmed=False, wire_session="")
        for at, text in enumerate(texts)
    ]
    run = made_run(stored=stored, remote=[(turn.id, turn.text) for turn in stored])
    assert words in " ".join(verdicts.turns(run))


def test_a_remote_store_that_differs_is_found() -> None:
    run = made_run()
    run.remote.pop()
    assert "remote store" in " ".join(verdicts.turns(run))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blocks": 9}, "9 of 10 blocks came"),
        ({"holes": [(3, 5)]}, "holes"),
        ({"cut": 2}, "the last 2 blocks were silenced"),
        ({"gaps": [(5, 2.75, 2.80)]}, "50 ms without sound before block 5"),
        ({"answer": 1}, "answer 1 was played 2 times"),
    ],
)
def test_an_answer_that_was_not_heard_whole_is_found(change: dict[str, Any], words: str) -> None:
    run = made_run()
    run.of("played")[1].update(change)
    assert words in " ".join(verdicts.answers(run))


def test_only_a_wire_session_at_its_end_may_leave_an_answer_unconfirmed() -> None:
    run = made_run()
    run.stored[1].unconfirmed = True
    lines = "2026-01-02 10:00:{} INFO    some.module: link {} is {}\n"
    opened = lines.format("00,000", 1, "open") + lines.format("00,010", 1, "live") + lines.format("03,000", 2, "open")
    run.app_log = opened + lines.format("03,009", 2, "live")
    assert verdicts.answers(run) == ["answer 1 was cut off though no renewal was forced"]
    run.app_log = opened + lines.format("03,197", 2, "live")
    assert verdicts.answers(run) == ["1 of 1 renewals were forced"]


def test_a_gap_that_the_service_or_the_computer_made_counts_for_nothing() -> None:
    run = made_run()
    run.of("played")[1].update({"gaps": [(5, 2.60, 2.71)]})  # sent at 2.70
    assert verdicts.answers(run) == []
    run.of("played")[1].update({"gaps": [(5, 2.71, 2.80)]})
    assert verdicts.answers(run) != []
    run.starved.append((2.70, 2.79, 0.08))
    assert verdicts.answers(run) == []


def test_a_model_that_was_told_wrong_or_too_little_is_found() -> None:
    run = made_run()
    run.sessions[1].history = [asked(1)]
    run.sessions[1].understood[0].context = [asked(1)]
    assert "session 1 answered 2 knowing 1 of 2 lines" in " ".join(verdicts.context(run))
    run.sessions[1].history = [answered(1), asked(1)]
    assert "was told what was not said so" in " ".join(verdicts.context(run))


def test_too_many_sessions_and_too_few_renewals_are_found() -> None:
    assert len(verdicts.sessions(made_run(most_open=3), renewals=2)) == 2
    ended = "INFO novadesk.conversation.driver: link 3 ended: service.session_limit"
    assert verdicts.sessions(made_run(app_log=ended), renewals=1) == [ended]


def outage_run(*down_s: float, holes: Sequence[range] = (), told_s: float = 0.0) -> Run:
    """Return a run of 1,000 frames, all spoken, with an outage every 8 s, the first one after 4 s."""
    end = {"at": 32.0, "type": "end", "captured": 1_000, "lost_s": told_s}
    spoken = {"at": 31.968, "type": "spoken", "utterance": 1, "first": 0, "last": 999}
    notices = {"at": 32.0, "type": "notices", "notices": ["Back after 4 s. 2 s of what you said were lost."]}
    run = made_run(rows=[spoken, notices, end])
    cuts = [4.0 + 8.0 * number for number in range(len(down_s))]
    run.strikes = [(cut, cut + 0.5) for cut in cuts]
    begun = [0.0, *(cut + seconds for cut, seconds in zip(cuts, down_s, strict=True))]
    run.partner.sessions = [SessionLog(number=number, began=at, history=[]) for number, at in enumerate(begun)]
    lost = {number for hole in holes for number in hole}
    run.sessions[0].runs = [[number, number] for number in range(1_000) if number not in lost]
    return run


IN_FIRST, IN_SECOND = range(130, 160), range(380, 410)  # 4.2 s and 12.2 s after the beginning


def test_outages_that_lose_nothing_or_tell_what_they_lost_are_well() -> None:
    assert verdicts.outages(outage_run(1.0, 2.0), short=True) == []
    assert verdicts.outages(outage_run(4.0, holes=[IN_FIRST], told_s=0.96)) == []


def test_a_long_outage_excuses_no_short_one() -> None:
    assert verdicts.outages(outage_run(1.0, 4.0, holes=[IN_SECOND], told_s=0.96), short=True) == []
    assert verdicts.outages(outage_run(1.0, 4.0, holes=[IN_FIRST], told_s=0.96)) == [
        "30 frames spoken were lost in an outage of 1.0 s: 130-159"
    ]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (outage_run(4.0, 4.0), "none of 2 outages was short enough"),
        (outage_run(1.0, 9.0), "came back 8.5 s after"),
        (outage_run(4.0, holes=[range(10, 40)], told_s=0.96), "30 frames spoken were lost before there was an outage"),
        (outage_run(4.0, holes=[range(120, 180)]), "1.92 s in all were lost, 0.00 s are told of"),
    ],
)
def test_an_outage_that_does_harm_is_found(run: Run, words: str) -> None:
    assert words in " ".join(verdicts.outages(run, short=True))


def test_the_growth_of_memory_is_measured() -> None:
    rows = [{"at": float(at), "type": "memory", "rss_kb": 100_000 + at} for at in range(0, 1_800, 2)]
    slope = verdicts.slope_mb_per_h(made_run(rows=rows))
    assert slope == pytest.approx(3_600 / 1_024)
    assert verdicts.slope_mb_per_h(made_run(rows=rows[:60])) is None


def test_a_growth_of_memory_that_was_not_measured_is_wrong_like_one_too_great() -> None:
    assert memory(SLOPE_MB_PER_H) == []
    assert memory(SLOPE_MB_PER_H + 0.5) == ["memory grows by 1.5 MB/h"]
    assert memory(None) != []


# --- verdicts on a kill ----------------------------------------------------------------------


def row(position: int, text: str, role: str = "user") -> Row:
    return Row(id=text, position=position, role=role, text=text, heard=text, unconfirmed=False)


KEPT = [row(0, "question 1"), row(1, answered(1), "assistant"), row(2, "question 2")]
SHOWN = {"question 1": "question 1", answered(1): answered(1)}


def test_a_record_that_survived_is_good() -> None:
    assert check_record(KEPT, SHOWN, ["question 1", "question 2"]) == []
    assert check_record(KEPT, SHOWN, ["question 1", "question 2", "question 3"]) == []


@pytest.mark.parametrize(
    ("rows", "asked", "words"),
    [
        (KEPT[:1], ["question 1"], "was shown as final and is lost"),
        ([*KEPT, Row("x", 3, "user", "question 2", "question 2", False)], ["question 2"], "stored 2 times"),
        (KEPT, ["question 1", "question 3", "question 4"], "'question 3' was asked before the last question"),
        ([KEPT[0], KEPT[1], row(3, "question 2")], ["question 2"], "holes"),
    ],
)
def test_a_record_that_lost_or_doubled_something_is_found(rows: list[Row], asked: list[str], words: str) -> None:
    assert words in " ".join(check_record(rows, SHOWN, asked))


def test_a_history_is_whole_or_lacks_only_the_question_that_is_asked_again() -> None:
    whole = [kept.heard for kept in KEPT]
    assert check_history(whole, KEPT) == check_history(whole[:2], KEPT) == []
    assert check_history(whole[1:], KEPT) != []
    assert check_history(whole[:1], KEPT) != []
    assert check_history([*whole, answered(2)], KEPT) != []


def test_the_app_is_caught_at_what_it_does() -> None:
    started = [{"type": "start"}, {"type": "started"}]
    assert activity(started[:1], two_sessions=False) == "start"
    ready = [*started, {"type": "phase", "phase": "ready"}]
    assert activity(ready, two_sessions=False) == "ready"
    assert activity(ready, two_sessions=True) == "renewing"
    assert activity([*ready, {"type": "syncing"}], two_sessions=False) == "syncing"
    assert activity([*ready, {"type": "syncing"}, {"type": "saving"}], two_sessions=False) == "saving"
    assert activity([*ready, {"type": "saving"}, {"type": "saving over"}], two_sessions=False) == "ready"
