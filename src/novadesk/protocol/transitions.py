"""The transition table of a wire session: (side, state, input) to handler and next state. What is absent is illegal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from novadesk.protocol.client_rules import ClientRules
from novadesk.protocol.server_rules import ServerRules
from novadesk.protocol.states import Input, Side, State


@dataclass(frozen=True, slots=True)
class Transition:
    """What to do (None: drop and count the input) and which state follows (None: the same)."""

    handler: Callable[..., None] | None
    next: State | None = None


_DROP = Transition(None)

_CLIENT: Mapping[tuple[State, Input], Transition] = {
    (State.IDLE, Input.START): Transition(ClientRules.start, State.STARTING),
    (State.IDLE, Input.ACCEPT): Transition(ClientRules.accept, State.ACCEPTED),
    (State.IDLE, Input.SEND_AUDIO): _DROP,
    (State.IDLE, Input.END): Transition(ClientRules.end_unstarted, State.CLOSED),
    (State.IDLE, Input.LINK_CLOSED): Transition(ClientRules.close, State.CLOSED),
    #
    (State.ACCEPTED, Input.START): Transition(ClientRules.start, State.READY),
    (State.ACCEPTED, Input.SEND_AUDIO): _DROP,
    (State.ACCEPTED, Input.END): Transition(ClientRules.end_unstarted, State.CLOSED),
    (State.ACCEPTED, Input.LINK_CLOSED): Transition(ClientRules.close, State.CLOSED),
    #
    (State.STARTING, Input.ACCEPT): Transition(ClientRules.accept, State.READY),
    (State.STARTING, Input.SEND_AUDIO): _DROP,
    (State.STARTING, Input.SEND_TEXT): Transition(ClientRules.hold_text),
    (State.STARTING, Input.END): Transition(ClientRules.end_early, State.ENDING),
    #
    (State.READY, Input.OPEN_AUDIO): Transition(ClientRules.open_audio, State.OPEN),
    (State.READY, Input.SEND_AUDIO): _DROP,
    (State.READY, Input.SEND_TEXT): Transition(ClientRules.hold_text),
    (State.READY, Input.SEND_TOOL_RESULT): Transition(ClientRules.send_tool_result),
    (State.READY, Input.END): Transition(ClientRules.end_early, State.ENDING),
    #
    (State.OPEN, Input.SEND_AUDIO): Transition(ClientRules.send_audio),
    (State.OPEN, Input.SEND_TEXT): Transition(ClientRules.send_text),
    (State.OPEN, Input.SEND_TOOL_RESULT): Transition(ClientRules.send_tool_result),
    (State.OPEN, Input.TEXT_DUE): Transition(ClientRules.write_waiting_texts),
    (State.OPEN, Input.END): Transition(ClientRules.end_open, State.ENDING),
    #
    (State.ENDING, Input.ACCEPT): _DROP,
    (State.ENDING, Input.SEND_AUDIO): _DROP,
    (State.ENDING, Input.SEND_TOOL_RESULT): _DROP,
    (State.ENDING, Input.END): _DROP,
    #
    (State.CLOSED, Input.ACCEPT): _DROP,
    (State.CLOSED, Input.SEND_AUDIO): _DROP,
    (State.CLOSED, Input.SEND_TOOL_RESULT): _DROP,
    (State.CLOSED, Input.END): _DROP,
}

# The service may speak at any time once the session is on the wire.
_CLIENT_HEARS: Mapping[Input, Transition] = {
    Input.GOT_COMPLETION_START: Transition(ClientRules.on_completion_start),
    Input.GOT_CONTENT_START: Transition(ClientRules.on_content_start),
    Input.GOT_TEXT_OUTPUT: Transition(ClientRules.on_text_output),
    Input.GOT_AUDIO_OUTPUT: Transition(ClientRules.on_audio_output),
    Input.GOT_TOOL_USE: Transition(ClientRules.on_tool_use),
    Input.GOT_CONTENT_END: Transition(ClientRules.on_content_end),
    Input.GOT_USAGE: Transition(ClientRules.on_usage),
    Input.GOT_USER_SPEECH_END: Transition(ClientRules.on_user_speech_end),
    Input.GOT_COMPLETION_END: Transition(ClientRules.on_completion_end),
    Input.GOT_UNKNOWN: Transition(ClientRules.on_unknown),
    Input.GOT_MALFORMED: Transition(ClientRules.on_malformed, State.CLOSED),
    Input.LINK_CLOSED: Transition(ClientRules.close, State.CLOSED),
}
_CLIENT_LIVE = (State.STARTING, State.READY, State.OPEN, State.ENDING)

_SERVER: Mapping[tuple[State, Input], Transition] = {
    (State.IDLE, Input.GOT_SESSION_START): Transition(ServerRules.on_session_start, State.STARTED),
    #
    (State.STARTED, Input.GOT_PROMPT_START): Transition(ServerRules.on_prompt_start, State.PROMPTED),
    (State.STARTED, Input.GOT_SESSION_END): Transition(ServerRules.on_session_end, State.ENDING),
    #
    (State.PROMPTED, Input.GOT_SYSTEM_START): Transition(ServerRules.on_text_start, State.SYSTEM_BLOCK),
    #
    (State.SYSTEM_BLOCK, Input.GOT_TEXT_INPUT): Transition(ServerRules.on_text_input),
    (State.SYSTEM_BLOCK, Input.GOT_TEXT_END): Transition(ServerRules.on_system_end, State.READY),
    #
    (State.READY, Input.GOT_SPEECH_PROMPT_START): Transition(ServerRules.on_text_start, State.SYSTEM_BLOCK),
    (State.READY, Input.GOT_HISTORY_START): Transition(ServerRules.on_history_start, State.HISTORY_BLOCK),
    (State.READY, Input.GOT_TYPED_START): Transition(ServerRules.on_first_typed_start, State.ASKED_BLOCK),
    (State.READY, Input.GOT_AUDIO_START): Transition(ServerRules.on_first_audio_start, State.OPEN),
    #
    (State.HISTORY_BLOCK, Input.GOT_TEXT_INPUT): Transition(ServerRules.on_history_input),
    (State.HISTORY_BLOCK, Input.GOT_TEXT_END): Transition(ServerRules.on_history_end, State.READY),
    #
    # A second interactive text before the first one's answer is history in disguise, and is refused as that.
    (State.ASKED_BLOCK, Input.GOT_TEXT_INPUT): Transition(ServerRules.on_text_input),
    (State.ASKED_BLOCK, Input.GOT_TEXT_END): Transition(ServerRules.on_typed_end, State.ASKED),
    (State.ASKED, Input.SEND_START): Transition(ServerRules.send, State.ANSWERED),
    (State.ASKED, Input.GOT_AUDIO_START): Transition(ServerRules.on_audio_start, State.OPEN),
    (State.ANSWERED, Input.GOT_TYPED_START): Transition(ServerRules.on_text_start, State.ASKED_BLOCK),
    (State.ANSWERED, Input.GOT_AUDIO_START): Transition(ServerRules.on_audio_start, State.OPEN),
    #
    (State.OPEN, Input.GOT_AUDIO_INPUT): Transition(ServerRules.on_audio_input),
    (State.OPEN, Input.GOT_AUDIO_END): Transition(ServerRules.on_audio_end, State.AUDIO_CLOSED),
    (State.OPEN, Input.GOT_TYPED_START): Transition(ServerRules.on_text_start, State.OPEN_BLOCK),
    (State.OPEN_BLOCK, Input.GOT_TEXT_INPUT): Transition(ServerRules.on_text_input),
    (State.OPEN_BLOCK, Input.GOT_TEXT_END): Transition(ServerRules.on_typed_end, State.OPEN),
    (State.OPEN_BLOCK, Input.GOT_AUDIO_END): Transition(ServerRules.on_audio_end, State.AUDIO_CLOSED_BLOCK),
    #
    (State.AUDIO_CLOSED, Input.GOT_TYPED_START): Transition(ServerRules.on_text_start, State.AUDIO_CLOSED_BLOCK),
    (State.AUDIO_CLOSED_BLOCK, Input.GOT_TEXT_INPUT): Transition(ServerRules.on_text_input),
    (State.AUDIO_CLOSED_BLOCK, Input.GOT_TEXT_END): Transition(ServerRules.on_typed_end, State.AUDIO_CLOSED),
    #
    (State.PROMPT_CLOSED, Input.GOT_SESSION_END): Transition(ServerRules.on_session_end, State.ENDING),
}

# Tool results come whenever the tool is done, also several at a time, beside audio and text.
_SERVER_TOOLS: Mapping[Input, Transition] = {
    Input.GOT_TOOL_START: Transition(ServerRules.on_tool_start),
    Input.GOT_TOOL_RESULT: Transition(ServerRules.on_tool_result),
    Input.GOT_TOOL_END: Transition(ServerRules.on_tool_end),
}
_SERVER_TALKING = (
    State.ASKED_BLOCK,
    State.ASKED,
    State.ANSWERED,
    State.OPEN,
    State.OPEN_BLOCK,
    State.AUDIO_CLOSED,
    State.AUDIO_CLOSED_BLOCK,
)

# A prompt or session may be closed at any time; what was left open closes with it.
_SERVER_ENDS: Mapping[Input, Transition] = {
    Input.GOT_PROMPT_END: Transition(ServerRules.on_prompt_end, State.PROMPT_CLOSED),
    Input.GOT_SESSION_END: Transition(ServerRules.on_hasty_session_end, State.ENDING),
}
_SERVER_PROMPTED = (State.PROMPTED, State.SYSTEM_BLOCK, State.READY, State.HISTORY_BLOCK, *_SERVER_TALKING)

_SERVER_SAYS: Mapping[Input, Transition] = {
    Input.SEND: Transition(ServerRules.send),
    Input.SEND_START: Transition(ServerRules.send),
}
_SERVER_ANSWERING = (*_SERVER_PROMPTED, State.PROMPT_CLOSED, State.ENDING)

_SERVER_ALWAYS: Mapping[Input, Transition] = {
    Input.GOT_UNKNOWN: Transition(ServerRules.on_unknown),
    Input.GOT_MALFORMED: Transition(ServerRules.on_malformed, State.CLOSED),
    Input.LIFE_DUE: Transition(ServerRules.end_life, State.CLOSED),
    Input.SILENCE_DUE: Transition(ServerRules.end_silence, State.CLOSED),
    Input.LINK_CLOSED: Transition(ServerRules.close, State.CLOSED),
}
_SERVER_LIVE = (State.IDLE, State.STARTED, *_SERVER_ANSWERING)

RECEIVED: frozenset[Input] = frozenset(kind for kind in Input if kind.name.startswith("GOT_"))
"""Inputs that the peer causes: illegal ones close the session; those of ourselves are bugs."""

# After the end nothing matters any more, and late events of a link that is closing are no fault.
_AFTER_THE_END = dict.fromkeys((*RECEIVED, Input.LINK_CLOSED), _DROP)

TRANSITIONS: Mapping[tuple[Side, State, Input], Transition] = {
    (side, state, kind): transition
    for side, rows in (
        (
            Side.CLIENT,
            {
                **{(state, kind): t for state in _CLIENT_LIVE for kind, t in _CLIENT_HEARS.items()},
                **{(State.CLOSED, kind): t for kind, t in _AFTER_THE_END.items()},
                **_CLIENT,
            },
        ),
        (
            Side.SERVER,
            {
                **{(state, kind): t for state in _SERVER_LIVE for kind, t in _SERVER_ALWAYS.items()},
                **{(state, kind): t for state in _SERVER_ANSWERING for kind, t in _SERVER_SAYS.items()},
                **{(state, kind): t for state in _SERVER_PROMPTED for kind, t in _SERVER_ENDS.items()},
                **{(state, kind): t for state in _SERVER_TALKING for kind, t in _SERVER_TOOLS.items()},
                **{
                    (State.CLOSED, kind): t for kind, t in (_AFTER_THE_END | dict.fromkeys(_SERVER_SAYS, _DROP)).items()
                },
                **_SERVER,
            },
        ),
    )
    for (state, kind), transition in rows.items()
}
"""Every legal step. Later groups above override earlier ones."""
