"""One wire session in terms of the gateway, sans-IO: what the client's side says, and what the gateway answers.

The payloads of Nova Sonic go in and come out on one side, messages of the gateway on the other. The session at the
gateway may outlive the wire session: what the next one has to know of it is `carried`.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TypedDict

from novadesk.config import SensitivitySetting
from novadesk.models import Role
from novadesk.protocol import envelope_server as server
from novadesk.protocol import events as nova
from novadesk.protocol.codec import decode_input, encode
from novadesk.protocol.envelope import AudioFrame, ServerMessage
from novadesk.protocol.envelope_client import EndSession, History, TextInput
from novadesk.protocol.envelope_turns import WrittenTurns
from novadesk.protocol.envelope_values import Configuration, ContentKind, Line, Party, TextStage, Tokens
from novadesk.protocol.events import ContentType, Stage, StopReason, WireRole
from novadesk.protocol.transcript import TurnText

_HISTORY_CHARS = 16_000
"""Text of one `history` message: with every character escaped or of four bytes it is still below 128 KB."""

_PIECES = 64
_UNPRINTED = {code: " " for code in range(32) if chr(code) not in "\n\t"}


@dataclass(frozen=True, slots=True)
class Begin:
    """All that a session begins with is known: make one, or go on with the one there is."""

    configuration: Configuration


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of microphone sound."""

    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that comes before the sound has been said."""


type Said = Begin | Opened | Sound | History | TextInput | EndSession
"""What the client's side of a wire session means at the gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the next wire session of the same gateway session has to know.

    Attributes:
        answering: an answer was under way. Its rest is not for the next wire session, to which it would be a new one.
        asked: what was asked and not answered yet; when it is sent again, the gateway has it already.
        unsure: nothing is known of what was under way: the program has just been started.
    """

    answering: bool = False
    unsure: bool = False
    asked: tuple[str, ...] = field(default=(), repr=False)


class _Ids(TypedDict):
    """What every event of the service names."""

    session_id: str
    prompt_name: str
    completion_id: str


@dataclass(slots=True)
class _Block:
    """A text block of the client that has begun."""

    role: WireRole
    interactive: bool
    texts: list[str] = field(default_factory=list)


class Translation:
    """Translates one wire session.

    Args:
        carried: what an earlier wire session of the same gateway session left.
        turns: those that the gateway has written of that session.
    """

    def __init__(self, carried: Carried | None = None, turns: WrittenTurns | None = None) -> None:
        carried, self._turns = carried or Carried(), turns or WrittenTurns()
        self._configuration = Configuration()
        self._prompt_name = ""
        self._blocks: dict[str, _Block] = {}
        self._lines: list[Line] = []
        self._begun = False
        self._skipping, self._unsure = carried.answering, carried.unsure
        self._asked_before = list(carried.asked)
        self._asked: list[str] = []
        self._answering = False
        self._open: dict[str, ContentKind] = {}
        self._speech = ""
        self._sounded: deque[str] = deque(maxlen=_PIECES)

    @property
    def carried(self) -> Carried:
        """Return what the next wire session has to know."""
        return Carried(
            answering=self._answering or self._skipping,
            asked=(*self._asked_before, *self._asked),
            unsure=self._unsure,
        )

    def forget(self, turns: WrittenTurns) -> None:
        """Take that the gateway session is a new one: nothing was carried, and `turns` are yet to come."""
        self._skipping = self._unsure = False
        self._asked_before.clear()
        self._turns = turns

    def spoke(self, content_id: str) -> bool:
        """Return whether a piece of speech came on this wire session."""
        return content_id in self._sounded

    # --- from the client ---------------------------------------------------------------------

    def said(self, payload: bytes) -> list[Said]:
        """Return what a payload of the client's side means; most have no meaning of their own."""
        match decode_input(payload):
            case nova.SessionStart() as start:
                sensitivity = None if start.sensitivity is None else SensitivitySetting[start.sensitivity.name]
                self._configure(max_tokens=start.max_tokens, temperature=start.temperature, top_p=start.top_p)
                self._configure(sensitivity=sensitivity)
            case nova.PromptStart() as start:
                self._prompt_name = start.prompt_name
                self._configure(voice=start.voice_id, tools=bool(start.tools))
            case nova.TextStart() as start:
                self._blocks[start.content_name] = _Block(start.role, start.interactive)
            case nova.TextInput() as text if text.content_name in self._blocks:
                self._blocks[text.content_name].texts.append(text.content)
            case nova.ContentEnd() as end if end.content_name in self._blocks:
                return self._close(end.content_name, self._blocks.pop(end.content_name))
            case nova.AudioStart():
                return [*self._history(), Opened()]
            case nova.AudioInput() as audio:
                return [Sound(audio.pcm)]
            case nova.SessionEnd():
                return [EndSession(reason="user_ended")]
            case _:  # answers of tools among them: the gateway has its own
                pass
        return []

    def _configure(self, **values: object) -> None:
        self._configuration = replace(self._configuration, **values)  # type: ignore[arg-type]

    def _close(self, name: str, block: _Block) -> list[Said]:
        text = "".join(block.texts)
        if block.role is WireRole.SYSTEM and not self._begun:
            self._begun = True
            self._configure(prompt=text)
            return [Begin(self._configuration)]
        if not block.interactive:
            role = Role.USER if block.role is WireRole.USER else Role.ASSISTANT
            self._lines.append(Line(role=role, text=text.translate(_UNPRINTED)))
            return []
        self._turns.said(text)
        if text in self._asked_before:
            self._asked_before.remove(text)
            self._asked.append(text)
            return []
        self._skipping = self._unsure = self._answering = False
        self._asked.append(text)
        return [TextInput(text=text, request_id=name)]

    def _history(self) -> list[History]:
        """Return the history in messages that fit."""
        parts: list[list[Line]] = []
        room = 0
        for line in (piece for whole in self._lines for piece in _pieces(whole)):
            if len(line.text) > room:
                parts.append([])
                room = _HISTORY_CHARS
            parts[-1].append(line)
            room -= len(line.text)
        self._lines.clear()
        return [History(lines=tuple(part)) for part in parts]

    # --- from the gateway --------------------------------------------------------------------

    def heard(self, message: ServerMessage | AudioFrame) -> list[bytes | TurnText]:
        """Return the payloads of the service that a message stands for; none for those about the session itself.

        A turn that was written and not told on this wire session stands for itself.
        """
        if isinstance(message, server.Turn):
            return list(self._written(message))
        return list(self._payloads(message))

    def broken_off(self) -> list[bytes]:
        """Return the end of what is open: whoever told it is gone, and another process goes on with the session."""
        self._turns.broken_off()
        self._answering = False
        open_still, self._open = self._open, {}
        return [
            encode(
                nova.OutputEnd(
                    content_id=at, type=ContentType[kind.name], stop_reason=StopReason.INTERRUPTED, **self._ids()
                )
            )
            for at, kind in open_still.items()
        ]

    def _written(self, turn: server.Turn) -> list[TurnText]:
        if turn.role is Role.ASSISTANT and not turn.unconfirmed:
            self._skipping = self._unsure = self._answering = False
        if not self._turns.take(turn):
            return []
        return [
            TurnText(
                turn_id=turn.turn_id,
                role=turn.role,
                text=turn.text,
                interrupted=turn.interrupted,
                heard_chars=turn.heard_chars,
            )
        ]

    def _payloads(self, message: ServerMessage | AudioFrame) -> list[bytes]:
        match message:
            case server.ContentStart():
                return self._started(message)
            case server.Transcript():
                return self._transcribed(message)
            case AudioFrame(pcm=pcm) | server.AudioResponse(audio_data=pcm):
                return self._spoken(pcm)
            case server.ContentEnd():
                return self._ended(message)
            case server.UserSpeechEnded():
                return [encode(nova.UserSpeechEnd(**self._ids()))]
            case server.Usage():
                return [encode(nova.Usage(delta=_tokens(message.delta), total=_tokens(message.total), **self._ids()))]
            case server.Completed():
                self._skipping = self._unsure = self._answering = False
                return [encode(nova.CompletionEnd(stop_reason=message.stop_reason, **self._ids()))]
            case _:
                return []

    def _started(self, message: server.ContentStart) -> list[bytes]:
        if self._unsure and message.role is not Party.USER and message.stage is not TextStage.SPECULATIVE:
            self._skipping = True  # it goes on from before
        self._unsure = False
        if message.role is Party.USER:
            self._skipping = self._answering = False
        else:
            self._turns.answered()
        if self._skipping:
            return []
        self._turns.witnessed()
        if message.role is not Party.USER:
            self._turns.answered()
            self._answering = True
            self._asked.clear()
            self._asked_before.clear()
        return [self._start(message.content_id, message.kind, message.role, message.stage)]

    def _start(self, content_id: str, kind: ContentKind, role: Party, stage: TextStage | None) -> bytes:
        self._open[content_id] = kind
        if kind is ContentKind.AUDIO:
            self._speech = content_id
            self._sounded.append(content_id)
        return encode(
            nova.OutputStart(
                content_id=content_id,
                type=ContentType[kind.name],
                role=WireRole[role.name],
                stage=None if stage is None or kind is not ContentKind.TEXT else Stage[stage.name],
                **self._ids(),
            )
        )

    def _transcribed(self, message: server.Transcript) -> list[bytes]:
        made: list[bytes] = []
        party = Party[message.role.name]
        if message.content_id not in self._open:  # its beginning was told to an earlier wire session
            begun = server.ContentStart(
                content_id=message.content_id, kind=ContentKind.TEXT, role=party, stage=message.stage
            )
            if not (made := self._started(begun)):
                return []
        if message.role is Role.USER:
            self._turns.said(message.text)
            self._asked.append(message.text.strip())
        text = nova.TextOutput(
            content_id=message.content_id, role=WireRole[party.name], content=message.text, **self._ids()
        )
        return [*made, encode(text)]

    def _spoken(self, pcm: bytes) -> list[bytes]:
        made: list[bytes] = []
        if self._open.get(self._speech) is not ContentKind.AUDIO:
            begun = server.ContentStart(content_id="speech", kind=ContentKind.AUDIO, role=Party.ASSISTANT)
            if not (made := self._started(begun)):
                return []
        return [*made, encode(nova.AudioOutput(content_id=self._speech, pcm=pcm, **self._ids()))]

    def _ended(self, message: server.ContentEnd) -> list[bytes]:
        content_id = message.content_id
        if content_id not in self._open:
            # Speech that went on from an earlier wire session has no name of its own here.
            if message.kind is not ContentKind.AUDIO or self._speech not in self._open:
                return []
            content_id = self._speech
        kind = self._open.pop(content_id)
        if message.stop_reason is StopReason.INTERRUPTED:
            self._answering = False
        return [
            encode(
                nova.OutputEnd(
                    content_id=content_id,
                    type=ContentType[kind.name],
                    stop_reason=message.stop_reason,
                    **self._ids(),
                )
            )
        ]

    def _ids(self) -> _Ids:
        return _Ids(session_id="gateway", prompt_name=self._prompt_name, completion_id="gateway")


def _pieces(line: Line) -> list[Line]:
    cuts = range(0, len(line.text), _HISTORY_CHARS)
    return [Line(role=line.role, text=line.text[cut : cut + _HISTORY_CHARS]) for cut in cuts]


def _tokens(count: Tokens) -> nova.TokenCount:
    return nova.TokenCount(
        speech_in=count.speech_in, text_in=count.text_in, speech_out=count.speech_out, text_out=count.text_out
    )
