"""How much of a text was heard: within one word, on a voice whose every word has a known time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.protocol.events import StopReason
from novadesk.protocol.heard import heard_length
from novadesk.protocol.session_events import Interrupted, SpeechEnded, SpeechReceived, TextPlanned, TextSpoken
from novadesk.protocol.transcript import Transcript

RATE_HZ = 24_000
CHUNK = 9_600

# When each word ends, in seconds, and the length of the speech: festival, cmu_us_slt_arctic.
SCRIPT: tuple[tuple[str, tuple[float, ...], float], ...] = (
    (
        "Of course, here it is, told in a few words.",
        (0.29, 0.77, 1.075, 1.185, 1.48, 1.87, 1.99, 2.035, 2.3, 2.785),
        2.845,
    ),
    (
        "The lighthouse at the end of the bay was built in eighteen twelve, after three ships, all of them full of "
        "grain, had been lost in one night.",
        (
            *(0.235, 0.85, 1.01, 1.13, 1.33, 1.43, 1.515, 1.91, 2.23, 2.49, 2.605, 3.09, 3.7, 4.07, 4.31, 4.735, 5.01),
            *(5.105, 5.32, 5.615, 5.72, 6.16, 6.47, 6.67, 7.05, 7.195, 7.39, 7.66),
        ),
        7.76,
    ),
    ("No.", (0.465,), 0.67),
)


def heard_words(at_s: float, *, confirmed: bool) -> int:
    """Return how many words the record says were heard when the answer is cut at this time."""
    transcript = Transcript()
    transcript.played(0)
    begin_s = 0.0
    for number, (text, _, length_s) in enumerate(SCRIPT):
        transcript.feed(TextPlanned(f"plan {number}", text))
        samples = round(length_s * RATE_HZ)
        for start in range(0, samples, CHUNK):
            transcript.feed(SpeechReceived(f"speech {number}", bytes(2 * min(CHUNK, samples - start))))
        transcript.feed(SpeechEnded(f"speech {number}", StopReason.PARTIAL_TURN))
        if confirmed and begin_s <= at_s:  # the service confirms a sentence that it has begun to say
            transcript.feed(TextSpoken(f"final {number}", text, StopReason.PARTIAL_TURN))
        begin_s += length_s
    transcript.played(round(at_s * RATE_HZ))
    turns = transcript.feed(Interrupted())
    return len(turns[-1].text[: turns[-1].heard_chars].split()) if turns else 0


def spoken_words(at_s: float) -> int:
    """Return how many words of the script were spoken by then, to their middle at least."""
    count, begin_s = 0, 0.0
    for _, ends_s, length_s in SCRIPT:
        begins_s = (0.0, *ends_s[:-1])
        middles_s = [(first + last) / 2 for first, last in zip(begins_s, ends_s, strict=True)]
        count += sum(begin_s + middle <= at_s for middle in middles_s)
        begin_s += length_s
    return count


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_was_heard_of_a_spoken_script_is_told_within_one_word(confirmed: bool) -> None:
    length_s = sum(length for _, _, length in SCRIPT)
    cuts_s = [at * 0.05 for at in range(int(length_s / 0.05))]
    off = [heard_words(at_s, confirmed=confirmed) - spoken_words(at_s) for at_s in cuts_s]
    assert {*off} <= {-1, 0, 1}
    assert off.count(0) >= 0.6 * len(off), "most cuts hit the very word"


@pytest.mark.parametrize(
    ("text", "share", "expected"),
    [
        ("one two", 0.0, ""),
        ("one two", 0.5, "one"),
        ("one two", 0.99, "one two"),
        ("no", 0.1, ""),
        ("no", 0.9, "no"),
        ("今日は良い", 0.4, "今日"),
        ("", 0.5, ""),
    ],
)
def test_a_cut_lies_at_the_end_of_a_word(text: str, share: float, expected: str) -> None:
    assert text[: heard_length(text, share)] == expected


def test_a_text_that_the_service_cut_is_heard_whole_once_its_part_of_the_speech_was_played() -> None:
    planned = "One two three four five six seven eight nine ten."
    assert heard_length("One two three", 0.5, planned) == len("One two three")
    assert heard_length("One two three", 0.1, planned) < len("One two three")


@given(st.text("ab ,.ü今", max_size=40), st.text("ab ,.", max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_no_more_than_the_text_is_heard_and_never_less_for_a_longer_listening(
    text: str, planned: str, one: float, other: float
) -> None:
    shorter, longer = sorted((one, other))
    assert 0 <= heard_length(text, shorter, planned) <= heard_length(text, longer, planned) <= len(text)
