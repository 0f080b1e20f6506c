"""What the sound server says of its devices and streams at one moment, and how it goes through a pipe: JSON lines."""

import json
from dataclasses import dataclass

from novadesk.audio.devices import Direction

UNWATCHED = 3
"""Exit status of the process that watches where there is nothing that could be watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDevice:
    """A device as the sound server knows it.

    Attributes:
        name: the server's own, the same whenever the device is plugged in.
        title: for people.
        monitor: what a speaker plays, offered as if it were a microphone.
        muted: a microphone that is switched off, by hand or in the system's settings. Nobody asks that of a speaker.
    """

    direction: Direction
    name: str
    title: str
    monitor: bool = False
    muted: bool = False

    @property
    def telephone(self) -> bool:
        """Return whether it is a Bluetooth microphone, for which its headset leaves music's sound for telephone's.

        PulseAudio and PipeWire name the devices of BlueZ so.
        """
        return self.direction is Direction.MICROPHONE and self.name.startswith("bluez_") and not self.monitor


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStream:
    """A program's stream and the name of the device that it is on now."""

    direction: Direction
    pid: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """Everything at one moment; the defaults are names, or empty."""

    devices: tuple[ServerDevice, ...] = ()
    streams: tuple[ServerStream, ...] = ()
    microphone: str = ""
    speaker: str = ""

    def default(self, direction: Direction) -> str:
        """Return the name of the system's default."""
        return self.microphone if direction is Direction.MICROPHONE else self.speaker

    def of(self, direction: Direction) -> tuple[ServerDevice, ...]:
        """Return the devices of one direction."""
        return tuple(device for device in self.devices if device.direction is direction)

    def device_of(self, pid: int, direction: Direction) -> ServerDevice | None:
        """Return the device that a process's stream is on, or None."""
        names = {stream.device for stream in self.streams if (stream.pid, stream.direction) == (pid, direction)}
        return next((device for device in self.of(direction) if device.name in names), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Bring a process's streams of one direction to the device of this name."""

    direction: Direction
    pid: int
    device: str


def view_line(view: ServerView | None) -> bytes:
    """Return a view as a line; None when no sound server answers."""
    if view is None:
        return b"null\n"
    rows = {
        "devices": [[row.direction.value, row.name, row.title, row.monitor, row.muted] for row in view.devices],
        "streams": [[row.direction.value, row.pid, row.device] for row in view.streams],
        "defaults": [view.microphone, view.speaker],
    }
    return json.dumps(rows).encode() + b"\n"


def view_of(line: bytes) -> ServerView | None:
    """Return the view of a line.

    Raises:
        ValueError: it is none.
    """
    try:
        rows = json.loads(line)
        if rows is None:
            return None
        microphone, speaker = rows["defaults"]
        return ServerView(
            devices=tuple(
                ServerDevice(
                    direction=Direction(way), name=str(name), title=str(title), monitor=bool(monitor), muted=bool(muted)
                )
                for way, name, title, monitor, muted in rows["devices"]
            ),
            streams=tuple(
                ServerStream(direction=Direction(way), pid=int(pid), device=str(device))
                for way, pid, device in rows["streams"]
            ),
            microphone=str(microphone),
            speaker=str(speaker),
        )
    except (TypeError, KeyError) as error:
        raise ValueError("the line is no view") from error


def move_line(move: Move) -> bytes:
    """Return a move as a line."""
    return json.dumps([move.direction.value, move.pid, move.device]).encode() + b"\n"


def move_of(line: bytes) -> Move:
    """Return the move of a line.

    Raises:
        ValueError: it is none.
    """
    try:
        way, pid, device = json.loads(line)
        return Move(direction=Direction(way), pid=int(pid), device=str(device))
    except TypeError as error:
        raise ValueError("the line is no move") from error
