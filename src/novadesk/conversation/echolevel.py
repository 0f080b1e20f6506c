"""Whether the speaker reaches the microphone far louder than the person does. Pure."""

FAR_ABOVE_DB = 10.0
"""At an echo this much above the voice more than a tenth of interruptions are missed, and answers stop for nothing."""

LOOKS = 5
"""So many looks in a row at which the figure had moved on: sound that was measured, no single bang."""


class EchoLevel:
    """Follows how much louder the echo is than the voice; tells once.

    Attributes:
        found_db: how much, once that was found far too much.
    """

    def __init__(self) -> None:
        self.found_db: float | None = None
        self._last_db = 0.0
        self._looks = 0

    def look(self, over_voice_db: float) -> bool:
        """Take the figure, 0 while unknown; to be called about once a second. Return True when it is now clear."""
        if over_voice_db == self._last_db:  # nothing was heard meanwhile
            return False
        self._last_db = over_voice_db
        self._looks = self._looks + 1 if over_voice_db >= FAR_ABOVE_DB else 0
        if self.found_db is not None or self._looks < LOOKS:
            return False
        self.found_db = over_voice_db
        return True
