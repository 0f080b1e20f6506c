"""Hand-written snapshots of every state, for looking at the window without a core."""

from dataclasses import replace

from novadesk.config import EchoSetting
from novadesk.conversation.api import (
    AnswerDelay,
    Connection,
    ErrorNote,
    LiveText,
    MicrophoneState,
    Phase,
    Quality,
    Snapshot,
    TalkMode,
    TokenTotals,
)
from novadesk.models import BackendKind, Conversation, Role, SyncState, Turn
from novadesk.text import Text

DAY_MS = 86_400_000

_WORDS = (
    (Role.USER, "I met with Dr. Smith today at two."),
    (Role.ASSISTANT, "Good. Which product did you discuss?"),
    (Role.USER, "Aspirin, mostly the low-dose tablets for older patients."),
    (
        Role.ASSISTANT,
        "Low-dose aspirin for older patients, noted. Did Dr. Smith raise any concern, or ask for material that you "
        "promised to send?",
    ),
    (Role.USER, "Yes, he wants the study from last spring."),
    (Role.ASSISTANT, "I will remember that: the study from last spring, for Dr. Smith. Shall I note a follow-up?"),
)


def make_turns(count: int, *, handle: str, now_ms: int) -> tuple[Turn, ...]:
    """Make a conversation of `count` turns that ends a minute ago."""
    return tuple(
        Turn(
            turn_id=f"turn-{number}",
            conversation=handle,
            position=number,
            role=_WORDS[number % len(_WORDS)][0],
            text=_WORDS[number % len(_WORDS)][1],
            at_ms=now_ms - 60_000 - (count - number) * 9_000,
            wire_session="wire",
            sync=SyncState.SYNCED,
        )
        for number in range(count)
    )


def make_conversations(now_ms: int) -> tuple[Conversation, ...]:
    """Make a history of several days."""
    rows = (
        ("caring-king-275", "Aspirin call with Dr. Smith", 0, 6, SyncState.PENDING, 2),
        ("brave-otter-118", "", 0, 14, SyncState.SYNCED, 0),
        ("quiet-harbor-402", "Interview practice: product manager at a small company", 1, 42, SyncState.SYNCED, 0),
        ("amber-field-031", "", 1, 3, SyncState.FAILED, 3),
        ("silver-lake-760", "Spanish: at the market", 3, 28, SyncState.SYNCED, 0),
        ("gentle-river-555", "", 12, 9, SyncState.LOCAL, 0),
        ("plain-meadow-210", "Trip to Lisbon", 40, 61, SyncState.SYNCED, 0),
    )
    return tuple(
        Conversation(
            handle=f"session_{now_ms - days * DAY_MS - number:013d}_{'abcdefghij'[number] * 26}",
            label=label,
            title=title,
            backend=BackendKind.PRACTICE,
            created_ms=now_ms - days * DAY_MS,
            updated_ms=now_ms - days * DAY_MS - number * 60_000,
            turns=turns,
            pending=pending,
            sync=sync,
            starred=number == 2,
        )
        for number, (label, title, days, turns, sync, pending) in enumerate(rows)
    )


def scenes(now_ms: int) -> dict[str, Snapshot]:
    """Return a snapshot of every state, by name."""
    conversation = make_conversations(now_ms)[0]
    turns = make_turns(6, handle=conversation.handle, now_ms=now_ms)
    ready = Snapshot(
        phase=Phase.READY,
        microphone=MicrophoneState.GATED,
        backend_name="Practice partner (local)",
        model="amazon.nova-2-sonic-v1:0",
        voice="matthew",
        conversation=conversation,
        turns=turns[:4],
        microphone_name="PulseAudio: USB Headset",
        speaker_name="PulseAudio: Built-in Speakers",
        device_note="The microphone of the settings, Studio Mic, is not connected.",
        hotkeys=("f9",),
        pending_sync=5,
        recovered_turns=4,
        answer_s=0.92,
        answer_delay=AnswerDelay(endpointing_s=0.31, model_s=0.48, client_s=0.13),
        tokens=TokenTotals(speech_in=1204, text_in=310, speech_out=2841, text_out=422),
        store_revision=1,
    )
    return {
        "idle": Snapshot(backend_name="Practice partner (local)", store_revision=1, hotkeys=("f9",)),
        "ready": ready,
        "ended": replace(ready, phase=Phase.ENDED, microphone=MicrophoneState.ABSENT, turns=turns),
        "long": replace(ready, turns=make_turns(200, handle=conversation.handle, now_ms=now_ms), recovered_turns=200),
        **_spoken(ready, turns),
        **_troubled(ready),
        **_badly_heard(ready),
        **_kept(ready, conversation, turns),
    }


