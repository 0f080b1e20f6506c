"""Opens the devices that were asked for, others in the place of those that do not open or are dead, or one alone."""

from collections.abc import Callable

from novadesk.audio.devices import (
    Choice,
    DeviceList,
    Direction,
    choose,
    dead_choice,
    is_refusal,
    no_sound,
    not_permitted,
)
from novadesk.audio.duplex import Duplex, OpenFailure, open_duplex
from novadesk.audio.wire import Open, Opened, Trying
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

STALLED_ADVICE = Text(
    "NovaDesk opens it again by itself; if that does not help, connect it again or choose another one."
)

ALL_DEAD = Text("The sound device has stopped delivering sound.")

_MEANWHILE = {
    Direction.MICROPHONE: Text("Until then you can type and listen."),
    Direction.SPEAKER: Text("Until then you can talk and read."),
}


def open_devices(found: DeviceList, wanted: Open, tell: Callable[[Trying], None]) -> tuple[Duplex, Opened]:
    """Open the preferred devices, or others with a note where those do not open or are dead; perhaps only one.

    Args:
        found: the devices.
        wanted: those to open, and how.
        tell: told what is being opened, for a driver may hang in it.

    Raises:
        KnownError: `UNKNOWN_DEVICE`; `NO_MICROPHONE`, `NO_SPEAKER` or `SOUND_SERVER_GONE` when nothing opens, or not
            all where one alone is not wanted; `DEVICE_STALLED` when all that could be opened is dead.
    """
    listening, speaking = ways = tuple(_Way(found, direction, wanted) for direction in Direction)
    titles = {way.direction: way for way in ways}

    def trying(direction: Direction | None) -> None:
        tell(Trying() if direction is None else Trying(direction=direction, device=titles[direction].title))

    duplex: Duplex | None = None
    while duplex is None:
        _check(ways, wanted)
        try:
            duplex = open_duplex(
                listening.choice.device,
                speaking.choice.device,
                wanted.generation,
                apart=wanted.apart,
                trying=trying,
            )
        except OpenFailure as failure:
            for way, failed in zip(ways, (failure.microphone, failure.speaker), strict=True):
                if failed:
                    way.fail(failure)
    trying(None)
    return duplex, Opened(
        microphone=listening.title,
        speaker=speaking.title,
        note=Text.joined(listening.choice.note, speaking.choice.note),
        capture_hz=duplex.capture.rate_hz,
        playout_hz=duplex.playout.rate_hz,
        capture_latency_s=duplex.capture_latency_s,
        playout_latency_s=duplex.playout_latency_s,
        one_clock=duplex.one_clock,
        closed_microphones=tuple(listening.closed),
        closed_speakers=tuple(speaking.closed),
    )


class _Way:
    """One direction: what to open next, and what has not opened.

    Attributes:
        choice: the device, or none.
        closed: titles of devices that are there and do not open.
        error: why there is none, where nobody has known it before.
        cause: the words of PortAudio behind it.
    """

    def __init__(self, found: DeviceList, direction: Direction, wanted: Open) -> None:
        self.direction = direction
        self.choice = Choice(device=None, note="")
        self.closed: list[str] = []
        self.error: KnownError | None = None
        self.cause = ""
        self._found = found
        self._dead: tuple[str, ...] = getattr(wanted, f"dead_{direction.value}s")
        if wanted.only not in (None, direction):
            return
        try:
            self.choice = choose(found, direction, getattr(wanted, direction.value), self._dead)
        except KnownError as error:
            if error.reason is Reason.UNKNOWN_DEVICE:
                raise
            self._do_without(error)

    @property
    def title(self) -> str:
        """Return the name of the device, or nothing."""
        return "" if self.choice.device is None else self.choice.device.title

    def fail(self, failure: OpenFailure) -> None:
        """Take that the device does not open: go on to another one, or to none."""
        title = self.title
        self.closed.append(title)
        offered = self._found.titles(self.direction)
        default = self._found.default(self.direction)
        if self._dead:
            later = offered[offered.index(title) + 1 :] if title in offered else offered
            instead = self._found.alive(self.direction, {*offered} - {*later} | {*self._dead})
            self.choice = dead_choice(self.direction, self._dead[0], instead)
        elif default is not None and default.title not in self.closed:
            template = Text("The microphone “{device}” does not open; using “{other}”.")
            if self.direction is Direction.SPEAKER:
                template = Text("The speaker “{device}” does not open; using “{other}”.")
            self.choice = Choice(device=default, note=template.with_values(device=title, other=default.title))
        else:
            self.closed = list(dict.fromkeys((*self.closed, *offered)))  # only what comes later is worth a new opening
            self.cause = failure.cause
            self._do_without(_not_opened(self.direction, title, failure.cause))

    def _do_without(self, error: KnownError) -> None:
        self.error = error
        self.choice = Choice(device=None, note=Text.joined(error.what, error.advice, _MEANWHILE[self.direction]))


def _check(ways: tuple[_Way, ...], wanted: Open) -> None:
    """Raise why nothing is left to be opened, or not enough."""
    errors = [way.error for way in ways if way.error is not None]
    if wanted.whole and errors:
        raise errors[0]
    if any(way.choice.device is not None for way in ways):
        return
    if len(errors) == len(ways):
        raise next((way.error for way in ways if way.error is not None and is_refusal(way.cause)), no_sound())
    raise errors[0] if errors else KnownError(Reason.DEVICE_STALLED, ALL_DEAD, STALLED_ADVICE)


def _not_opened(direction: Direction, title: str, cause: str) -> KnownError:
    if is_refusal(cause):
        return not_permitted(direction)
    microphone = direction is Direction.MICROPHONE
    return KnownError(
        Reason.NO_MICROPHONE if microphone else Reason.NO_SPEAKER,
        "The microphone “{device}” does not open ({cause})."
        if microphone
        else "The speaker “{device}” does not open ({cause}).",
        "Close other programs that use it, or choose another device in Settings.",
        device=title,
        cause=cause,
    )
