"""Who sees what goes on in a conversation, and changes nothing of it."""

from dataclasses import dataclass

from novadesk.conversation.ports import Hearing, Observer
from novadesk.diagnostics.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Each of them need not be there.

    Attributes:
        recorder: takes note of protocol events.
        observer: sees what the service says on the live wire session.
        hearing: told what the person hears.
    """

    recorder: Recorder | None = None
    observer: Observer | None = None
    hearing: Hearing | None = None

    def heard(self, content_id: str, samples: int, last: bool) -> None:
        """Tell what the person hears; see `Hearing`."""
        if self.hearing is not None:
            self.hearing.heard(content_id, samples, last=last)
