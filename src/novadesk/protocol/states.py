"""Sides, states and inputs of a wire session: the alphabet of its transition table."""

from enum import Enum, auto


class Side(Enum):
    """Which end of the wire a session is."""

    CLIENT = auto()
    SERVER = auto()


class State(Enum):
    """Where a wire session stands. A client uses the upper half, a server the lower, both the first and last two."""

    IDLE = auto()
    # client
    ACCEPTED = auto()  # HTTP 200 came before anything was sent
    STARTING = auto()  # opening events sent, HTTP 200 owed
    READY = auto()  # HTTP 200 came: audio may be opened (server: system prompt given, history may follow)
    OPEN = auto()  # the audio block is open
    # server
    STARTED = auto()  # sessionStart came
    PROMPTED = auto()  # promptStart came, system prompt owed
    SYSTEM_BLOCK = auto()
    HISTORY_BLOCK = auto()
    ASKED_BLOCK = auto()  # interactive text being written before audio is open
    ASKED = auto()  # interactive text given before audio is open, not answered yet
    ANSWERED = auto()  # the same, answered
    OPEN_BLOCK = auto()  # interactive text being written while audio is open
    AUDIO_CLOSED = auto()
    AUDIO_CLOSED_BLOCK = auto()
    PROMPT_CLOSED = auto()
    # both
    ENDING = auto()  # sessionEnd sent (server: received); the service may still speak
    CLOSED = auto()
