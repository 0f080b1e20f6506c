import h2.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.transport.goaway import Goaway, GoawayFilter


def frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, 0]) + bytes(4) + payload


def goaway(last: int, code: int, debug: bytes = b"") -> bytes:
    return frame(7, last.to_bytes(4) + code.to_bytes(4) + debug)


FRAMES = st.lists(
    st.one_of(
        st.builds(frame, st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 9, 200]), st.binary(max_size=300)),
        st.builds(goaway, st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=20)),
    ),
    max_size=12,
)


@given(FRAMES, st.data())
def test_only_goaway_is_taken_however_the_bytes_come(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    gate, passed, taken = GoawayFilter(), b"", []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        some, announcements = gate.feed(stream[start:end])
        passed += some
        taken += announcements
    assert passed == b"".join(each for each in frames if each[3] != 7)
    assert taken == [Goaway(int.from_bytes(each[9:13]), int.from_bytes(each[13:17])) for each in frames if each[3] == 7]


def test_too_long_a_frame_is_refused_by_its_head() -> None:
    GoawayFilter().feed(frame(0, bytes(16_384)))
    for head in ((16_385).to_bytes(3) + bytes(6), b"HTTP/1.1 400"):
        with pytest.raises(h2.exceptions.FrameTooLargeError):
            GoawayFilter().feed(head)
