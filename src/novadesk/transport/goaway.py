"""Take GOAWAY out of the bytes before `h2` sees it.

A server may announce with GOAWAY that it takes no further stream while the open ones go on (RFC 9113, section 6.8).
`h2` shuts its state machine on any GOAWAY, which would break the one stream that matters here.
"""

from dataclasses import dataclass

import h2.exceptions

_HEAD_BYTES = 9
_GOAWAY = 0x7
_LEAST_GOAWAY_BYTES = 8
# RFC 9113, section 4.2: the largest frame while SETTINGS_MAX_FRAME_SIZE stays at its default.
_MAX_FRAME_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Goaway:
    """The server's announcement: streams above `last_stream_id` were not taken."""

    last_stream_id: int
    code: int


class GoawayFilter:
    """Cuts inbound bytes into frames; used for one connection."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> tuple[bytes, list[Goaway]]:
        """Take bytes as they come; return whole frames for `h2`, and the announcements among them.

        Raises:
            h2.exceptions.FrameTooLargeError: the server sends a frame larger than it may.
        """
        self._held += data
        passed, taken = bytearray(), []
        start = 0
        while len(self._held) - start >= _HEAD_BYTES:
            length = int.from_bytes(self._held[start : start + 3])
            if length > _MAX_FRAME_BYTES:
                # `h2` would wait for all of it before it complains; most often this is no HTTP/2 at all.
                raise h2.exceptions.FrameTooLargeError(f"a frame of {length} bytes")
            end = start + _HEAD_BYTES + length
            if len(self._held) < end:
                break
            frame = self._held[start:end]
            if frame[3] == _GOAWAY and length >= _LEAST_GOAWAY_BYTES:
                last_stream_id = int.from_bytes(frame[9:13]) & 0x7FFF_FFFF
                taken.append(Goaway(last_stream_id, int.from_bytes(frame[13:17])))
            else:
                passed += frame
            start = end
        del self._held[:start]
        return bytes(passed), taken
