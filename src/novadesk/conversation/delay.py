"""How long the person waited for an answer, and for what of it: the end of speech, the model, or this program. Pure."""

from novadesk.conversation.api import AnswerDelay


class AnswerClock:
    """Follows one exchange after another; times are monotonic seconds.

    Attributes:
        delay: of the newest answer, None before it is heard.
    """

    def __init__(self) -> None:
        self.delay: AnswerDelay | None = None
        self._ended_at: float | None = None
        self._noticed_at: float | None = None
        self._arrived_at: float | None = None
        self._told = False
        self._by_service = False  # nobody but the service knows when the person stopped talking

    @property
    def total_s(self) -> float | None:
        """Return the whole wait for the newest answer."""
        return None if self.delay is None else self.delay.endpointing_s + self.delay.model_s + self.delay.client_s

    @property
    def running(self) -> bool:
        """Return whether the end of the person's speech is known, and no sound of its answer was heard yet."""
        return self._ended_at is not None

    def ended(self, now: float, *, answered: bool = False) -> None:
        """Note that the person stopped talking, or typed; `answered`: the answer to it is here already."""
        self._ended_at, self._by_service = now, False
        if not answered:
            self._noticed_at = self._arrived_at = None

    def noticed(self, now: float, *, told: bool) -> None:
        """Note that the service took the speech for ended: it has `told` so, or sent the words."""
        if told and (self._ended_at is None or self._by_service):
            self._ended_at, self._by_service = now, True
        if told or not self._told:
            self._noticed_at = now
        self._told = told
        self._arrived_at = None

    def arrived(self, now: float) -> None:
        """Note sound of an answer."""
        self._arrived_at = now if self._arrived_at is None else self._arrived_at

    def heard(self, now: float) -> None:
        """Note that the person hears the answer."""
        if self._ended_at is None:
            return
        noticed_at = max(self._ended_at, self._noticed_at or self._ended_at)
        arrived_at = min(now, max(noticed_at, self._arrived_at or noticed_at))
        self.delay = AnswerDelay(
            endpointing_s=noticed_at - self._ended_at, model_s=arrived_at - noticed_at, client_s=now - arrived_at
        )
        self._ended_at = None

    def dropped(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._ended_at = self._noticed_at = self._arrived_at = None

    def unknown(self) -> None:
        """Note an exchange of which nobody knows when the person stopped talking."""
        self.delay = None
