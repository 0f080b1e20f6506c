"""Sound devices by name and host API, never by index: the index of PortAudio changes with every plug.

PortAudio's list is frozen when the library starts: a fresh process sees a fresh list.
"""

import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from novadesk.errors import KnownError, Reason
from novadesk.text import Text

SERVER_ALIASES = frozenset({"default", "pulse", "pipewire"})
"""ALSA's names for "what the sound server likes"."""

_SEPARATOR = ": "
_WINDOWS_ORDER = ("Windows WASAPI", "Windows DirectSound", "MME", "Windows WDM-KS")
_MME_NAME_LENGTH = 31  # MME cuts names here
_PLUGINS = re.compile(  # ALSA's own plugins, which are ways to a card and not devices that a person has
    r"(sysdefault|front|rear|center_lfe|side|surround\d+|iec958|spdif|dmix|dsnoop|lavrate|samplerate|speexrate|speex"
    r"|upmix|vdownmix|oss)(:.*)?"
)
# What a system puts into a name by itself: ALSA the order in which cards came, Windows a count of sockets used before.
_UNSTABLE = re.compile(r"\(hw:\d+,|(?<=\()\d+- ")
_MONITOR = re.compile(r"(?i)^monitor of |\.monitor$")
# Linux's EACCES and PulseAudio's own words, Windows' E_ACCESSDENIED with and without a name.
_REFUSED = re.compile(r"(?i)permission denied|access (is )?denied|not permitted|0x80070005|-2147024891")


class Direction(Enum):
    """Which way a device is used; the value is the word for it."""

    MICROPHONE = "microphone"
    SPEAKER = "speaker"


SILENT = {
    Direction.MICROPHONE: Text("The microphone brings no sound at all."),
    Direction.SPEAKER: Text("The speaker takes no sound any more."),
}
"""What is said of a device that is open and does nothing."""

