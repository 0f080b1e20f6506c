"""One answer of the assistant as it grows: planned texts, speech and FINAL texts, paired into pieces."""

from dataclasses import dataclass, field

from novadesk.protocol.heard import heard_length
from novadesk.protocol.pairing import match

_FASTEST_SAMPLES_PER_CHARACTER = 1_200
"""24 kHz samples of a character at 20 characters a second, faster than any of the voices: the least that a sentence
whose speech is still arriving will take. It keeps the live text from running ahead of the voice."""


@dataclass(slots=True)
class _Segment:
    """Speech in a row on the playout timeline, in samples."""

    start: int
    samples: int

    def heard(self, position: int) -> int:
        """Return the samples before the playout position."""
        return min(max(position - self.start, 0), self.samples)


@dataclass(slots=True)
class _Piece:
    """A planned text, the speech after it, and the FINAL texts that confirm it; any of the three may be absent."""

    plans: dict[str, str] = field(default_factory=dict)
    finals: list[str] = field(default_factory=list)
    audio_ids: set[str] = field(default_factory=set)
    segments: list[_Segment] = field(default_factory=list)
    received: int = 0
    heard: int = 0
    audio_open: bool = False

    @property
    def plan(self) -> str:
        """Return the planned text."""
        return " ".join(text.strip() for text in self.plans.values())

    @property
    def final(self) -> str:
        """Return the FINAL text."""
        return " ".join(self.finals)

    @property
    def share(self) -> float:
        """Return the share of the speech received so far that was played; FINAL text without speech counts as heard."""
        if not self.received:
            return 1.0 if self.finals else 0.0
        return self.heard / self.received

    @property
    def live_share(self) -> float:
        """Return the share played of the speech expected, while it is still arriving."""
        if not self.audio_open:
            return self.share
        return self.heard / max(self.received, len(self.plan) * _FASTEST_SAMPLES_PER_CHARACTER, 1)

    def absorb(self, other: "_Piece") -> None:
        """Take over a piece that the same FINAL text stands for."""
        self.plans |= other.plans
        self.audio_ids |= other.audio_ids
        self.segments += other.segments
        self.received += other.received
        self.heard += other.heard
        self.audio_open |= other.audio_open


