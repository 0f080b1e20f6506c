"""A look at HTTP/2 frames before the state machine sees them: GOAWAY has to be kept from it.

A client may announce with GOAWAY that it will open no further stream and go on with the open ones (RFC 9113, 6.8);
the JavaScript SDK does so as soon as the response begins. `h2` closes its state machine on any GOAWAY.
"""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER_BYTES = 9
_GOAWAY = 0x07
_MAX_FRAME_BYTES = 16_384  # RFC 9113, 6.5.2: SETTINGS_MAX_FRAME_SIZE that this server leaves at its default


class GoawayFilter:
    """Passes the bytes of a client on without its GOAWAY frames.

    Attributes:
        leaving: a GOAWAY frame came.
        oversized: a frame was announced that is longer than allowed; nothing passes any more.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._preface_left = len(PREFACE)
        self.oversized = False
        self.leaving = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return those that the state machine may see, in whole frames."""
        if self.oversized:
            return b""
        self._held += data
        passed = bytearray()
        start = min(self._preface_left, len(self._held))
        passed += self._held[:start]
        self._preface_left -= start
        while not self._preface_left and len(self._held) - start >= _HEADER_BYTES:
            length = int.from_bytes(self._held[start : start + 3])
            if length > _MAX_FRAME_BYTES:
                self.oversized = True
                self._held.clear()
                return bytes(passed)
            end = start + _HEADER_BYTES + length
            if len(self._held) < end:
                break
            if self._held[start + 3] == _GOAWAY:
                self.leaving = True
            else:
                passed += self._held[start:end]
            start = end
        del self._held[:start]
        return bytes(passed)
