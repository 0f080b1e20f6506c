"""A client's wire session goes on over the gateway as if it spoke to the service itself."""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from novadesk.config import SensitivitySetting
from novadesk.models import Role
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope import AudioFrame, Malformed, decode_client, decode_server, encode
from novadesk.protocol.envelope_client import EndSession, History, TextInput
from novadesk.protocol.envelope_talk import Begin, Carried, Opened, Said, Sound, Translation
from novadesk.protocol.envelope_turns import WrittenTurns
from novadesk.protocol.envelope_values import Configuration, ContentKind, Line, Party, TextStage, Tokens
from novadesk.protocol.events import PromptStart, Sensitivity, SessionStart, StopReason, ToolSpec, WireRole
from novadesk.protocol.history import HistoryMessage, shape
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.session import NovaSession, Setup, Side
from novadesk.protocol.session_events import (
    Completed,
    Interrupted,
    SessionEvent,
    SpeechEnded,
    SpeechReceived,
    TextPlanned,
    TextSpoken,
    TurnEnded,
    UsageReported,
    UserSpeechEnded,
    UserTextReceived,
)
from novadesk.protocol.transcript import TurnText
from tests.unit.protocol.envelope_values import SERVER_DOCUMENTS

SETUP = Setup(
    session=SessionStart(max_tokens=99, temperature=0.5, top_p=0.4, sensitivity=Sensitivity.LOW),
    prompt=PromptStart(prompt_name="p", voice_id="amy"),
    system_prompt="Be brief.",
)
PCM = b"\1\2" * 512


@dataclass(slots=True)
class Client:
    """A real wire session whose other side is a translation."""

    translation: Translation = field(default_factory=Translation)
    session: NovaSession = field(default_factory=lambda: NovaSession(Side.CLIENT))
    said: list[Said] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    now: float = 0.0

    def start(self, setup: Setup = SETUP, history: Any = ()) -> "Client":
        self.session.start(setup, self.now)
        self.session.accepted(self.now)
        self.session.open_audio(history, self.now)
        self.now += 1
        return self.send()

    def send(self) -> "Client":
        for payload in self.session.events_to_send():
            self.said += self.translation.said(payload)
        return self

    def hear(self, *messages: Any) -> list[SessionEvent]:
        for message in messages:
            for told in self.translation.heard(message):
                if isinstance(told, TurnText):
                    self.missed.append(told.text)
                else:
                    self.session.receive(told, self.now)
        return self.session.events_received()

    def elsewhere(self) -> list[SessionEvent]:
        for payload in self.translation.broken_off():
            self.session.receive(payload, self.now)
        return self.session.events_received()


def text(content_id: str, role: Party, said: str, stage: TextStage = TextStage.FINAL, stop: Any = None) -> list[Any]:
    end = stop or StopReason.END_TURN
    return [
        server.ContentStart(content_id=content_id, kind=ContentKind.TEXT, role=role, stage=stage),
        server.Transcript(content_id=content_id, role=Role[role.name], text=said, stage=stage),
        server.ContentEnd(content_id=content_id, kind=ContentKind.TEXT, stop_reason=end),
    ]


def speech(content_id: str, *pieces: bytes, stop: StopReason = StopReason.END_TURN) -> list[Any]:
    return [
        server.ContentStart(content_id=content_id, kind=ContentKind.AUDIO, role=Party.ASSISTANT),
        *(AudioFrame(9, pcm) for pcm in pieces),
        server.ContentEnd(content_id=content_id, kind=ContentKind.AUDIO, stop_reason=stop),
    ]


# --- from the client ---------------------------------------------------------------------------


def test_what_comes_before_the_sound_is_the_configuration_and_then_the_history() -> None:
    history = [HistoryMessage(WireRole.USER, "Hi"), HistoryMessage(WireRole.ASSISTANT, "Hello")]
    assert Client().start(history=history).said == [
        Begin(
            Configuration(
                prompt="Be brief.",
                voice="amy",
                sensitivity=SensitivitySetting.LOW,
                max_tokens=99,
                temperature=0.5,
                top_p=0.4,
                tools=False,
            )
        ),
        History(lines=(Line(role=Role.USER, text="Hi"), Line(role=Role.ASSISTANT, text="Hello"))),
        Opened(),
    ]


