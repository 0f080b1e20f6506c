"""The only file of the core that a window may see: state down, wishes up, questions with answers.

A `Snapshot` is frozen and complete: window, tray, `novadesk ctl status` and diagnostics draw the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.chord import KeyDown, KeyUp, OtherDown
from novadesk.config import AudioSettings, EchoSetting, PressSetting, Settings, VoiceSettings
from novadesk.conversation.historyapi import HistoryRequests
from novadesk.conversation.inspection import NOT_MEASURED, InsightRequests
from novadesk.conversation.inspection import Carries as Carries
from novadesk.conversation.inspection import Connection as Connection
from novadesk.conversation.inspection import EventKind as EventKind
from novadesk.conversation.inspection import Happened as Happened
from novadesk.conversation.inspection import Inspection as Inspection
from novadesk.conversation.inspection import Quality as Quality
from novadesk.conversation.inspection import RemoteFacts as RemoteFacts
from novadesk.conversation.inspection import WireFacts as WireFacts
from novadesk.conversation.talkapi import TalkRequests
from novadesk.conversation.updateapi import Offer, UpdateRequests
from novadesk.diagnostics.bundle import BundlePart as BundlePart
from novadesk.diagnostics.metrics import Metric as Metric
from novadesk.diagnostics.metrics import Unit as Unit
from novadesk.models import BackendKind, Conversation, InputTrouble, Role, Turn
from novadesk.scenario import Chosen, Scenario
from novadesk.text import Text

RENEWED = Text("Session renewed")
"""The passing line of a renewal. It is shown and not read aloud: nothing has happened that anybody would notice."""


class Phase(Enum):
    """Where the conversation stands."""

    OFFLINE = "offline"
    IDLE = "idle"
    CONNECTING = "connecting"
    READY = "ready"
    LISTENING = "listening"
    THINKING = "thinking"
    TOOL = "tool"
    SPEAKING = "speaking"
    INTERRUPTED = "interrupted"
    RENEWING = "renewing"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    ENDED = "ended"


class Pause(Enum):
    """Whether the person takes a break. PAUSING and RESUMING last until the service has agreed."""

    OFF = "off"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"


class MicrophoneState(Enum):
    """What the microphone does: audio reaches the service only when OPEN; GATED and MUTED send silence."""

    OPEN = "open"
    GATED = "gated"
    MUTED = "muted"
    ABSENT = "absent"


class TalkMode(Enum):
    """How the person talks."""

    HOLD = "hold"
    HANDS_FREE = "hands_free"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNote:
    """A known error in words. `retry` is true when "Try now" makes sense."""

    layer: str
    reason: str
    what: str
    advice: str
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveText:
    """Text in the making, never stored: `spoken` has been played, `planned` has not yet."""

    role: Role
    spoken: str
    planned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTotals:
    """Tokens of the open conversation since the program started, by modality."""

    speech_in: int = 0
    text_in: int = 0
    speech_out: int = 0
    text_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDelay:
    """What the wait for an answer was made of, in seconds; they add up to `Snapshot.answer_s`.

    Attributes:
        endpointing_s: from the end of the person's speech until the service took it for the end.
        model_s: from then to the first sound of the answer.
        client_s: from then to the first sample in the speaker.
    """

    endpointing_s: float
    model_s: float
    client_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything there is to draw.

    Attributes:
        backend_name: honest words for the backend, such as "Practice partner (local)".
        voice: of the live wire session, else of the next one.
        scenario: what the open conversation was begun with, its form filled in, if it was a scenario.
        in_force: what the live wire session was opened with, None without one.
        changing: something else is wanted since, and comes with the next wire session, which is under way.
        turns: the newest turns of the open conversation, at most 200, of a private one all, in order; those that are
            not on disk are `LOCAL`.
        live: text in the making, the user's first.
        notices: passing lines such as "Back after 4 s. 12 turns carried over.", oldest first, at most 8.
        connection: how good the live connection is.
        answer_s: seconds from the end of the user's speech to the first played sample of the last answer.
        answer_delay: what that time was made of.
        input_note: what is wrong with the microphone's sound and what helps, or empty.
        hears_itself: the assistant seems to hear its own voice; a headset helps, or taking turns.
        loud_echo_db: how much louder the speaker reaches the microphone than the person, where that is far too much.
        echo: what is done about the speaker's sound in the microphone.
        press: what a press of a talk key, or of the talk button, does.
        unanswered: something was said aloud just now that the service has not understood yet.
        talk_locked: the talk goes on until the next press, though nothing is held.
        muted: the person has muted the microphone, though it may be absent.
        sound_opening: the devices are being opened; an absent microphone may still come.
        hotkeys: the keys that talk whichever window has the focus, by name or in the desktop's words; likewise
            `mute_hotkeys`, and `hotkey_note` says why some do not.
        store_note: what came of a repair of the store, or what is wrong with it.
        settings_note: what the person should know of the settings file: a broken one, or one that cannot be written.
        history_note: what was deleted for its age, or empty.
        update: the newer NovaDesk that there is, also where the person skips it.
        store_revision: grows whenever the list of conversations changed on disk.
        renewals: wire sessions that took over from one before its limit, since the program started.
        reconnects: outages that are over, since the program started.
        lost_s: seconds of speech that no wire session could take, since the program started.
        recovered_turns: turns loaded from disk when the conversation was opened.
        unsaved: turns that the disk has refused so far; they are kept in memory and tried again.
        pulling: steps read and steps to read while the remote store is being read, else None.
    """

    phase: Phase = Phase.IDLE
    pause: Pause = Pause.OFF
    microphone: MicrophoneState = MicrophoneState.ABSENT
    muted: bool = False
    talk_mode: TalkMode = TalkMode.HOLD
    talking: bool = False
    unanswered: bool = False
    press: PressSetting = PressSetting.HOLD
    talk_locked: bool = False
    sound_opening: bool = False
    backend: BackendKind = BackendKind.PRACTICE
    backend_name: str = ""
    model: str = ""
    voice: str = ""
    scenario: Chosen | None = None
    in_force: VoiceSettings | None = None
    changing: bool = False
    conversation: Conversation | None = None
    turns: tuple[Turn, ...] = ()
    live: tuple[LiveText, ...] = ()
    microphone_level: float = 0.0
    speaker_level: float = 0.0
    microphone_name: str = ""
    speaker_name: str = ""
    device_note: str = ""
    attempt: int = 0
    retry_in_s: float | None = None
    error: ErrorNote | None = None
    pending_sync: int = 0
    recovered_turns: int = 0
    renewals: int = 0
    reconnects: int = 0
    lost_s: float = 0.0
    keyring_note: str = ""
    store_note: str = ""
    settings_note: str = ""
    history_note: str = ""
    update: Offer | None = None
    hotkeys: tuple[str, ...] = ()
    mute_hotkeys: tuple[str, ...] = ()
    hotkey_note: str = ""
    notices: tuple[str, ...] = ()
    connection: Connection = NOT_MEASURED
    answer_s: float | None = None
    answer_delay: AnswerDelay | None = None
    input_note: str = ""
    hears_itself: bool = False
    loud_echo_db: float | None = None
    echo: EchoSetting = EchoSetting.HEADSET
    tokens: TokenTotals = TokenTotals()
    store_revision: int = 0
    unsaved: int = 0
    pulling: tuple[int, int] | None = None


