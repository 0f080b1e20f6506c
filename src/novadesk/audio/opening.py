"""Opens the devices that were asked for, or others in the place of those that do not open or are dead."""

from collections.abc import Sequence

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
from novadesk.audio.wire import Open, Opened
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

STALLED_ADVICE = Text(
    "NovaDesk opens it again by itself; if that does not help, connect it again or choose another one."
)

ALL_DEAD = Text("The sound device has stopped delivering sound.")

_NOT_WANTED = Choice(device=None, note="")


def open_devices(found: DeviceList, wanted: Open) -> tuple[Duplex, Opened]:
    """Open the preferred devices, or others with a note where those do not open or are dead; perhaps only one.

    Raises:
        KnownError: see `devices.choose`; `NO_MICROPHONE`, `NO_SPEAKER` or `SOUND_SERVER_GONE` when nothing opens,
            `DEVICE_STALLED` when all that could be opened is dead.
    """
    listening = speaking = _NOT_WANTED
    if wanted.only is not Direction.SPEAKER:
        listening = choose(found, Direction.MICROPHONE, wanted.microphone, wanted.dead_microphones)
    if wanted.only is not Direction.MICROPHONE:
        speaking = choose(found, Direction.SPEAKER, wanted.speaker, wanted.dead_speakers)
    duplex: Duplex | None = None
    while duplex is None:
        try:
            duplex = _open(listening, speaking, wanted)
        except OpenFailure as failure:
            before = listening, speaking
            if failure.microphone:
                listening = _instead(found, listening, Direction.MICROPHONE, wanted.dead_microphones)
            if failure.speaker:
                speaking = _instead(found, speaking, Direction.SPEAKER, wanted.dead_speakers)
            if before == (listening, speaking):
                raise _not_opened(failure, listening, speaking) from failure
    return duplex, Opened(
        microphone=_title(listening),
        speaker=_title(speaking),
        note=Text.joined(listening.note, speaking.note),
        capture_hz=duplex.capture.rate_hz,
        playout_hz=duplex.playout.rate_hz,
        capture_latency_s=duplex.capture_latency_s,
        playout_latency_s=duplex.playout_latency_s,
        one_clock=duplex.one_clock,
    )


def _open(listening: Choice, speaking: Choice, wanted: Open) -> Duplex:
    if listening.device is None and speaking.device is None:
        raise KnownError(Reason.DEVICE_STALLED, ALL_DEAD, STALLED_ADVICE)
    return open_duplex(listening.device, speaking.device, wanted.generation, apart=wanted.apart)


def _instead(found: DeviceList, choice: Choice, direction: Direction, dead: Sequence[str]) -> Choice:
    """Return what to open in the place of a device that does not open; the same where there is nothing."""
    title = _title(choice)
    if dead:
        offered = found.titles(direction)
        later = offered[offered.index(title) + 1 :] if title in offered else offered
        return dead_choice(direction, dead[0], found.alive(direction, set(offered).difference(later).union(dead)))
    default = found.default(direction)
    if default is None or default.title == title:
        return choice
    template = Text("The microphone “{device}” does not open; using “{other}”.")
    if direction is Direction.SPEAKER:
        template = Text("The speaker “{device}” does not open; using “{other}”.")
    return Choice(device=default, note=template.with_values(device=title, other=default.title))


def _not_opened(failure: OpenFailure, listening: Choice, speaking: Choice) -> KnownError:
    if is_refusal(failure.cause):
        return not_permitted(Direction.MICROPHONE if failure.microphone else Direction.SPEAKER)
    if failure.microphone and failure.speaker:
        return no_sound()
    return KnownError(
        Reason.NO_MICROPHONE if failure.microphone else Reason.NO_SPEAKER,
        "The microphone “{device}” does not open ({cause})."
        if failure.microphone
        else "The speaker “{device}” does not open ({cause}).",
        "Close other programs that use it, or choose another device in Settings.",
        device=_title(listening if failure.microphone else speaking),
        cause=failure.cause,
    )


def _title(choice: Choice) -> str:
    return "" if choice.device is None else choice.device.title