def test_tools_are_asked_for_where_there_are_any() -> None:
    tools = (ToolSpec(name="getTime", description="d", input_schema="{}"),)
    setup = Setup(
        session=SETUP.session, prompt=PromptStart(prompt_name="p", voice_id="amy", tools=tools), system_prompt="x"
    )
    begin, _ = Client().start(setup).said
    assert isinstance(begin, Begin)
    assert begin.configuration.tools is True


def test_a_long_prompt_arrives_in_one_piece() -> None:
    prompt = "Grüße. " * 2_000
    setup = Setup(session=SETUP.session, prompt=SETUP.prompt, system_prompt=prompt)
    begin, _ = Client().start(setup).said
    assert isinstance(begin, Begin)
    assert begin.configuration.prompt == prompt.strip()


@given(
    st.lists(
        st.builds(
            HistoryMessage,
            st.sampled_from([WireRole.USER, WireRole.ASSISTANT]),
            st.text(max_size=400).flatmap(lambda said: st.integers(1, 90).map(lambda times: said * times)),
        ),
        max_size=8,
    )
)
def test_every_history_arrives_whole_in_messages_that_fit(history: list[HistoryMessage]) -> None:
    parts = [said for said in Client().start(history=history).said if isinstance(said, History)]
    for part in parts:
        assert decode_client(encode(part)) == part  # would raise where it is too large
    printed = {code: " " for code in range(32) if code not in (9, 10)}
    told = [(role, whole.translate(printed)) for role, whole in ((m.role, m.text) for m in shape(history, DEFAULT))]
    joined: list[tuple[WireRole, str]] = []
    for line in (line for part in parts for line in part.lines):
        role = WireRole[line.role.name]
        if joined and joined[-1][0] is role:
            joined[-1] = (role, joined[-1][1] + line.text)
        else:
            joined.append((role, line.text))
    assert joined == told


def test_sound_written_words_and_the_end_follow() -> None:
    client = Client().start()
    client.said.clear()
    client.session.send_audio(PCM, client.now)
    client.session.send_text("What time is it?", client.now)
    client.session.end(client.now)
    sound, asked, end = client.send().said
    assert (sound, end) == (Sound(PCM), EndSession(reason="user_ended"))
    assert isinstance(asked, TextInput)
    assert asked.text == "What time is it?"
    assert asked.request_id


# --- from the gateway --------------------------------------------------------------------------


def test_an_exchange_is_what_the_service_would_have_said() -> None:
    client = Client().start()
    events = client.hear(
        server.UserSpeechEnded(sequence=1),
        *text("u", Party.USER, "Hello."),
        *text("s", Party.ASSISTANT, "Hi there.", TextStage.SPECULATIVE),
        *speech("a", PCM, PCM),
        *text("f", Party.ASSISTANT, "Hi there."),
        server.Usage(delta=Tokens(speech_in=1), total=Tokens(speech_in=1, text_out=2)),
        server.Completed(),
    )
    kinds = [type(event) for event in events]
    assert kinds == [
        UserSpeechEnded,
        UserTextReceived,
        TextPlanned,
        SpeechReceived,
        SpeechReceived,
        SpeechEnded,
        TextSpoken,
        TurnEnded,
        UsageReported,
        Completed,
    ]
    assert [event.pcm for event in events if isinstance(event, SpeechReceived)] == [PCM, PCM]


def test_an_interruption_silences_the_answer() -> None:
    client = Client().start()
    events = client.hear(
        *text("s", Party.ASSISTANT, "A long story.", TextStage.SPECULATIVE),
        *speech("a", PCM, stop=StopReason.INTERRUPTED),
    )
    assert any(isinstance(event, Interrupted) for event in events)


def test_a_tool_of_the_gateway_is_not_asked_of_the_client() -> None:
    client = Client().start()
    events = client.hear(
        server.ContentStart(content_id="t", kind=ContentKind.TOOL, role=Party.TOOL),
        server.ToolUse(content_id="t", tool_name="getTime", tool_use_id="u", input="{}"),
        server.ContentEnd(content_id="t", kind=ContentKind.TOOL, stop_reason=StopReason.TOOL_USE),
    )
    assert events == []


