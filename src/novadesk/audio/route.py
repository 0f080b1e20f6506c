"""Which device really feeds and plays our streams, what to do about it, and how to say it.

The sound server moves the streams of a device that is unplugged to another one, without a word to the program: a
microphone may become another microphone, or what the speaker plays.
"""

from dataclasses import dataclass, replace

from novadesk.audio.devices import SERVER_ALIASES, Direction, is_title_of, not_connected
from novadesk.audio.serverview import Move, ServerDevice, ServerView
from novadesk.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What follows from a view.

    Attributes:
        moves: to be asked of the sound server.
        deaf: the microphone's stream carries the sound of a speaker.
        muted: the system says that the microphone of the stream is switched off.
        telephone: it is a Bluetooth headset's, and there is another microphone.
        microphone: what is in use, in words. Likewise `speaker`.
        note: why these are not the preferred ones, in words, or empty.
        gained: a device has come.
        reopen: the preferred device is back, and only opening anew leads to it.
        ask: a device has come that may be the preferred one; the list of devices knows.
    """

    moves: tuple[Move, ...] = ()
    deaf: bool = False
    muted: bool = False
    telephone: bool = False
    microphone: str = ""
    speaker: str = ""
    note: str = ""
    gained: bool = False
    reopen: bool = False
    ask: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    move: Move | None = None
    deaf: bool = False
    title: str = ""
    note: str = ""
    reopen: bool = False
    ask: bool = False


class _Way:
    """One direction: where its stream is, and where it belongs."""

    def __init__(self, direction: Direction, preferred: str) -> None:
        self._direction = direction
        self._preferred = preferred
        self._opened = ""
        self._home = ""  # what the server calls the preferred device
        self._absent = False  # home has been away since a stream was last there
        self._default = ""

    def opened(self, title: str) -> None:
        self._opened = title
        if self._at_home:
            self._home = ""  # the next view tells: it may have another name than the last time

    def still(self) -> _Step:
        """Return the step of no stream to look for."""
        return _Step(title=self._opened)

    def step(self, view: ServerView, pid: int, gained: frozenset[str]) -> _Step:
        names = {device.name for device in view.of(self._direction)}
        self._absent = self._absent or (bool(self._home) and self._home not in names)
        default, self._default = self._default, view.default(self._direction)
        device = view.device_of(pid, self._direction)
        if device is not None and device.monitor:
            return self._from_monitor(view, pid)
        if self._at_home:
            return self.still() if device is None else self._towards_home(device, names, pid)
        step = self._elsewhere(names, gained)
        if self._any_will_do and device is not None:
            step = replace(step, title=f"{self._opened} ({device.title})")
        if self._any_will_do and device is not None and default not in ("", self._default):
            wanted = [row.name for row in view.of(self._direction) if row.name == self._default and not row.monitor]
            if wanted and device.name not in wanted:
                return replace(step, move=self._move(pid, self._default))
        return step

    @property
    def _any_will_do(self) -> bool:
        return self._opened.rpartition(": ")[2] in SERVER_ALIASES

    @property
    def _preferred_is_open(self) -> bool:
        return bool(self._opened) and (not self._preferred or is_title_of(self._opened, self._preferred))

    @property
    def _at_home(self) -> bool:
        return self._preferred_is_open and bool(self._preferred) and not self._any_will_do

    def _towards_home(self, device: ServerDevice, names: set[str], pid: int) -> _Step:
        """Judge the stream of the preferred device."""
        self._home = self._home or device.name
        if device.name == self._home:
            self._absent = False
            return self.still()
        if self._home not in names:
            return _Step(title=device.title, note=not_connected(self._direction, self._opened, device.title))
        if self._absent:
            return _Step(title=self._opened, move=self._move(pid, self._home))
        note = Text("The microphone was changed to “{device}” in the system's sound settings.", device=device.title)
        if self._direction is Direction.SPEAKER:
            note = Text("The speaker was changed to “{device}” in the system's sound settings.", device=device.title)
        return _Step(title=device.title, note=note)

    def _elsewhere(self, names: set[str], gained: frozenset[str]) -> _Step:
        """Judge the stream of another device than the preferred one."""
        if self._preferred_is_open:
            return self.still()
        back = self._home in names and (self._absent or self._home in gained)
        if back:
            self._absent = False
        return _Step(title=self._opened, reopen=back, ask=not (self._home and self._opened) and bool(names & gained))

    def _from_monitor(self, view: ServerView, pid: int) -> _Step:
        names = [device.name for device in view.of(self._direction) if not device.monitor]
        for name in (self._home if self._at_home else "", self._default, *names):
            if name in names:
                return _Step(move=self._move(pid, name), deaf=True, title=self._opened)
        return _Step(
            deaf=True, note=Text("There is no microphone: the sound system offers only what the speaker plays.")
        )

    def _move(self, pid: int, name: str) -> Move:
        return Move(direction=self._direction, pid=pid, device=name)


class Router:
    """Follows the streams of one audio process after the other.

    Args:
        microphone: preferred title, or empty for the system's default. Likewise `speaker`.
    """

    def __init__(self, microphone: str, speaker: str) -> None:
        self._ways = (_Way(Direction.MICROPHONE, microphone), _Way(Direction.SPEAKER, speaker))
        self._note = ""
        self._names: frozenset[str] | None = None

    def opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take what an audio process has opened."""
        self._note = note
        for way, title in zip(self._ways, (microphone, speaker), strict=True):
            way.opened(title)

    def see(self, view: ServerView | None, pid: int | None) -> Route:
        """Take the newest view; None when no sound server answers.

        Args:
            view: the view.
            pid: of the audio process that is open, or None.
        """
        names = frozenset(device.name for device in view.devices if not device.monitor) if view else frozenset[str]()
        gained = names - self._names if self._names is not None else frozenset[str]()
        self._names = names
        if view is None or pid is None:
            return self._route([way.still() for way in self._ways], gained)
        device = view.device_of(pid, Direction.MICROPHONE)
        route = self._route([way.step(view, pid, gained) for way in self._ways], gained)
        others = [row for row in view.of(Direction.MICROPHONE) if not row.monitor and not row.telephone]
        telephone = device is not None and device.telephone and bool(others)
        return replace(route, muted=device is not None and device.muted, telephone=telephone)

    def _route(self, steps: list[_Step], gained: frozenset[str]) -> Route:
        return Route(
            moves=tuple(step.move for step in steps if step.move is not None),
            deaf=steps[0].deaf,
            microphone=steps[0].title,
            speaker=steps[1].title,
            note=Text.joined(self._note, *(step.note for step in steps)),
            gained=bool(gained),
            reopen=any(step.reopen for step in steps),
            ask=any(step.ask for step in steps),
        )