_SILENT_NAMED = {
    Direction.MICROPHONE: (
        Text("The microphone “{device}” brings no sound at all."),
        Text("The microphone “{device}” brings no sound at all; using “{other}”."),
    ),
    Direction.SPEAKER: (
        Text("The speaker “{device}” takes no sound any more."),
        Text("The speaker “{device}” takes no sound any more; using “{other}”."),
    ),
}
"""The same of one by its name, without another in its place and with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device as this process sees it.

    Attributes:
        index: PortAudio's number, valid in this process only.
        inputs: channels to capture.
        outputs: channels to play.
        rate_hz: the device's own rate.
    """

    index: int
    host_api: str
    name: str
    inputs: int
    outputs: int
    rate_hz: int

    @property
    def title(self) -> str:
        """Return the name as settings store it."""
        return f"{self.host_api}{_SEPARATOR}{self.name}"

    def serves(self, direction: Direction) -> bool:
        """Return whether the device can be used this way; the monitor of a speaker is no microphone."""
        if direction is Direction.SPEAKER:
            return self.outputs > 0
        return self.inputs > 0 and not _MONITOR.search(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceList:
    """What PortAudio listed when the process started.

    Attributes:
        devices: all of them; names are unique within a host API.
        default_microphone: index, or -1.
        default_speaker: index, or -1.
        host_apis: names of all host APIs, with or without devices.
    """

    devices: tuple[Device, ...]
    default_microphone: int
    default_speaker: int
    host_apis: tuple[str, ...]

    def default(self, direction: Direction) -> Device | None:
        """Return the system's default, or the first device, or None."""
        index = self.default_microphone if direction is Direction.MICROPHONE else self.default_speaker
        usable = [device for device in self.devices if device.serves(direction)]
        return next((device for device in usable if device.index == index), usable[0] if usable else None)

    def alive(self, direction: Direction, dead: Collection[str]) -> Device | None:
        """Return the default, or the first device to offer that is not among these titles, or None."""
        offered = [title for title in self.titles(direction) if not _is_among(title, dead)]
        return next((device for device in self.devices if device.title in offered[:1]), None)

    def titles(self, direction: Direction) -> tuple[str, ...]:
        """Return the names to offer, the default first, each physical device once."""
        first = self.default(direction)
        if first is None:
            return ()
        offered = [first]
        for device in sorted(self.devices, key=_rank):
            usable = device.serves(direction) and not _PLUGINS.fullmatch(device.name)
            if usable and not any(_same(device, known) for known in offered):
                offered.append(device)
        return tuple(device.title for device in offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The device to use, or None, and why it is not the preferred one, in words, or empty."""

    device: Device | None
    note: str


def list_devices() -> DeviceList:
    """Return what PortAudio listed when this process first used it.

    Raises:
        KnownError: `SOUND_SERVER_GONE` when PortAudio is missing or finds nothing at all.
    """
    try:
        import sounddevice
    except OSError as error:
        raise no_library() from error
    try:
        apis = [dict(api) for api in sounddevice.query_hostapis()]
        rows = [dict(device) for device in sounddevice.query_devices()]
        defaults = list(sounddevice.default.device)
    except sounddevice.PortAudioError as error:
        raise no_sound() from error
    found = list_from(rows, [str(api["name"]) for api in apis], defaults)
    if not found.devices:
        raise no_sound()
    return found


def list_from(rows: Sequence[dict[str, object]], host_apis: Sequence[str], defaults: Sequence[int]) -> DeviceList:
    """Build the list from PortAudio's own rows; devices of the same name within a host API are numbered."""
    devices: list[Device] = []
    seen: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        host_api, name = host_apis[int(str(row["hostapi"]))], " ".join(str(row["name"]).split())
        count = seen[host_api, name] = seen.get((host_api, name), 0) + 1
        devices.append(
            Device(
                index=index,
                host_api=host_api,
                name=name if count == 1 else f"{name} ({count})",
                inputs=int(str(row["max_input_channels"])),
                outputs=int(str(row["max_output_channels"])),
                rate_hz=round(float(str(row["default_samplerate"]))),
            )
        )
    return DeviceList(
        devices=tuple(devices),
        default_microphone=int(defaults[0]),
        default_speaker=int(defaults[1]),
        host_apis=tuple(host_apis),
    )


def choose(found: DeviceList, direction: Direction, preferred: str, dead: Collection[str] = ()) -> Choice:
    """Return the preferred device, or the default with a note when the preferred one is not there now, or is dead.

    Args:
        found: the devices.
        direction: how it will be used.
        preferred: "host API: device", or a bare device name that only one device has, or empty for the default.
        dead: titles of devices that are known to do nothing; where there are no others, none is chosen.

    Raises:
        KnownError: `UNKNOWN_DEVICE` for a bare name that no device or several devices have, or for a host API that
            this system does not have; `NO_MICROPHONE` or `NO_SPEAKER` when there is none at all.
    """
    if not preferred.strip():
        return _or_another(found, direction, _existing(found.default(direction), direction), dead)
    usable = [device for device in found.devices if device.serves(direction)]
    exact = [device for device in usable if device.title == preferred]
    again = [device for device in usable if _stable(device.title) == _stable(preferred)]
    bare = [device for device in usable if device.name == preferred]
    for matching in (exact, again, bare):
        if len(matching) == 1:
            return _or_another(found, direction, matching[0], dead)
    if bare:
        several = ", ".join(f"“{device.title}”" for device in bare)
        template = Text("Several microphones are named “{name}”: {several}.")
        if direction is Direction.SPEAKER:
            template = Text("Several speakers are named “{name}”: {several}.")
        raise _unknown(direction, template.with_values(name=preferred, several=several))
    if not preferred.startswith(tuple(f"{api}{_SEPARATOR}" for api in found.host_apis)):
        template = Text("There is no microphone named “{name}”.")
        if direction is Direction.SPEAKER:
            template = Text("There is no speaker named “{name}”.")
        raise _unknown(direction, template.with_values(name=preferred))
    choice = _or_another(found, direction, _existing(found.default(direction), direction), dead)
    if choice.device is None:
        return choice
    return Choice(device=choice.device, note=not_connected(direction, preferred, choice.device.title))


def dead_choice(direction: Direction, title: str, instead: Device | None) -> Choice:
    """Return another device in the place of one that is dead, or none."""
    alone, replaced = _SILENT_NAMED[direction]
    if instead is None:
        return Choice(device=None, note=alone.with_values(device=title))
    return Choice(device=instead, note=replaced.with_values(device=title, other=instead.title))


def is_title_of(title: str, preferred: str) -> bool:
    """Return whether this is the device that a person has chosen, by its full or its bare name."""
    return _stable(preferred) in (_stable(title), _stable(title.partition(_SEPARATOR)[2]))


def not_connected(direction: Direction, preferred: str, instead: str) -> str:
    """Return in words that the chosen device is not there now."""
    if direction is Direction.MICROPHONE:
        return Text("The microphone “{device}” is not connected; using “{other}”.", device=preferred, other=instead)
    return Text("The speaker “{device}” is not connected; using “{other}”.", device=preferred, other=instead)


def is_refusal(cause: str) -> bool:
    """Return whether PortAudio's words say that the system does not let the program use the device."""
    return _REFUSED.search(cause) is not None


def not_permitted(direction: Direction) -> KnownError:
    """Return the error of a device that the system keeps from the program."""
    where = {"darwin": "System Settings, Privacy & Security", "win32": "Settings, Privacy & security"}.get(sys.platform)
    reason = Reason.NO_MICROPHONE if direction is Direction.MICROPHONE else Reason.NO_SPEAKER
    return KnownError(
        reason,
        "NovaDesk is not permitted to use the microphone."
        if direction is Direction.MICROPHONE
        else "NovaDesk is not permitted to use the speaker.",
        "Allow it in {where}, then try again." if where else "Allow it in the system's settings, then try again.",
        where=where or "",
    )


def no_library() -> KnownError:
    """Return the error of a system without PortAudio."""
    return KnownError(
        Reason.SOUND_SERVER_GONE,
        "The sound library PortAudio is missing.",
        "Install PortAudio (on Debian: libportaudio2) and start NovaDesk again.",
    )


def no_sound() -> KnownError:
    """Return the error of a system without any sound device."""
    return KnownError(
        Reason.SOUND_SERVER_GONE,
        "There is no sound on this system: no device and no sound server answers.",
        "Start the sound server (PulseAudio or PipeWire), then try again."
        if sys.platform == "linux"
        else "Check the sound settings, then try again.",
    )


def none_of(direction: Direction) -> KnownError:
    """Return the error of a system without a device of this direction."""
    if direction is Direction.MICROPHONE:
        return KnownError(Reason.NO_MICROPHONE, "There is no microphone.", "Connect a microphone.")
    return KnownError(Reason.NO_SPEAKER, "There is no speaker.", "Connect a speaker.")


def _existing(device: Device | None, direction: Direction) -> Device:
    if device is None:
        raise none_of(direction)
    return device


def _or_another(found: DeviceList, direction: Direction, device: Device, dead: Collection[str]) -> Choice:
    if not _is_among(device.title, dead):
        return Choice(device=device, note="")
    return dead_choice(direction, device.title, found.alive(direction, dead))


def _is_among(title: str, dead: Collection[str]) -> bool:
    """Return whether a device is dead; the sound server's names all lead to the same one."""
    if title.partition(_SEPARATOR)[2] in SERVER_ALIASES:
        return any(known.partition(_SEPARATOR)[2] in SERVER_ALIASES for known in dead)
    return any(is_title_of(title, known) for known in dead)


def _unknown(direction: Direction, what: Text) -> KnownError:
    return KnownError(
        Reason.UNKNOWN_DEVICE,
        what,
        "Run `novadesk devices` and set [audio] {setting} to a name from its list.",
        setting=direction.value,
    )


def _stable(title: str) -> str:
    return _UNSTABLE.sub(lambda found: "(hw:" if found[0].startswith("(") else "", title)


def _rank(device: Device) -> tuple[int, int]:
    order = _WINDOWS_ORDER.index(device.host_api) if device.host_api in _WINDOWS_ORDER else 0
    return order, device.index


def _same(device: Device, known: Device) -> bool:
    """Return whether two rows are one physical device seen through two host APIs, or one row."""
    if device.index == known.index:
        return True
    if device.host_api == known.host_api or not {device.host_api, known.host_api} <= set(_WINDOWS_ORDER):
        return False
    if "MME" in (device.host_api, known.host_api):
        return device.name[:_MME_NAME_LENGTH] == known.name[:_MME_NAME_LENGTH]
    return device.name == known.name