def test_what_is_about_the_session_says_nothing_to_the_wire() -> None:
    client = Client().start()
    assert client.hear(server.HeartbeatAck(), server.Paused(), server.AudioAck(sequence=1)) == []


@given(st.lists(SERVER_DOCUMENTS, max_size=12))
def test_whatever_the_gateway_says_the_wire_session_lives_on(documents: list[dict[str, Any]]) -> None:
    client = Client().start()
    for document in documents:
        message = decode_server(json.dumps(document))
        if not isinstance(message, Malformed):
            client.hear(message)
    client.session.send_audio(PCM, client.now)
    assert Sound(PCM) in client.send().said


# --- over several wire sessions of one session at the gateway ----------------------------------


def test_the_rest_of_an_answer_is_not_a_new_one_for_the_next_wire_session() -> None:
    first = Client().start()
    first.hear(*text("s", Party.ASSISTANT, "One. Two.", TextStage.SPECULATIVE), *speech("a", PCM)[:2])
    second = Client(Translation(first.translation.carried)).start()
    rest = [AudioFrame(5, PCM), speech("a")[-1], *text("f", Party.ASSISTANT, "One. Two.")]
    assert second.hear(*rest) == []
    events = second.hear(*text("u", Party.USER, "Go on."), *speech("b", PCM))
    assert [type(event) for event in events][:2] == [UserTextReceived, SpeechReceived]


def test_an_answer_that_begins_after_the_loss_is_heard() -> None:
    first = Client().start()
    first.hear(*text("u", Party.USER, "Hello."))
    second = Client(Translation(first.translation.carried)).start()
    events = second.hear(*text("s", Party.ASSISTANT, "Hi.", TextStage.SPECULATIVE), *speech("a", PCM))
    assert [type(event) for event in events][:2] == [TextPlanned, SpeechReceived]


def test_a_question_that_the_gateway_has_is_not_asked_again_but_the_next_one_is() -> None:
    first = Client().start()
    first.session.send_text("Why?", first.now)
    first.send()
    assert first.translation.carried == Carried(asked=("Why?",))
    second = Client(Translation(first.translation.carried)).start()
    second.said.clear()
    second.session.send_text("Why?", second.now)
    second.session.send_text("How?", second.now)
    assert [said.text for said in second.send().said if isinstance(said, TextInput)] == ["How?"]


def test_an_answered_question_may_be_asked_again() -> None:
    first = Client().start()
    first.session.send_text("Why?", first.now)
    first.send()
    first.hear(*speech("a", PCM))
    assert first.translation.carried == Carried(answering=True)


def test_output_whose_beginning_was_never_heard_has_one_all_the_same() -> None:
    client = Client().start()
    events = client.hear(
        AudioFrame(5, PCM),
        server.ContentEnd(content_id="a", kind=ContentKind.AUDIO, stop_reason=StopReason.END_TURN),
        server.Transcript(content_id="f", role=Role.ASSISTANT, text="Two."),
        server.ContentEnd(content_id="f", kind=ContentKind.TEXT, stop_reason=StopReason.END_TURN),
    )
    assert [type(event) for event in events] == [SpeechReceived, SpeechEnded, TextSpoken, TurnEnded]


# --- turns that were written meanwhile ---------------------------------------------------------


def turn(number: int, said: str, role: Role = Role.ASSISTANT, **more: Any) -> server.Turn:
    return server.Turn(turn_id=f"t{number}", role=role, text=said, at=number, **more)


def again(client: Client, turns: WrittenTurns) -> Client:
    """Return the next wire session of the same session."""
    carried = client.translation.carried
    turns.broken_off()
    return Client(Translation(carried, turns)).start()


def test_what_was_witnessed_is_no_news() -> None:
    client = Client().start()
    client.hear(*text("u", Party.USER, "Hello."), turn(1, "Hello.", Role.USER))
    client.hear(
        *text("s", Party.ASSISTANT, "Hi.", TextStage.SPECULATIVE), *speech("a", PCM), *text("f", Party.ASSISTANT, "Hi.")
    )
    client.hear(turn(2, "Hi.", unconfirmed=True), turn(2, "Hi."), turn(2, "Hi."))
    assert client.missed == []


