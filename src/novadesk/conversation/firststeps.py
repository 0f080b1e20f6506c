"""What the first steps ask of the program: to try access, microphone and speaker, and to begin with what was chosen.

Values and questions only; like `conversation.api`, this is what a window may see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.config import AudioSettings, BackendSettings, EchoSetting, Settings
from novadesk.models import DeviceCode, SignInStanding


class StepState(Enum):
    """How far a step of a test is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessStep:
    """One step of trying the access.

    Attributes:
        name: what is tried, in words.
        state: how far it is.
        what: what came of it.
        advice: what to do when it failed.
        needed: without it nobody can talk; else the conversations only stay on this computer.
    """

    name: str
    state: StepState
    what: str = ""
    advice: str = ""
    needed: bool = True


class RecordingStage(Enum):
    """What a recording of the microphone is at."""

    OPENING = "opening"
    RECORDING = "recording"
    PLAYING = "playing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording under way: `level` of the newest 32 ms, 0 to 1 RMS, and the seconds that are left of the stage."""

    stage: RecordingStage
    level: float = 0.0
    left_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfHearing:
    """Whether the microphone hears the speaker.

    Attributes:
        heard: it does; None when that cannot be told.
        over_noise_db: how far the speaker stands out of the room's noise there.
        advice: what to hear NovaDesk with; None when nothing can be advised.
        what: the outcome in words.
    """

    heard: bool | None
    over_noise_db: float = 0.0
    advice: EchoSetting | None = None
    what: str = ""


class AccountRequests(Protocol):
    """Questions about the person's account at a gateway, which these settings name; each raises KnownError."""

    async def account_standing(self, backend: BackendSettings) -> SignInStanding:
        """Return how the person stands with the gateway; nobody is asked but the keyring."""
        ...

    async def account_sign_in(self, backend: BackendSettings, open_page: Callable[[str], None]) -> None:
        """Sign in with the browser.

        Args:
            backend: names the gateway.
            open_page: takes the address of the page to open, on the core loop; must return at once.
        """
        ...

    async def account_sign_in_with_code(self, backend: BackendSettings, show: Callable[[DeviceCode], None]) -> None:
        """Sign in with a code that is entered elsewhere; `show` takes it, on the core loop."""
        ...

    async def account_use_token(self, backend: BackendSettings, token: str) -> None:
        """Use a token that the person was given, until it ends."""
        ...

    async def account_sign_out(self, backend: BackendSettings) -> None:
        """Forget every token of the account."""
        ...


class FirstSteps(AccountRequests, Protocol):
    """Questions with an answer, as `Requests`: each raises KnownError, and ends what it opened when it is cancelled."""

    async def try_access(self, backend: BackendSettings, tell: Callable[[AccessStep], None]) -> bool:
        """Call the service as a conversation would; return whether all that is needed works.

        Args:
            backend: what to try; the conversation's own stays as it is.
            tell: takes each step when it begins and when it is over, on the core loop.
        """
        ...

    async def policy(self, backend: BackendSettings) -> str:
        """Return the IAM policy for this region and key, as JSON."""
        ...

    async def record(self, devices: AudioSettings, tell: Callable[[Recording], None]) -> float | None:
        """Record the microphone for some seconds, play it back, and forget it.

        Returns:
            How loud the voice was, in dB of full scale, or None when there was none.
        """
        ...

    async def hear_itself(self, devices: AudioSettings, voice_db: float | None) -> SelfHearing:
        """Play speech and measure how much of it the microphone hears.

        Args:
            devices: what to try.
            voice_db: how loud the person's own voice was, as `record` found it.
        """
        ...

    async def use(self, settings: Settings) -> None:
        """Go on with other settings at once, in a new conversation where they lead elsewhere."""
        ...

    async def autostart(self) -> bool:
        """Return whether NovaDesk starts with the person's session."""
        ...

    async def set_autostart(self, on: bool) -> None:
        """Have NovaDesk start with the session, or no more."""
        ...
