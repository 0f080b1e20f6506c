"""Nothing that was said is lost or counted twice, whichever connection carries it."""

from hypothesis import given
from hypothesis import strategies as st

from novadesk.protocol.envelope_numbers import Received, SentFrames

FRAMES = st.lists(st.binary(min_size=2, max_size=2), max_size=30)


def numbers(frames: SentFrames) -> list[int]:
    return [sent.sequence for sent in frames.unacknowledged()]


def test_frames_are_counted_from_one_and_kept_until_they_are_taken() -> None:
    frames = SentFrames()
    assert [frames.number(b"aa", 1.0).sequence, frames.number(b"bb", 2.0).sequence] == [1, 2]
    assert (frames.oldest_at, frames.waiting) == (1.0, 2)
    frames.acknowledge(1)
    assert (numbers(frames), frames.oldest_at) == ([2], 2.0)
    frames.acknowledge(2)
    assert (numbers(frames), frames.oldest_at) == ([], None)
    assert frames.number(b"cc", 3.0).sequence == 3


def test_who_knows_nothing_of_what_was_sent_before_goes_on_behind_it() -> None:
    frames = SentFrames()
    frames.acknowledge(40)
    assert frames.number(b"aa", 0.0).sequence == 41


def test_of_too_many_the_oldest_are_given_up_and_counted() -> None:
    frames = SentFrames(most=3)
    for _ in range(5):
        frames.number(b"aa", 0.0)
    assert (numbers(frames), frames.forgotten) == ([3, 4, 5], 2)


def test_what_is_said_again_keeps_its_number() -> None:
    frames = SentFrames()
    for pcm in (b"--", b"aa", b"bb", b"cc"):
        frames.number(pcm, 0.0)
    frames.acknowledge(1)
    frames.say_again()
    assert [frames.number(pcm, 1.0).sequence for pcm in (b"bb", b"cc", b"dd", b"bb")] == [3, 4, 5, 6]
    assert numbers(frames) == [2, 3, 4, 5, 6]


def test_what_was_taken_keeps_its_number_too_when_it_is_said_again() -> None:
    frames = SentFrames()
    for pcm in (b"--", b"aa", b"bb"):
        frames.number(pcm, 0.0)
    frames.acknowledge(3)
    frames.say_again()
    assert [frames.number(pcm, 1.0).sequence for pcm in (b"aa", b"bb", b"cc")] == [2, 3, 4]
    assert numbers(frames) == [4]


def test_silence_is_never_taken_for_what_was_said_before() -> None:
    frames = SentFrames()
    for pcm in (b"\0\0", b"aa"):
        frames.number(pcm, 0.0)
    frames.say_again()
    assert [frames.number(pcm, 1.0).sequence for pcm in (b"\0\0", b"aa")] == [3, 2]


def test_a_gateway_that_has_less_than_was_taken_is_another_process() -> None:
    frames = SentFrames()
    for _ in range(3):
        frames.number(b"aa", 0.0)
    assert not frames.resumed(0)
    frames.acknowledge(2)
    assert not frames.resumed(2)
    assert frames.resumed(0)
    assert not frames.resumed(0)
    assert numbers(frames) == [3]


def test_what_is_new_ends_what_is_said_again() -> None:
    frames = SentFrames()
    frames.number(b"aa", 0.0)
    frames.say_again()
    assert [frames.number(pcm, 1.0).sequence for pcm in (b"xx", b"aa")] == [2, 3]


@given(FRAMES, st.integers(0, 30), st.integers(0, 30))
def test_the_gateway_gets_every_frame_once(said: list[bytes], taken: int, acknowledged: int) -> None:
    """Of what was said, `taken` frames arrived and the first `acknowledged` of them are known to have."""
    taken = min(taken, len(said))
    frames = SentFrames()
    heard = [frames.number(pcm, 0.0) for pcm in said][:taken]
    frames.acknowledge(min(acknowledged, taken))
    newest = heard[-1].sequence if heard else 0
    frames.acknowledge(newest)  # the gateway tells on resumption what it has
    heard += frames.unacknowledged()
    assert [sent.pcm for sent in heard] == said
    assert [sent.sequence for sent in heard] == list(range(1, len(said) + 1))


@given(st.lists(st.integers(1, 20), max_size=40))
def test_output_is_taken_once_and_in_order(arriving: list[int]) -> None:
    received = Received()
    taken = [number for number in arriving if received.take(number)]
    assert taken == sorted(set(taken))
    assert received.newest == max([0, *arriving])


def test_what_is_owed_is_what_came_since_the_last_acknowledgement() -> None:
    received = Received()
    for number in (1, 2, 3):
        received.take(number)
    assert received.owed == 3
    assert received.acknowledged() == 3
    assert received.owed == 0
