"""What a microphone and a speaker of the tests need not do: pause an answer, sound cues, have a volume."""

from novadesk.models import Cue


class PlainSound:
    """The rest of `conversation.ports.Sound` for a double that only captures and plays."""

    def play_on(self, generation: int) -> None:
        pass

    def cue(self, cue: Cue) -> None:
        pass

    def watch_barge_in(self, on: bool) -> None:
        pass

    def set_volume(self, volume: float) -> None:
        pass