class Answer:
    """One turn of the assistant.

    Attributes:
        turn_id: identity of the turn.
        interrupted: the user spoke over it, or the person stopped it.
        muted: playback was stopped for good: speech that still arrives is never heard.
        forgone: it was so before anything of it had come: nothing of it is heard.
        whole: the service has told its last FINAL text, or broken off: its FINAL texts are what was said.
        tools: what the model asked for on the way to it.
    """

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        self.interrupted = False
        self.muted = False
        self.forgone = False
        self.whole = False
        self.tools: tuple[str, ...] = ()
        self._pieces: list[_Piece] = []
        self._position = 0

    @property
    def empty(self) -> bool:
        """Return whether nothing of it has come."""
        return not self._pieces

    # --- growing -----------------------------------------------------------------------------

    def plan(self, content_id: str, text: str) -> None:
        """Take planned text; the same `content_id` again continues it."""
        for piece in self._pieces:
            if content_id in piece.plans:
                piece.plans[content_id] += text
                return
        self._pieces.append(_Piece(plans={content_id: text}))

    def hear(self, content_id: str, samples: int, start: int) -> None:
        """Take speech that begins at `start` on the playout timeline."""
        piece = self._piece_of_audio(content_id)
        piece.received += samples
        if self.muted:
            return
        if piece.segments and piece.segments[-1].start + piece.segments[-1].samples == start:
            piece.segments[-1].samples += samples
        else:
            piece.segments.append(_Segment(start, samples))

    def end_audio(self, content_id: str) -> None:
        """Note that a block of speech is complete."""
        for piece in self._pieces:
            if content_id in piece.audio_ids:
                piece.audio_open = False

    def confirm(self, text: str, *, last: bool) -> None:
        """Take a FINAL text; `last`: the service says that none follows."""
        owing = self._owing()
        found = match([piece.plan for piece in owing], text)
        chosen = owing[:1] if found is None else [owing[index] for index in found]
        if not chosen:
            chosen = self._pieces[-1:] or [_Piece()]
        first, *rest = chosen
        if not self._pieces:
            self._pieces.append(first)
        for piece in rest:
            first.absorb(piece)
            self._pieces.remove(piece)
        first.finals.append(text)
        self.whole |= last and bool(self._pieces[-1].finals)

    def resembles(self, text: str) -> bool:
        """Tell whether a FINAL text resembles one that is planned and not confirmed yet."""
        return match([piece.plan for piece in self._owing()], text) is not None

    def owes(self) -> bool:
        """Tell whether FINAL texts may still come."""
        return bool(self._owing())

    def grows(self) -> bool:
        """Tell whether more of it may be heard that no FINAL text stands for."""
        return not self.whole and any(
            segment.heard(self._position) < segment.samples for piece in self._owing() for segment in piece.segments
        )

    # --- playing -----------------------------------------------------------------------------

    def hear_until(self, position: int) -> None:
        """Note how far the playout timeline was played."""
        self._position = position

    def first_sample(self) -> int | None:
        """Return where this answer begins on the playout timeline; None when nothing of it is on it."""
        return min((segment.start for piece in self._pieces for segment in piece.segments), default=None)

    def cut_off(self) -> bool:
        """Freeze what was heard: the timeline ends here. Return whether speech remained unplayed."""
        remained = False
        for piece in self._pieces:
            heard = sum(segment.heard(self._position) for segment in piece.segments)
            remained |= heard < sum(segment.samples for segment in piece.segments)
            piece.heard += heard
            piece.segments.clear()
        self.interrupted |= remained
        self._position = 0
        return remained

    # --- telling -----------------------------------------------------------------------------

    def record(self) -> tuple[str, int | None, bool]:
        """Return the text to keep, how many of its characters were heard (None: all), and whether it is unconfirmed.

        FINAL texts are kept whole. Planned text is kept where it was heard and its FINAL text may still come.
        """
        with_planned = not (self.whole and any(piece.finals for piece in self._pieces))
        parts: list[str] = []
        heard_chars: int | None = None
        unconfirmed = False
        for piece in map(self._settled, self._pieces):
            text = piece.final
            if not piece.finals:
                text = piece.plan[: heard_length(piece.plan, piece.share)] if with_planned else ""
                unconfirmed |= bool(text)
            elif heard_chars is None and (heard := heard_length(text, piece.share, piece.plan)) < len(text):
                heard_chars = self._heard_before(parts, heard)
            if text:
                parts.append(text)
        return " ".join(parts), heard_chars, unconfirmed

    def split(self) -> tuple[str, str]:
        """Return the text that was played and the text that is still to be played."""
        spoken: list[str] = []
        planned: list[str] = []
        for piece in map(self._settled, self._pieces):
            text = piece.final if piece.finals else piece.plan
            cut = 0 if planned else heard_length(text, piece.live_share, piece.plan)
            spoken.append(text[:cut].strip())
            planned.extend([text[cut:].strip()] if text[cut:].strip() else [])
        return " ".join(filter(None, spoken)), "" if self.muted else " ".join(planned)

    # --- within ------------------------------------------------------------------------------

    def _owing(self) -> list[_Piece]:
        return [piece for piece in self._pieces if not piece.finals]

    def _piece_of_audio(self, content_id: str) -> _Piece:
        for piece in self._pieces:
            if content_id in piece.audio_ids:
                return piece
        waiting = [piece for piece in self._pieces if piece.plans and not piece.audio_ids]
        continued = [piece for piece in self._pieces[-1:] if piece.plans and not piece.finals]
        if not (waiting or continued):
            self._pieces.append(_Piece())
        piece = (waiting or self._pieces[-1:])[0]
        piece.audio_ids.add(content_id)
        piece.audio_open = True
        return piece

    def _settled(self, piece: _Piece) -> _Piece:
        heard = piece.heard + sum(segment.heard(self._position) for segment in piece.segments)
        return _Piece(
            plans=piece.plans,
            finals=piece.finals,
            received=piece.received,
            heard=heard,
            audio_open=piece.audio_open,
        )

    @staticmethod
    def _heard_before(parts: list[str], chars: int) -> int:
        before = len(" ".join(parts))
        return before + 1 + chars if parts and chars else before + chars
