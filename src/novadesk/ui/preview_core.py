"""A stand-in for the core: canned answers, wishes that nobody hears."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.chord import COMMANDS, KeyDown, KeyUp, OtherDown
from novadesk.config import (
    AudioSettings,
    BackendSettings,
    EchoSetting,
    Settings,
    TalkSettings,
    UpdateSettings,
    VoiceSettings,
)
from novadesk.conversation.api import (
    BundlePart,
    Carries,
    Devices,
    EventKind,
    Happened,
    Inspection,
    Metric,
    RemoteFacts,
    ScenarioList,
    SoundTest,
    TalkMode,
    Unit,
    WireFacts,
)
from novadesk.conversation.firststeps import AccessStep, Recording, RecordingStage, SelfHearing, StepState
from novadesk.conversation.talkapi import KeyCount
from novadesk.conversation.updateapi import UpdateStanding
from novadesk.models import DeviceCode, SignInStanding, SyncState
from novadesk.permission import policy
from novadesk.scenario import Chosen, Scenario
from novadesk.text import Text
from novadesk.ui.preview_history import PreviewHistory

_EVENTS = (
    "   -12.84 s  connecting",
    "   -12.31 s  1 → sessionStart",
    "   -12.30 s  1 → promptStart",
    "   -12.28 s  1 → contentStart AUDIO, USER",
    "   -12.02 s  1 ← completionStart",
    "   -11.99 s  ready",
    "   -11.97 s  1 → audioInput 63,488 bytes in 62",
    "    -9.98 s  1 ← textOutput USER, 34 characters",
    "    -9.97 s  thinking",
    "    -9.12 s  1 ← textOutput ASSISTANT, 118 characters",
    "    -9.10 s  1 ← audioOutput 138,240 bytes in 18",
    "    -9.02 s  speaking",
    "     0.00 s  reconnecting, network.link_lost",
)


_HAPPENED = (
    (EventKind.CONVERSATION, Text("The conversation {label} is open", label="caring-king-275")),
    (EventKind.LINK, Text("Connecting")),
    (EventKind.LINK, Text("The session is open")),
    (EventKind.SCENARIO, Text("The service has taken voice and instructions: {voice}", voice="matthew")),
    (EventKind.SOUND, Text("The microphone is {name}", name="PulseAudio: USB Headset")),
    (EventKind.TALK, Text("What the microphone hears is sent")),
    (EventKind.TURN, Text.counted("You said 1 character", "You said {n} characters", 34)),
    (EventKind.TURN, Text.counted("Nova said 1 character", "Nova said {n} characters", 118)),
    (EventKind.ERROR, Text("{code}: {what}", code="ND-LINK-02", what="Connection lost.")),
    (EventKind.LINK, Text("The connection was lost; connecting again")),
    (EventKind.NOTICE, Text("Back after 4 s. 12 turns carried over.")),
    (EventKind.SYNC, Text.counted("1 turn waits for the remote store", "{n} turns wait for the remote store", 2)),
)


def make_metrics() -> tuple[Metric, ...]:
    """Return what a bad day would show."""
    rows: tuple[tuple[str, str, float | None, Unit, int, float | None, bool], ...] = (
        ("session_recovery_rate", "Conversations resumed with every turn", 100.0, Unit.PERCENT, 31, 90.0, True),
        ("history_load_time", "Time to a readable history (95th percentile)", 0.184, Unit.SECONDS, 42, 2.0, False),
        ("persistence_success_rate", "Turns in the session store within 60 s", 91.4, Unit.PERCENT, 408, 95.0, True),
        ("reconnects", "Reconnects", 7.0, Unit.COUNT, 7, None, False),
        ("reconnect_time", "Time without a link (95th percentile)", 4.2, Unit.SECONDS, 7, None, False),
        ("renewals", "Renewals of the wire session", 24.0, Unit.COUNT, 24, None, False),
        ("renewal_time", "Time to prepare a renewal (95th percentile)", 1.3, Unit.SECONDS, 24, None, False),
        ("samples_lost", "Microphone samples lost (16 kHz)", 0.0, Unit.COUNT, 0, None, False),
        ("outbox_depth", "Turns waiting for the session store", 5.0, Unit.COUNT, 96, None, False),
        ("core_stalls", "Stalls of the core", 1.0, Unit.COUNT, 1, None, False),
        ("core_stall_longest", "Longest stall of the core", 0.14, Unit.SECONDS, 1, None, False),
        ("window_stalls", "Stalls of the window", 0.0, Unit.COUNT, 0, None, False),
        ("window_stall_longest", "Longest stall of the window", None, Unit.SECONDS, 0, None, False),
    )
    return tuple(
        Metric(
            name=name,
            title=title,
            value=value,
            unit=unit,
            samples=samples,
            threshold=threshold,
            alert=below and value is not None and threshold is not None and value < threshold,
            alert_below=below,
        )
        for name, title, value, unit, samples, threshold, below in rows
    )


def make_sound_figures() -> tuple[Metric, ...]:
    """Return what an ordinary minute would show."""
    rows = (
        ("capture_p50", "Microphone to program (median)", 4.2, Unit.MILLISECONDS),
        ("capture_p99", "Microphone to program (99 %)", 11.9, Unit.MILLISECONDS),
        ("underruns", "Gaps in answers", 0.0, Unit.COUNT),
        ("late_callbacks", "Late calls of the device", 3.0, Unit.COUNT),
        ("drift", "Clock drift", -38.0, Unit.PPM),
        ("erle", "Echo taken out", 31.0, Unit.DECIBELS),
    )
    return tuple(Metric(name=name, title=title, value=value, unit=unit, samples=1) for name, title, value, unit in rows)


class PreviewRequests(PreviewHistory):
    """Answer from hand-written values."""

    async def pull(self, handle: str | None = None) -> int:  # noqa: ARG002
        """Read nothing."""
        return 0

    async def updates(self) -> UpdateStanding:
        """Return that this is the newest version."""
        return UpdateStanding(version="0.1.0", channel="stable", kind="appimage", checked_ms=1_790_000_000_000)

    async def check_updates(self) -> UpdateStanding:
        """Find nothing new."""
        return await self.updates()

    async def use_updates(self, settings: UpdateSettings) -> None:
        """Do nothing."""

    async def scenarios(self) -> ScenarioList:
        """Return the built-in ones and one of the person's own."""
        own = replace(BUILT_IN[2], name="visit-notes", title="Notes after a visit", voice="tiffany", language="en-GB")
        found = sorted((*BUILT_IN, own), key=lambda one: one.title)
        return ScenarioList(scenarios=tuple(found), own=frozenset({own.name}))

    async def keep_scenario(self, scenario: Scenario, *, force: bool = False) -> None:
        """Do nothing."""

    async def remove_scenario(self, name: str) -> None:
        """Do nothing."""

    async def sign_in(self, tell: Callable[[str], None]) -> bool:
        """Wait for somebody in a browser."""
        tell("https://device.sso.eu-central-1.amazonaws.com/")
        await asyncio.Event().wait()
        return True

    async def metrics(self) -> Sequence[Metric]:
        """Return a bad day."""
        return make_metrics()

    async def events(self, *, newest: int = 200) -> Sequence[str]:
        """Return a few events."""
        return _EVENTS[-newest:]

    async def report(self) -> str:
        """Return a short report."""
        return "NovaDesk report"

    async def inspect(self) -> Inspection:
        """Return a session in the middle of a renewal."""
        handle = self._conversations[0].handle if self._conversations else ""
        wires = (
            WireFacts(
                generation=3,
                carries=Carries.LIVE,
                wire_id="9b0f6d0e-53c4-4a35-8f3c-6d1a5d1c2f10",
                prompt="1f6c2f0a-7d4e-4c0b-9a55-2f9d3f1f8e01",
                age_s=362.0,
                left_s=2_140.0,
            ),
            WireFacts(
                generation=4,
                carries=Carries.READY,
                wire_id="3c2e8f54-0f0b-4b0e-9d0c-8a1b6f7f2d77",
                prompt="77d0a3b2-41a0-4f9d-8c6e-0b1c2d3e4f50",
                age_s=2.0,
                left_s=3_500.0,
            ),
        )
        remote = (
            RemoteFacts(generation=0, state="closed", session_id="", steps=950),
            RemoteFacts(generation=1, state="bound", session_id="5f1d7e3a-2b6c-4d8e-9f0a-1b2c3d4e5f60", steps=14),
        )
        return Inspection(
            handle=handle,
            label="caring-king-275",
            turn_id="0b7c8d9e-5f60-4a1b-8c2d-3e4f5a6b7c8d",
            turn_sync=SyncState.PENDING,
            wires=wires,
            remote=remote,
        )

    async def happened(self, *, after: int = 0) -> Sequence[Happened]:
        """Return a few minutes."""
        return [
            Happened(number=number, at_ms=1_790_000_000_000 + number * 2_300, kind=kind, words=words)
            for number, (kind, words) in enumerate(_HAPPENED, start=1)
            if number > after
        ]

    async def bundle(self, tell: Callable[[float], None]) -> Sequence[BundlePart]:
        """Return a short one."""
        tell(1.0)
        report = "NovaDesk report, 2027-01-15 08:00:00 UTC\n\n## Program\nversion: 0.1.0\nsystem: Linux 6.1.0\n"
        return (
            BundlePart(name="report.txt", about="Version, system, settings, numbers, warnings", text=report),
            BundlePart(name="recording.jsonl", about="Protocol events, with lengths", text='{"format":1}\n'),
        )

    async def save_bundle(self, file: str, parts: Sequence[BundlePart]) -> None:
        """Do nothing."""

    async def devices(self) -> Devices:
        """Return two of each."""
        return Devices(
            microphones=("PulseAudio: Built-in Microphone", "PulseAudio: USB Headset"),
            speakers=("PulseAudio: Built-in Speakers", "PulseAudio: USB Headset"),
        )

    async def use_sound(self, settings: AudioSettings) -> None:
        """Do nothing."""

    async def use(self, settings: Settings) -> None:
        """Do nothing."""

    async def try_sound(self, devices: AudioSettings, hear: Callable[[SoundTest], None]) -> None:
        """Hear somebody speak a little."""
        hear(SoundTest(microphone=devices.microphone or "Built-in Microphone", speaker="Built-in Speakers", level=0.05))
        await asyncio.Event().wait()

    async def use_talk(self, settings: TalkSettings) -> None:
        """Do nothing."""

    async def try_keys(self, settings: TalkSettings, tell: Callable[[KeyCount], None]) -> KeyCount:  # noqa: ARG002
        """Hear a key that was pressed three times and is down."""
        tell(KeyCount(presses=3, releases=2))
        await asyncio.Event().wait()
        return KeyCount()

    async def notify(self, title: str, words: str) -> None:
        """Show nothing."""

    async def talk_commands(self) -> tuple[str, ...]:
        """Return those of the usual folder."""
        return COMMANDS

    async def ignore_keys(self) -> None:
        """Do nothing."""
        await asyncio.Event().wait()

    async def sound_figures(self) -> Sequence[Metric]:
        """Return an ordinary minute."""
        return make_sound_figures()