def _spoken(ready: Snapshot, turns: tuple[Turn, ...]) -> dict[str, Snapshot]:
    cut = replace(turns[3], heard_chars=43, interrupted=True)
    typed = replace(turns[4], typed=True, text="Dr. Smith, 14 Baker Street")
    listening = replace(
        ready,
        phase=Phase.LISTENING,
        microphone=MicrophoneState.OPEN,
        talking=True,
        microphone_level=0.06,
        live=(LiveText(role=Role.USER, spoken="Yes, he wants the"),),
    )
    answer = LiveText(
        role=Role.ASSISTANT,
        spoken="I will remember that: the study from last spring,",
        planned=" for Dr. Smith. Shall I note a follow-up for next week, or is he calling you back?",
    )
    return {
        "connecting": replace(ready, phase=Phase.CONNECTING, microphone=MicrophoneState.ABSENT, turns=turns[:2]),
        "listening": listening,
        "hands_free": replace(listening, talking=False, talk_mode=TalkMode.HANDS_FREE),
        "thinking": replace(ready, phase=Phase.THINKING, turns=turns[:5]),
        "speaking": replace(
            ready,
            phase=Phase.SPEAKING,
            backend=BackendKind.BEDROCK,
            backend_name="Amazon Bedrock, us-east-1",
            turns=turns[:5],
            speaker_level=0.12,
            pending_sync=0,
            live=(answer,),
        ),
        "interrupted": replace(ready, phase=Phase.INTERRUPTED, turns=(*turns[:3], cut, typed)),
        "muted": replace(ready, microphone=MicrophoneState.MUTED, muted=True),
        "muted_talking": replace(
            ready, microphone=MicrophoneState.MUTED, muted=True, talking=True, microphone_level=0.05
        ),
        "renewing": replace(ready, phase=Phase.RENEWING, notices=("Session renewed",)),
    }


def _troubled(ready: Snapshot) -> dict[str, Snapshot]:
    bedrock = replace(ready, backend=BackendKind.BEDROCK, backend_name="Amazon Bedrock, us-east-1")
    no_microphone = "There is no microphone. Connect a microphone. Until then you can type and listen."
    lost = ErrorNote(
        layer="network",
        reason="network.link_lost",
        what="Connection lost.",
        advice="Trying again in 3 s. What you type is kept.",
        retry=True,
    )
    expired = ErrorNote(
        layer="credentials",
        reason="credentials.expired",
        what="AWS sign-in expired.",
        advice="Run `aws sso login --profile work` in a terminal, then try again.",
        retry=True,
    )
    return {
        "no_microphone": replace(
            ready, microphone=MicrophoneState.ABSENT, microphone_name="", device_note=no_microphone
        ),
        "reconnecting": replace(
            bedrock,
            phase=Phase.RECONNECTING,
            attempt=2,
            retry_in_s=3.0,
            notices=("Microphone unplugged. Using Built-in.", "Connection lost."),
            error=lost,
        ),
        "failed": replace(
            bedrock,
            phase=Phase.FAILED,
            microphone=MicrophoneState.ABSENT,
            keyring_note="The keyring is locked. Remote session ids are kept for this session only.",
            error=expired,
        ),
    }


def _badly_heard(ready: Snapshot) -> dict[str, Snapshot]:
    return {
        "poor_connection": replace(
            ready,
            backend_name="Amazon Bedrock",
            connection=Connection(
                quality=Quality.POOR, why=Text("The network hardly takes the sound: words may be lost")
            ),
            pending_sync=0,
        ),
        "silent_microphone": replace(
            ready, input_note="Your microphone sends exact silence. Look for a mute switch on it."
        ),
        "hears_itself": replace(
            ready,
            phase=Phase.SPEAKING,
            talk_mode=TalkMode.HANDS_FREE,
            microphone=MicrophoneState.OPEN,
            hears_itself=True,
        ),
        "loud_echo": replace(ready, talk_mode=TalkMode.HANDS_FREE, microphone=MicrophoneState.OPEN, loud_echo_db=14.2),
        "taking_turns": replace(
            ready,
            phase=Phase.SPEAKING,
            talk_mode=TalkMode.HANDS_FREE,
            microphone=MicrophoneState.OPEN,
            echo=EchoSetting.HALF_DUPLEX,
            notices=("You take turns now: NovaDesk does not listen while it speaks.",),
        ),
    }


def _kept(ready: Snapshot, conversation: Conversation, turns: tuple[Turn, ...]) -> dict[str, Snapshot]:
    mixed = tuple(
        replace(turn, sync=state)
        for turn, state in zip(
            turns,
            (SyncState.SYNCED, SyncState.SYNCED, SyncState.FAILED, SyncState.PENDING, SyncState.LOCAL, SyncState.LOCAL),
            strict=True,
        )
    )
    full = ErrorNote(
        layer="store",
        reason="store.disk_full",
        what="The disk is full. 2 turns are not saved yet.",
        advice="Make room; NovaDesk tries again by itself.",
    )
    return {
        "private": replace(
            ready,
            conversation=replace(conversation, handle="", label="quiet-heron-318", title="", private=True),
            turns=tuple(replace(turn, sync=SyncState.LOCAL) for turn in turns[:4]),
            pending_sync=0,
        ),
        "private_empty": replace(
            ready,
            conversation=replace(conversation, handle="", label="quiet-heron-318", title="", private=True),
            turns=(),
            pending_sync=0,
        ),
        "not_saved": replace(ready, turns=mixed, unsaved=2, error=full),
        "sync_off": replace(
            ready,
            pending_sync=12,
            keyring_note="Sync is off: AWS does not allow this. Ask for bedrock:CreateSession.",
            turns=turns,
        ),
        "resting": replace(ready, phase=Phase.IDLE, microphone=MicrophoneState.ABSENT, turns=turns, pending_sync=0),
        "recovered": replace(
            ready,
            turns=turns,
            pending_sync=0,
            pulling=(34, 120),
            notices=("Recovered 6 turns from last time.",),
        ),
    }