def test_an_answer_that_was_cut_by_a_loss_is_told_whole_and_once() -> None:
    turns = WrittenTurns()
    first = Client(Translation(None, turns)).start()
    first.hear(*text("u", Party.USER, "Go."), turn(1, "Go.", Role.USER))
    first.hear(*text("s", Party.ASSISTANT, "One. Two.", TextStage.SPECULATIVE), *speech("a", PCM)[:2])
    second = again(first, turns)
    assert second.hear(AudioFrame(5, PCM), speech("a")[-1], *text("f", Party.ASSISTANT, "One. Two.")) == []
    second.hear(turn(2, "One. Two.", unconfirmed=True), turn(2, "One. Two."), turn(2, "One. Two."))
    assert second.missed == ["One. Two."]
    events = second.hear(*text("s2", Party.ASSISTANT, "Three.", TextStage.SPECULATIVE), *speech("b", PCM))
    assert [type(event) for event in events][:2] == [TextPlanned, SpeechReceived]  # that answer is over
    second.hear(turn(3, "Three."))
    assert second.missed == ["One. Two."]


def test_a_whole_exchange_that_nobody_heard_of_is_told() -> None:
    turns = WrittenTurns()
    first = Client(Translation(None, turns)).start()
    second = again(first, turns)
    second.hear(turn(1, "Who are you?", Role.USER), turn(2, "I am Nova."))
    assert second.missed == ["Who are you?", "I am Nova."]


def test_the_turn_of_an_answer_that_was_heard_after_a_loss_is_no_news() -> None:
    turns = WrittenTurns()
    first = Client(Translation(None, turns)).start()
    first.hear(*text("u", Party.USER, "Go."))
    second = again(first, turns)
    second.hear(*text("s", Party.ASSISTANT, "Hi.", TextStage.SPECULATIVE), *speech("a", PCM), turn(1, "Go.", Role.USER))
    second.hear(turn(2, "Hi."))
    assert second.missed == []


def test_what_was_typed_here_is_no_news() -> None:
    turns = WrittenTurns()
    first = Client(Translation(None, turns)).start()
    first.session.send_text("Why?", first.now)
    first.send()
    second = again(first, turns)
    second.hear(turn(1, "Why?", Role.USER))
    assert second.missed == []


def test_another_process_breaks_off_what_is_open_and_tells_what_was_written() -> None:
    client = Client().start()
    client.hear(*text("u", Party.USER, "Go."), turn(1, "Go.", Role.USER))
    client.hear(*text("s", Party.ASSISTANT, "One. Two.", TextStage.SPECULATIVE), *speech("a", PCM)[:2])
    assert [type(event) for event in client.elsewhere()] == [SpeechEnded, Interrupted]
    client.hear(turn(1, "Go.", Role.USER), turn(2, "One. Two."))
    assert client.missed == ["One. Two."]
    events = client.hear(*text("s2", Party.ASSISTANT, "One. Two.", TextStage.SPECULATIVE), *speech("b", PCM))
    assert [type(event) for event in events][:2] == [TextPlanned, SpeechReceived]


def test_a_program_that_was_just_started_leaves_out_the_rest_of_an_answer_and_is_told_it() -> None:
    turns = WrittenTurns()
    turns.broken_off()
    client = Client(Translation(Carried(unsure=True), turns)).start()
    assert client.hear(AudioFrame(5, PCM), speech("a")[-1], *text("f", Party.ASSISTANT, "Two.")) == []
    client.hear(turn(2, "One. Two."))
    assert client.missed == ["One. Two."]
    assert client.hear(*text("s", Party.ASSISTANT, "Three.", TextStage.SPECULATIVE))


def test_a_program_that_was_just_started_hears_an_answer_that_begins() -> None:
    client = Client(Translation(Carried(unsure=True))).start()
    events = client.hear(*text("s", Party.ASSISTANT, "Hi.", TextStage.SPECULATIVE), *speech("a", PCM), turn(1, "Hi."))
    assert [type(event) for event in events][:2] == [TextPlanned, SpeechReceived]
    assert client.missed == []


def test_a_spoken_question_that_the_gateway_has_understood_is_not_asked_again_in_writing() -> None:
    turns = WrittenTurns()
    first = Client(Translation(None, turns)).start()
    first.hear(*text("u", Party.USER, "Why?"))
    second = again(first, turns)
    second.said.clear()
    second.session.send_text("Why?", second.now)
    assert second.send().said == []
