"""How the open devices have done, as the app sees it."""

from dataclasses import dataclass, field

from novadesk.audio.wire import Opened, Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundStatistics:
    """Figures of the open devices.

    Attributes:
        engine: the process's own counts since it opened the devices.
        frames: microphone frames received since `open`.
        respawns: audio processes that replaced another since `open`.
        capture_ms_p50: from the callback with a frame's last sample to `on_frame`; likewise `capture_ms_p99`.
        opened: what is open, or None.
    """

    engine: Statistics = field(default_factory=Statistics)
    frames: int = 0
    respawns: int = 0
    capture_ms_p50: float = 0.0
    capture_ms_p99: float = 0.0
    opened: Opened | None = None