class Talking(Protocol):
    """The window's part in who talks. Every call returns at once; its effect shows in the next snapshot."""

    def take_key(self, event: KeyDown | KeyUp | OtherDown) -> None:
        """Take what a key of the window did, repeats included; what follows from it is not the window's to decide."""
        ...

    def lose_focus(self) -> None:
        """Take that the window sees no keys any more."""
        ...

    def toggle_talk(self) -> None:
        """Begin or end a talk, without a key that is held."""
        ...

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Choose between hold-to-talk and hands-free."""
        ...

    def set_muted(self, muted: bool) -> None:
        """Mute, or unmute once no mute key is held any more; muted sends silence."""
        ...


class Wishes(Protocol):
    """What else the person wants. Every call returns at once; its effect shows in the next snapshot."""

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1, until the program ends; the settings keep it for the next start."""
        ...

    def stop_speaking(self) -> None:
        """Silence the answer being played and discard its rest; discard one that is due and has not begun."""
        ...

    def say(self, text: str, *, aloud: bool = True) -> None:
        """Send typed text as a user turn; without `aloud` its answer is read only, not heard."""
        ...

    def new_conversation(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        """End the open conversation and start an empty one; of a private one nothing is ever written.

        Args:
            private: nothing of it is ever written.
            scenario: what it is begun with; None for the settings alone.
        """
        ...

    def change_scenario(self, scenario: Chosen | None) -> None:
        """Go on in the open conversation with another scenario, or with none.

        What needs a new wire session comes with the next quiet moment, see `Snapshot.changing`; all else at once.
        """
        ...

    def use_voice(self, settings: VoiceSettings) -> None:
        """Take another voice, other instructions, another patience, where no scenario says otherwise; as above."""
        ...

    def open_conversation(self, handle: str) -> None:
        """End the open conversation and resume another one with its history."""
        ...

    def pause_conversation(self) -> None:
        """End the wire session and release the devices for a while; the conversation stays open."""
        ...

    def resume_conversation(self) -> None:
        """Go on after a pause; so does talking or typing."""
        ...

    def end_conversation(self) -> None:
        """End the wire session and release the devices; the conversation stays in the list."""
        ...

    def try_now(self) -> None:
        """Connect at once: instead of waiting for the next attempt, or because nothing is connected."""
        ...

    def quit(self) -> None:
        """Finish what is being written, close everything, leave."""
        ...


class Intents(Talking, Wishes, Protocol):
    """All that a window may want."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Names of the sound devices, as the settings store them; the first of each is the system's default."""

    microphones: tuple[str, ...]
    speakers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTest:
    """What a test of the sound devices hears at a moment.

    Attributes:
        microphone: the device that is open, empty until one is. Likewise `speaker`.
        note: why these are not the devices asked for, in words, or empty.
        level: of the newest 32 ms, root mean square, 0 to 1.
        trouble: what is wrong with the microphone's sound.
    """

    microphone: str = ""
    speaker: str = ""
    note: str = ""
    level: float = 0.0
    trouble: InputTrouble = InputTrouble.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioList:
    """What a conversation can be begun with, by title.

    Attributes:
        own: names of those that are the person's own; the others are built in.
        broken: names of files that hold none.
    """

    scenarios: tuple[Scenario, ...]
    own: frozenset[str] = frozenset()
    broken: tuple[str, ...] = ()


class Requests(HistoryRequests, InsightRequests, TalkRequests, UpdateRequests, Protocol):
    """Questions with an answer. Every one raises KnownError when it cannot be answered within its deadline."""

    async def devices(self) -> Devices:
        """Return the sound devices as they are now."""
        ...

    async def use_sound(self, settings: AudioSettings) -> None:
        """Use these devices, echo and volumes from now on, in the open conversation too."""
        ...

    async def use(self, settings: Settings) -> None:
        """Use other settings, with a new connection, and in a new conversation where they lead elsewhere.

        Raises:
            KnownError: they cannot be used; then the old ones still are.
        """
        ...

    async def try_sound(self, devices: AudioSettings, hear: Callable[[SoundTest], None]) -> None:
        """Open these devices, play the listening cue once sound comes, and close them after 20 s or when cancelled.

        Args:
            devices: what to try; the conversation's own devices stay as they are.
            hear: takes what is heard, on the core loop, about 30 times a second; must return at once.
        """
        ...

    async def pull(self, handle: str | None = None) -> int:
        """Read what other machines wrote to a conversation, or (None) find their conversations and read them all.

        Delivers again what was refused. Snapshots show the progress; cancelling the wait stops it.

        Returns:
            The number of turns that came in.
        """
        ...

    async def notify(self, title: str, words: str) -> None:
        """Show a notice of the desktop where that takes one of a program without an icon in a tray."""
        ...

    async def scenarios(self) -> ScenarioList:
        """Return what a conversation can be begun with."""
        ...

    async def keep_scenario(self, scenario: Scenario, *, force: bool = False) -> None:
        """Keep a scenario; another one of that name is replaced only with `force`, a built-in one is hidden by it."""
        ...

    async def remove_scenario(self, name: str) -> None:
        """Remove one of the person's own; a built-in one that it hid is there again."""
        ...


type SnapshotSink = Callable[[Snapshot], None]
