from hypothesis import given
from hypothesis import strategies as st

from novadesk.server.frames import PREFACE, GoawayFilter

_GOAWAY = 7


def frame(kind, payload):
    return len(payload).to_bytes(3) + bytes([kind, 0]) + (1).to_bytes(4) + payload


_FRAMES = st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=60)), max_size=8)


@given(_FRAMES, st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_all_but_goaway_passes_in_order_whatever_the_pieces(frames, sizes):
    wire = PREFACE + b"".join(frame(*each) for each in frames)
    kept = PREFACE + b"".join(frame(*each) for each in frames if each[0] != _GOAWAY)
    goaway_filter, passed, at = GoawayFilter(), b"", 0
    while at < len(wire):
        size = sizes[at % len(sizes)]
        passed += goaway_filter.feed(wire[at : at + size])
        at += size
    assert passed == kept
    assert goaway_filter.leaving == any(kind == _GOAWAY for kind, _ in frames)


def test_a_frame_that_is_too_long_is_noticed_before_it_has_come():
    goaway_filter = GoawayFilter()
    assert goaway_filter.feed(PREFACE + frame(4, b"") + frame(0, bytes(20_000))[:9]) == PREFACE + frame(4, b"")
    assert goaway_filter.oversized
    assert goaway_filter.feed(b"more") == b""
