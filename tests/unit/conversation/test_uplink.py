"""Gate, mute, release tail and the held stretch."""

from hypothesis import given
from hypothesis import strategies as st

from novadesk.conversation.api import MicrophoneState, TalkMode
from novadesk.conversation.uplink import FRAME_BYTES, FRAME_S, Uplink

VOICE = bytes(range(256)) * 4
SILENCE = bytes(FRAME_BYTES)


def make(mode: TalkMode = TalkMode.HOLD) -> Uplink:
    uplink = Uplink(mode=mode, release_tail_s=0.2, held_s=3.0)
    uplink.present = True
    return uplink


def test_a_closed_gate_sends_silence_never_nothing() -> None:
    uplink = make()
    uplink.go_live(0.0)
    assert uplink.take(VOICE, 0.0) == SILENCE
    uplink.press()
    assert uplink.take(VOICE, 0.1) == VOICE
    uplink.release(1.0)
    assert uplink.take(VOICE, 1.19) == VOICE
    assert uplink.take(VOICE, 1.21) == SILENCE


def test_mute_wins_over_everything_and_sends_silence() -> None:
    uplink = make(TalkMode.HANDS_FREE)
    uplink.go_live(0.0)
    uplink.press()
    uplink.muted = True
    assert uplink.take(VOICE, 0.0) == SILENCE
    assert uplink.state(0.0) is MicrophoneState.MUTED


def test_what_is_said_before_the_link_is_live_is_replayed_once() -> None:
    uplink = make()
    uplink.press()
    uplink.hold()
    frames = [bytes([n]) * FRAME_BYTES for n in range(1, 6)]
    assert [uplink.take(frame, 0.0) for frame in frames] == [None] * 5
    assert uplink.go_live(0.0) == frames
    assert uplink.go_live(0.0) == frames, "until somebody has understood it, the next wire session gets it too"
    uplink.understood(10.0)
    assert uplink.go_live(0.0) == []


def test_what_was_said_since_the_key_went_down_passes_when_it_counts() -> None:
    uplink = make()
    uplink.go_live(0.0)
    frames = [bytes([n]) * FRAME_BYTES for n in range(1, 21)]
    assert {uplink.take(frame, n * FRAME_S) for n, frame in enumerate(frames)} == {SILENCE}
    assert uplink.press(since=16 * FRAME_S) == frames[16:]
    uplink.release(1.0)
    assert uplink.press(since=0.0) == [], "once"
    uplink.release(1.0)
    for muted in (False, True):
        uplink.muted = muted
        uplink.take(VOICE, 2.0)
    uplink.muted = False
    assert uplink.press(since=1.5) == [VOICE], "what is said into a muted microphone stays here"
    uplink.release(3.0)
    uplink.take(VOICE, 4.0)
    assert uplink.press() == []


