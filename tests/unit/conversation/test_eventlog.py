"""The event log: what changed from one snapshot to the next, in words, and never what was said."""

from dataclasses import replace

from novadesk.config import VoiceSettings
from novadesk.conversation.api import ErrorNote, MicrophoneState, Pause, Phase, Snapshot
from novadesk.conversation.eventlog import EventLog
from novadesk.models import BackendKind, Conversation, Role, Turn
from novadesk.scenario import Chosen

CONVERSATION = Conversation(
    handle="session_1", label="caring-king-275", title="", backend=BackendKind.PRACTICE, created_ms=1, updated_ms=2
)
OPEN = Snapshot(conversation=CONVERSATION)
LOST = ErrorNote(layer="network", reason="network.link_lost", what="Connection lost.", advice="Wait.")


def turn(number: int, role: Role = Role.USER, text: str = "Zugspitze") -> Turn:
    return Turn(
        turn_id=f"t{number}", conversation="session_1", position=number, role=role, text=text, at_ms=0, wire_session="w"
    )


def words(*snapshots: Snapshot, most: int = 99) -> list[str]:
    log = EventLog(most=most)
    for at, snapshot in enumerate(snapshots):
        log.see(snapshot, at)
    return [f"{event.kind.value}: {event.words}" for event in log.since(0)]


def test_a_talk_from_its_beginning_to_a_loss() -> None:
    ready = replace(OPEN, phase=Phase.READY, microphone=MicrophoneState.GATED, microphone_name="Headset")
    said = replace(ready, phase=Phase.THINKING, turns=(turn(0),), pending_sync=1)
    answered = replace(said, phase=Phase.SPEAKING, turns=(turn(0), turn(1, Role.ASSISTANT, "Watzmann")), pending_sync=0)
    lost = replace(answered, phase=Phase.RECONNECTING, error=LOST)
    back = replace(lost, phase=Phase.READY, error=None, notices=("Back after 4 s.",), renewals=1)
    assert words(OPEN, replace(OPEN, phase=Phase.CONNECTING), ready, said, answered, lost, back) == [
        "conversation: The conversation caring-king-275 is open",
        "link: Connecting",
        "link: The session is open",
        "talk: Silence is sent: nobody holds the talk key",
        "sound: The microphone is Headset",
        "link: The service thinks",
        "turn: You said 9 characters",
        "sync: 1 turn waits for the remote store",
        "link: An answer is played",
        "turn: Nova said 8 characters",
        "sync: Every turn is in the remote store",
        "link: The connection was lost; connecting again",
        "error: ND-LINK-02: Connection lost.",
        "link: The session is open",
        "error: The trouble is over",
        "link: The session was renewed; this was number 1",
        "notice: Back after 4 s.",
    ]


def test_scenarios_and_breaks_are_noted_as_the_service_agrees() -> None:
    chosen = replace(OPEN, scenario=Chosen(name="interview", title="Job interview", prompt="Zugspitze"))
    sent = replace(chosen, in_force=VoiceSettings(voice="tiffany"), voice="tiffany")
    wanted = replace(sent, scenario=None, changing=True)
    taken = replace(wanted, in_force=VoiceSettings(), voice="matthew", changing=False)
    pausing = replace(taken, pause=Pause.PAUSING, phase=Phase.IDLE, in_force=None)
    paused = replace(pausing, pause=Pause.PAUSED)
    resuming = replace(paused, pause=Pause.RESUMING, phase=Phase.CONNECTING)
    on = replace(resuming, pause=Pause.OFF, phase=Phase.READY, in_force=VoiceSettings())
    assert words(OPEN, chosen, sent, wanted, taken, pausing, paused, resuming, on)[1:] == [
        "scenario: The scenario is Job interview",
        "scenario: The service has taken voice and instructions: tiffany",
        "scenario: No scenario is chosen",
        "scenario: Another voice or scenario is wanted; it comes with the next session",
        "scenario: The service has taken voice and instructions: matthew",
        "link: A break was asked for; the session is being ended",
        "link: The break has begun: no session is open",
        "link: Connecting",
        "link: Going on after the break; a session is being opened",
        "link: The session is open",
        "link: The break is over",
        "scenario: The service has taken voice and instructions: matthew",
    ]


def test_levels_and_countdowns_are_no_event() -> None:
    lost = replace(OPEN, error=LOST, retry_in_s=3.0)
    same = replace(lost, microphone_level=0.4, speaker_level=0.2, retry_in_s=2.0, error=replace(LOST, what="In 2 s."))
    assert words(OPEN, lost) == words(OPEN, lost, same)


def test_turns_that_were_there_before_are_not_said_now() -> None:
    loaded = replace(OPEN, turns=(turn(0), turn(1)))
    assert words(loaded) == ["conversation: The conversation caring-king-275 is open"]
    longer = replace(loaded, turns=(turn(0), turn(1), turn(2)))
    corrected = replace(longer, turns=(turn(0), turn(1), turn(2, text="Watzmann and more")))
    assert words(loaded, longer, corrected)[1:] == ["turn: You said 9 characters"]


def test_of_a_private_conversation_only_that_it_was_opened() -> None:
    private = Snapshot(conversation=replace(CONVERSATION, handle="", private=True, label="quiet-heron-318"))
    talk = replace(private, phase=Phase.SPEAKING, microphone=MicrophoneState.OPEN, turns=(turn(0),), notices=("Hm.",))
    log = words(OPEN, private, talk, replace(talk, phase=Phase.READY, error=LOST), OPEN)
    assert log[1:] == [
        "conversation: A private conversation is open; nothing of it is noted here",
        "conversation: The conversation caring-king-275 is open",
    ]


def test_it_is_bounded_and_told_from_where_one_was() -> None:
    log = EventLog(most=3)
    for at in range(10):
        log.see(replace(OPEN, pending_sync=at), at)
    assert [event.number for event in log.since(0)] == [8, 9, 10]
    assert [event.at_ms for event in log.since(9)] == [9]
    assert log.since(10) == ()


def test_no_word_of_a_turn_is_ever_in_it() -> None:
    assert "Zugspitze" not in " ".join(words(OPEN, replace(OPEN, turns=(turn(0),))))
