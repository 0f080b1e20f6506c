"""What the next audio process is asked for: the devices that a person prefers, and how things stood in the last one."""

from dataclasses import replace

from novadesk.audio.deaddevices import DeadDevices
from novadesk.audio.devices import Direction, is_title_of
from novadesk.audio.wire import Open, Opened
from novadesk.config import AudioSettings


class Wanted:
    """Remembers it from one opening to the next.

    Args:
        settings: of the person.
        whole: nothing is to be opened where only one direction can be.

    Attributes:
        volume: of answers, 0 to 1.
        watching: a barge-in is looked for.
        paused: what is not played yet waits.
    """

    def __init__(self, settings: AudioSettings, *, whole: bool) -> None:
        self.settings = settings
        self.microphone, self.speaker = settings.microphone, settings.speaker
        self.volume = settings.volume
        self.watching = True
        self.paused = False
        self._whole = whole

    def prefer(self, settings: AudioSettings) -> bool:
        """Take other settings; return whether they need the devices opened anew."""
        before, self.settings = self.settings, settings
        if replace(before, volume=0, cue_volume=0) == replace(settings, volume=0, cue_volume=0):
            return False
        self.microphone, self.speaker = settings.microphone, settings.speaker
        return True

    def order(self, generation: int, dead: DeadDevices) -> Open:
        """Return the command that opens the devices."""
        return Open(
            microphone=self.microphone,
            speaker=self.speaker,
            generation=generation,
            echo=self.settings.echo,
            volume=self.volume,
            paused=self.paused,
            watching=self.watching,
            apart=dead.apart,
            whole=self._whole,
            dead_microphones=dead.titles(Direction.MICROPHONE),
            dead_speakers=dead.titles(Direction.SPEAKER),
        )

    def opened(self, report: Opened) -> None:
        """Prefer by the full name from now on: a device known to exist is fallen back from when it is unplugged."""
        if self.microphone and is_title_of(report.microphone, self.microphone):
            self.microphone = report.microphone
        if self.speaker and is_title_of(report.speaker, self.speaker):
            self.speaker = report.speaker
