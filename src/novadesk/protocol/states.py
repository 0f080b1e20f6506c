"""Sides, states and inputs of a wire session: the alphabet of its transition table."""

from enum import Enum, auto


class Side(Enum):
    """Which end of the wire a session is."""

    CLIENT = auto()
    SERVER = auto()


class State(Enum):
    """Where a wire session stands."""

    IDLE = auto()
    """Both: nothing was sent or received."""
    ACCEPTED = auto()
    """Client: HTTP 200 came before anything was sent."""
    STARTING = auto()
    """Client: the opening events are sent, HTTP 200 is owed."""
    STARTED = auto()
    """Server: sessionStart came."""
    PROMPTED = auto()
    """Server: promptStart came, the system prompt is owed."""
    SYSTEM_BLOCK = auto()
    """Server: a system prompt is being written."""
    READY = auto()
    """Client: HTTP 200 came, audio may open. Server: the system prompt is complete, history and audio may follow."""
    HISTORY_BLOCK = auto()
    """Server: a history message is being written."""
    ASKED_BLOCK = auto()
    """Server: interactive text is being written, audio was never open."""
    ASKED = auto()
    """Server: interactive text is complete and not answered, audio was never open."""
    ANSWERED = auto()
    """Server: interactive text was answered, audio was never open."""
    OPEN = auto()
    """Both: the audio block is open."""
    OPEN_BLOCK = auto()
    """Server: interactive text is being written while audio is open; audio frames must wait."""
    AUDIO_CLOSED = auto()
    """Server: the audio block was closed."""
    AUDIO_CLOSED_BLOCK = auto()
    """Server: interactive text is being written after audio was closed."""
    PROMPT_CLOSED = auto()
    """Server: promptEnd came, sessionEnd is owed."""
    ENDING = auto()
    """Both: sessionEnd went over the wire; the service may still speak."""
    CLOSED = auto()
    """Both: over."""


class Input(Enum):
    """What can happen to a wire session. The first word says who does it."""

    # our own commands, client side
    START = auto()
    ACCEPT = auto()
    OPEN_AUDIO = auto()
    SEND_AUDIO = auto()
    SEND_TEXT = auto()
    SEND_TOOL_RESULT = auto()
    END = auto()
    TEXT_DUE = auto()

    # our own commands, server side
    SEND = auto()
    SEND_START = auto()
    LIFE_DUE = auto()
    SILENCE_DUE = auto()

    # both sides
    LINK_CLOSED = auto()
    GOT_UNKNOWN = auto()
    GOT_MALFORMED = auto()

    # events of the service, received by the client
    GOT_COMPLETION_START = auto()
    GOT_CONTENT_START = auto()
    GOT_TEXT_OUTPUT = auto()
    GOT_AUDIO_OUTPUT = auto()
    GOT_TOOL_USE = auto()
    GOT_CONTENT_END = auto()
    GOT_USAGE = auto()
    GOT_USER_SPEECH_END = auto()
    GOT_COMPLETION_END = auto()

    # events of the client, received by the server
    GOT_SESSION_START = auto()
    GOT_PROMPT_START = auto()
    GOT_SYSTEM_START = auto()
    GOT_SPEECH_PROMPT_START = auto()
    GOT_HISTORY_START = auto()
    GOT_TYPED_START = auto()
    GOT_UNFIT_START = auto()
    GOT_AUDIO_START = auto()
    GOT_TOOL_START = auto()
    GOT_TEXT_INPUT = auto()
    GOT_AUDIO_INPUT = auto()
    GOT_TOOL_RESULT = auto()
    GOT_TEXT_END = auto()
    GOT_AUDIO_END = auto()
    GOT_TOOL_END = auto()
    GOT_STRAY_CONTENT = auto()
    GOT_STRAY_PROMPT = auto()
    GOT_PROMPT_END = auto()
    GOT_SESSION_END = auto()
