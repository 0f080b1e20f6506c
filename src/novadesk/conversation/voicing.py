"""What the wire sessions of the open conversation are opened with: the settings, and its own scenario on top."""

from collections.abc import Callable
from dataclasses import dataclass

from novadesk.config import VoiceSettings
from novadesk.conversation.record import Record
from novadesk.protocol.session import Setup
from novadesk.scenario import Chosen, decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How one wire session opens, and the settings that say so."""

    voice: VoiceSettings
    setup: Setup


class Voicing:
    """Makes the opening of each wire session.

    Args:
        settings: voice, instructions and patience of a conversation without a scenario.
        record: the open conversation.
        make: returns the opening events for settings.
        on_changed: called when what a wire session opens with is another than before.
    """

    def __init__(
        self,
        *,
        settings: VoiceSettings,
        record: Record,
        make: Callable[[VoiceSettings], Setup],
        on_changed: Callable[[], None],
    ) -> None:
        self._settings, self._record, self._make, self._on_changed = settings, record, make, on_changed
        self._decoded: tuple[str, Chosen | None] = ("", None)

    @property
    def scenario(self) -> Chosen | None:
        """Return what the open conversation was begun with, if it was a scenario."""
        conversation = self._record.conversation
        text = "" if conversation is None else conversation.scenario
        if text != self._decoded[0]:
            self._decoded = (text, decode(text))
        return self._decoded[1]

    @property
    def wanted(self) -> VoiceSettings:
        """Return what the next wire session is opened with."""
        scenario = self.scenario
        return self._settings if scenario is None else scenario.voice_settings(self._settings)

    def opening(self) -> Opening:
        """Return how a wire session opens now."""
        wanted = self.wanted
        return Opening(voice=wanted, setup=self._make(wanted))

    def use(self, settings: VoiceSettings) -> None:
        """Take other settings from now on."""
        before, self._settings = self.wanted, settings
        self._compare(before)

    def change(self, scenario: Chosen | None) -> None:
        """Give the open conversation another scenario, or none."""
        before = self.wanted
        self._record.change_scenario("" if scenario is None else scenario.encode())
        self._compare(before)

    def _compare(self, before: VoiceSettings) -> None:
        if self.wanted != before:
            self._on_changed()
