"""What the service says on the live wire session, as the gateway's messages: every content with its begin and end."""

from collections.abc import Callable
from dataclasses import dataclass, field

from novadesk.models import Role
from novadesk.protocol.envelope_server import (
    Completed,
    ContentEnd,
    ContentStart,
    Sequenced,
    ToolUse,
    Transcript,
    Usage,
    UserSpeechEnded,
)
from novadesk.protocol.envelope_values import MAX_PCM_BYTES, ContentKind, Party, TextStage, Tokens
from novadesk.protocol.events import (
    AudioOutput,
    CompletionEnd,
    ContentType,
    OutputEnd,
    OutputEvent,
    OutputStart,
    Stage,
    StopReason,
    TextOutput,
    TokenCount,
    UserSpeechEnd,
    WireRole,
)
from novadesk.protocol.events import ToolUse as WireToolUse
from novadesk.protocol.events import Usage as WireUsage
from novadesk.protocol.fields import parse

_PIECE_CHARS = 10_000
_INTERRUPTED_MARKER = {"interrupted": True}
_KINDS = {ContentType.TEXT: ContentKind.TEXT, ContentType.AUDIO: ContentKind.AUDIO, ContentType.TOOL: ContentKind.TOOL}
_PARTIES = {WireRole.USER: Party.USER, WireRole.TOOL: Party.TOOL}
_STAGES = {Stage.SPECULATIVE: TextStage.SPECULATIVE, Stage.FINAL: TextStage.FINAL}


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound of an open content: s16le mono at 24 kHz, at most `MAX_PCM_BYTES`."""

    content_id: str
    pcm: bytes = field(repr=False)


type Output = Sequenced | Speech
"""What is told of a session in order, and kept until the client has it."""


@dataclass(slots=True)
class _Content:
    """One that has begun.

    `told`: the client knows of it. `cut`: the service said so with its marker, which is no text.
    """

    start: ContentStart
    told: bool
    half_sample: bytes = b""
    cut: bool = False


class Narrator:
    """Tells what is said; fits `conversation.ports.Observer`.

    Args:
        tell: takes each message, without its number.
        on_speech: called with the id of each piece of speech that is told, before its first sound.
    """

    def __init__(self, tell: Callable[[Output], None], on_speech: Callable[[str], None]) -> None:
        self._tell, self._on_speech = tell, on_speech
        self._open: dict[str, _Content] = {}
        self._answering = False
        self._muted = False

    @property
    def busy(self) -> bool:
        """Return whether something is being said: of it, or between two contents of an answer."""
        return bool(self._open) or self._answering

    def mute(self) -> None:
        """Drop the sound of the running answer, or of the one that is due; its texts are still told."""
        self._muted = True
        for content in list(self._open.values()):
            if content.start.kind is ContentKind.AUDIO:
                self._end(content, StopReason.INTERRUPTED)

    def unmute(self) -> None:
        """Let the next answer sound: the person has asked something else."""
        self._muted = False

    def said(self, event: OutputEvent) -> None:
        """Tell an event of the service."""
        match event:
            case OutputStart():
                self._start(event)
            case TextOutput():
                self._text(event)
            case AudioOutput():
                self._sound(event)
            case WireToolUse():
                self._content(event.content_id, ContentKind.TOOL, Party.TOOL, None)
                self._tell(
                    ToolUse(
                        content_id=event.content_id,
                        tool_name=event.tool_name,
                        tool_use_id=event.tool_use_id,
                        input=event.content,
                    )
                )
            case OutputEnd():
                self._finish(event)
            case UserSpeechEnd():
                self._tell(UserSpeechEnded())
            case WireUsage(delta=delta, total=total):
                self._tell(Usage(delta=_tokens(delta), total=_tokens(total)))
            case CompletionEnd(stop_reason=reason):
                self._tell(Completed(stop_reason=reason))
            case _:
                pass

    def link_over(self) -> None:
        """End what is open: the rest of it will not come."""
        for content in list(self._open.values()):
            self._end(content, StopReason.INTERRUPTED)
        self._answering = False

    def _start(self, event: OutputStart) -> None:
        party = _PARTIES.get(event.role, Party.ASSISTANT)
        if party is Party.USER:
            self._answering = self._muted = False
        stage = _STAGES.get(event.stage) if event.stage is not None and event.type is ContentType.TEXT else None
        self._content(event.content_id, _KINDS[event.type], party, stage)

    def _text(self, event: TextOutput) -> None:
        role = Role.USER if event.role is WireRole.USER else Role.ASSISTANT
        content = self._content(event.content_id, ContentKind.TEXT, Party(role.value), None)
        if parse(event.content) == _INTERRUPTED_MARKER:
            content.cut = True
            return
        stage = content.start.stage or TextStage.FINAL
        for at in range(0, len(event.content), _PIECE_CHARS):
            piece = event.content[at : at + _PIECE_CHARS]
            self._tell(Transcript(content_id=event.content_id, role=role, text=piece, stage=stage))

    def _sound(self, event: AudioOutput) -> None:
        content = self._content(event.content_id, ContentKind.AUDIO, Party.ASSISTANT, None)
        if not content.told:
            return
        pcm = content.half_sample + event.pcm
        whole = len(pcm) - len(pcm) % 2
        content.half_sample = pcm[whole:]
        for at in range(0, whole, MAX_PCM_BYTES):
            self._tell(Speech(event.content_id, pcm[at : min(whole, at + MAX_PCM_BYTES)]))

    def _finish(self, event: OutputEnd) -> None:
        content = self._open.get(event.content_id)
        if content is not None:
            self._end(content, StopReason.INTERRUPTED if content.cut else event.stop_reason)
        if event.type is ContentType.AUDIO and event.stop_reason is not StopReason.PARTIAL_TURN:
            self._answering = self._muted = False

    def _content(self, content_id: str, kind: ContentKind, party: Party, stage: TextStage | None) -> _Content:
        """Return an open content, begun now if the service never said so."""
        known = self._open.get(content_id)
        if known is not None:
            return known
        planned = kind is ContentKind.AUDIO or stage is TextStage.SPECULATIVE
        self._answering |= planned and party is Party.ASSISTANT
        start = ContentStart(content_id=content_id, kind=kind, role=party, stage=stage)
        content = self._open[content_id] = _Content(start, told=not (self._muted and kind is ContentKind.AUDIO))
        if content.told:
            self._tell(start)
            if kind is ContentKind.AUDIO:
                self._on_speech(content_id)
        return content

    def _end(self, content: _Content, reason: StopReason) -> None:
        start = content.start
        self._open.pop(start.content_id, None)
        if content.told:
            self._tell(ContentEnd(content_id=start.content_id, kind=start.kind, stop_reason=reason))


def _tokens(count: TokenCount) -> Tokens:
    return Tokens(
        speech_in=count.speech_in, text_in=count.text_in, speech_out=count.speech_out, text_out=count.text_out
    )