CODE = DeviceCode(
    code="WDJB-MJHT",
    address="https://id.example.com/activate",
    whole_address="https://id.example.com/activate?code=WDJB-MJHT",
    life_s=600.0,
)
"""What a sign-in with a code shows."""


class PreviewSteps:
    """Answer the first steps from hand-written values."""

    async def account_standing(self, backend: BackendSettings) -> SignInStanding:  # noqa: ARG002
        """Return somebody who is signed in."""
        return SignInStanding(signed_in=True, name="anna@example.com")

    async def account_sign_in(self, backend: BackendSettings, open_page: Callable[[str], None]) -> None:
        """Do nothing."""

    async def account_sign_in_with_code(self, backend: BackendSettings, show: Callable[[DeviceCode], None]) -> None:
        """Do nothing."""

    async def account_use_token(self, backend: BackendSettings, token: str) -> None:
        """Do nothing."""

    async def account_sign_out(self, backend: BackendSettings) -> None:
        """Do nothing."""

    async def try_access(self, backend: BackendSettings, tell: Callable[[AccessStep], None]) -> bool:  # noqa: ARG002
        """Meet a permission that is missing."""
        tell(AccessStep(name="AWS sign-in", state=StepState.DONE, what="the keys of this profile were found"))
        tell(
            AccessStep(
                name="Voice",
                state=StepState.FAILED,
                what="This account may not use the model.",
                advice="Ask whoever manages the account for the permission bedrock:InvokeModelWithBidirectionalStream.",
            )
        )
        return False

    async def policy(self, backend: BackendSettings) -> str:
        """Return a policy."""
        return policy(backend.region)

    async def record(self, devices: AudioSettings, tell: Callable[[Recording], None]) -> float | None:  # noqa: ARG002
        """Be in the middle of a recording."""
        tell(Recording(stage=RecordingStage.RECORDING, level=0.07, left_s=1.4))
        await asyncio.Event().wait()
        return None

    async def hear_itself(self, devices: AudioSettings, voice_db: float | None) -> SelfHearing:  # noqa: ARG002
        """Hear the speaker."""
        return SelfHearing(
            heard=True,
            over_noise_db=31.0,
            advice=EchoSetting.SPEAKERS,
            what="The microphone hears the speaker. NovaDesk takes its own voice out, so you can still cut in.",
        )

    async def use(self, settings: Settings) -> None:
        """Do nothing."""

    async def autostart(self) -> bool:
        """Return that NovaDesk does not start with the session."""
        return False

    async def set_autostart(self, on: bool) -> None:
        """Do nothing."""


class SilentIntents:
    """Take every wish and do nothing."""

    def take_key(self, event: KeyDown | KeyUp | OtherDown) -> None:
        """Do nothing."""

    def lose_focus(self) -> None:
        """Do nothing."""

    def toggle_talk(self) -> None:
        """Do nothing."""

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Do nothing."""

    def set_muted(self, muted: bool) -> None:
        """Do nothing."""

    def set_volume(self, volume: float) -> None:
        """Do nothing."""

    def stop_speaking(self) -> None:
        """Do nothing."""

    def say(self, text: str, *, aloud: bool = True) -> None:
        """Do nothing."""

    def new_conversation(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        """Do nothing."""

    def change_scenario(self, scenario: Chosen | None) -> None:
        """Do nothing."""

    def use_voice(self, settings: VoiceSettings) -> None:
        """Do nothing."""

    def open_conversation(self, handle: str) -> None:
        """Do nothing."""

    def pause_conversation(self) -> None:
        """Do nothing."""

    def resume_conversation(self) -> None:
        """Do nothing."""

    def end_conversation(self) -> None:
        """Do nothing."""

    def try_now(self) -> None:
        """Do nothing."""

    def quit(self) -> None:
        """Do nothing."""