def test_the_held_stretch_is_bounded_and_counts_what_it_drops() -> None:
    uplink = make()
    uplink.press()
    uplink.hold()
    most = round(3.0 / FRAME_S)
    for n in range(most + 7):
        uplink.take(n.to_bytes(2, "big") * (FRAME_BYTES // 2), 0.0)
    held = uplink.go_live(0.0)
    assert len(held) == most
    assert uplink.lost_frames == 7
    assert held[-1] == (most + 6).to_bytes(2, "big") * (FRAME_BYTES // 2)


def test_a_gated_microphone_is_not_held() -> None:
    uplink = make()
    uplink.hold()
    uplink.take(VOICE, 0.0)
    assert uplink.go_live(0.0) == []


def test_stop_forgets_everything() -> None:
    uplink = make()
    uplink.press()
    uplink.hold()
    uplink.take(VOICE, 0.0)
    uplink.stop()
    assert uplink.take(VOICE, 0.0) is None
    assert not uplink.talking
    assert uplink.go_live(0.0) == []


wishes = st.lists(
    st.sampled_from(["press", "release", "mute", "unmute", "hold", "live", "stop", "gone", "back", "frame"]),
    max_size=60,
)


@given(wishes=wishes)
def test_no_order_of_wishes_sends_a_voice_through_a_closed_gate(wishes: list[str]) -> None:
    uplink, pressed, muted, now = make(), False, False, 0.0
    released_at = float("-inf")
    for wish in wishes:
        now += 0.3
        match wish:
            case "press":
                uplink.press()
                pressed = True
            case "release":
                uplink.release(now)
                pressed = False
                released_at = now
            case "mute" | "unmute":
                muted = uplink.muted = wish == "mute"
            case "hold":
                uplink.hold()
            case "live":
                uplink.go_live(0.0)
            case "stop":
                uplink.stop()
                pressed = False
                released_at = float("-inf")
            case "gone" | "back":
                uplink.present = wish == "back"
            case _:
                sent = uplink.take(VOICE, now)
                if muted or not uplink.present or not (pressed or now < released_at + 0.2):
                    assert sent in (None, SILENCE)


def test_what_was_sent_and_not_understood_is_replayed_in_order_with_what_came_since() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    frames = [bytes([n]) * FRAME_BYTES for n in range(1, 6)]
    assert [uplink.take(frame, 0.0) for frame in frames[:3]] == frames[:3]
    uplink.hold()
    assert [uplink.take(frame, 0.0) for frame in frames[3:]] == [None, None]
    assert uplink.go_live(0.0) == frames
    assert uplink.lost_frames == 0


def test_what_was_understood_is_forgotten_but_not_what_was_never_sent() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    uplink.take(b"a" * FRAME_BYTES, 0.0)
    uplink.hold()
    uplink.take(b"b" * FRAME_BYTES, 0.0)
    uplink.understood(10.0)
    assert uplink.go_live(0.0) == [b"b" * FRAME_BYTES]


def test_frames_that_were_sent_once_are_not_lost_when_they_go() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    for _ in range(300):
        uplink.take(VOICE, 0.0)
    assert len(uplink.go_live(0.0)) == round(3.0 / FRAME_S)
    assert uplink.lost_frames == 0


def test_quiet_is_a_closed_gate_or_hands_free_silence() -> None:
    hold, free = make(), make(TalkMode.HANDS_FREE)
    assert hold.quiet(0.0, 4.0)
    hold.press()
    hold.note_level(0.0, 100.0)
    assert not hold.quiet(100.0, 4.0), "a person who holds the key may be thinking"
    free.note_level(0.5, 10.0)
    assert not free.quiet(13.9, 4.0)
    assert free.quiet(14.0, 4.0)
    free.muted = True
    assert free.quiet(10.0, 4.0)


def test_what_was_said_into_a_dead_connection_for_longer_than_is_kept_is_counted_as_lost() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    for number in range(200):
        uplink.take(VOICE, number * FRAME_S)
    now = 200 * FRAME_S
    uplink.link_lost(unheard_from=now - 5.0)
    assert uplink.lost_frames == round((5.0 - 3.0) / FRAME_S)
    uplink.link_lost(unheard_from=0.0)
    assert uplink.lost_frames == round((5.0 - 3.0) / FRAME_S), "counted once"


def test_what_was_said_into_a_dead_connection_and_is_pushed_out_before_the_next_one_is_counted_as_lost() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    for number in range(60):
        uplink.take(VOICE, number * FRAME_S)
    uplink.link_lost(unheard_from=40 * FRAME_S)
    uplink.hold()
    for number in range(60, 160):
        uplink.take(VOICE, number * FRAME_S)
    kept = uplink.go_live(160 * FRAME_S)
    assert len(kept) == round(3.0 / FRAME_S)
    assert uplink.lost_frames == 160 - 40 - len(kept), "the first forty were heard"
    for number in range(160, 200):
        uplink.take(VOICE, number * FRAME_S)
    assert uplink.lost_frames == 160 - 40 - len(kept), "the next connection has taken the others"


def test_what_is_said_on_after_the_pause_is_kept_when_the_rest_was_understood() -> None:
    uplink = make()
    uplink.press()
    uplink.go_live(0.0)
    frames = [n.to_bytes(2, "big") * (FRAME_BYTES // 2) for n in range(80)]
    for number, frame in enumerate(frames):
        uplink.take(frame, number * FRAME_S)
    uplink.understood(80 * FRAME_S)
    kept = uplink.go_live(0.0)
    assert kept == frames[-len(kept) :]
    assert len(kept) == int(1.5 / FRAME_S)


def test_hands_free_silence_is_no_loss_but_a_voice_is() -> None:
    uplink = make(TalkMode.HANDS_FREE)
    uplink.hold()
    for level, lost in ((0.001, 0), (0.2, 0), (0.001, 94)):
        uplink.note_level(level, 0.0)
        for _ in range(94):
            uplink.take(VOICE, 0.0)
        assert uplink.lost_frames == lost


def numbered(count: int) -> list[bytes]:
    return [n.to_bytes(2, "big") * (FRAME_BYTES // 2) for n in range(count)]


def test_the_pause_after_a_sentence_does_not_push_out_its_head() -> None:
    uplink = make(TalkMode.HANDS_FREE)
    uplink.go_live(0.0)
    frames = numbered(20 + 80 + 62)  # 0.6 s of quiet, 2.6 s of voice, 2 s of quiet
    for number, frame in enumerate(frames):
        uplink.note_level(0.1 if 20 <= number < 100 else 0.001, number * FRAME_S)
        assert uplink.take(frame, number * FRAME_S) == frame
    replayed = uplink.go_live(6.0)
    assert len(replayed) == round(3.0 / FRAME_S)
    assert set(frames[20:100]) <= set(replayed), "the voice, whole"
    assert replayed[-5:] == frames[-5:], "and the quiet of now"
    assert replayed == sorted(replayed)
    assert uplink.lost_frames == 0


def test_silence_after_the_key_was_let_go_pushes_out_nothing_however_much_comes_at_once() -> None:
    uplink = make()
    uplink.go_live(0.0)
    uplink.press()
    frames = numbered(60 + 80)
    for number, frame in enumerate(frames):
        if number == 60:
            uplink.release(2.0)
        uplink.note_level(0.1 if number < 60 else 0.001, 2.0)
        assert uplink.take(frame, 2.0) == frame
    uplink.link_lost(0.0)
    uplink.hold()
    assert uplink.go_live(2.1) == frames[: round(3.0 / FRAME_S)]
    assert uplink.lost_frames == 0


def test_of_what_nobody_has_heard_yet_the_newest_stays_in_one_piece() -> None:
    uplink = make(TalkMode.HANDS_FREE)
    uplink.hold()
    frames = numbered(200)
    for number, frame in enumerate(frames):
        uplink.note_level(0.1 if number < 130 else 0.001, number * FRAME_S)
        uplink.take(frame, number * FRAME_S)
    assert uplink.go_live(7.0) == frames[-round(3.0 / FRAME_S) :]


@given(
    stretches=st.lists(st.tuples(st.sampled_from(["live", "held"]), st.booleans(), st.integers(1, 60)), max_size=12),
    mode=st.sampled_from(TalkMode),
)
def test_however_voice_and_pause_alternate_nothing_is_missing_that_is_not_counted(
    stretches: list[tuple[str, bool, int]], mode: TalkMode
) -> None:
    uplink, heard, voiced, number = make(mode), set[bytes](), set[bytes](), 0
    uplink.press()
    frames = numbered(12 * 60)
    for flow, voice, count in stretches:
        if flow == "live":
            replayed = uplink.go_live(number * FRAME_S)
            assert len(replayed) <= round(3.0 / FRAME_S)
            assert replayed == sorted(replayed)
            heard.update(replayed)
        else:
            uplink.hold()
        for frame in frames[number : number + count]:
            uplink.note_level(0.1 if voice else 0.001, number * FRAME_S)
            if (sent := uplink.take(frame, number * FRAME_S)) is not None:
                heard.add(sent)
            if voice or mode is TalkMode.HOLD:
                voiced.add(frame)
            number += 1
    heard.update(uplink.go_live(number * FRAME_S))
    assert len(voiced - heard) == uplink.lost_frames
