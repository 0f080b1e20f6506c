"""Take the pictures of docs/images: the real program on the private desktop, in a real conversation."""

import sys
import tempfile
from pathlib import Path
from threading import Thread

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from novadesk.audio.formats import LISTEN_HZ, write_wav  # noqa: E402 as below
from tests.support.desk import Desk  # noqa: E402 the root must be on the path first
from tests.support.program import Program  # noqa: E402 as above

IMAGES = ROOT / "docs" / "images"
SCHEMES = ("light", "dark")
TO_TEST = ("Down", "Down", "F6", "F6")
"""From the search of the settings to the sections, to that of sound, over its rows to the button that tries them."""

HISS_S = 240
HISS = 10 ** (-62 / 20)
"""The virtual microphone gives exact silence while nobody speaks, as a muted one does; a real one hisses."""


def hiss(desk: Desk, folder: Path) -> None:
    """Let the microphone sound like one that is switched on."""
    file = folder / "hiss.wav"
    noise = np.random.default_rng(7).normal(0.0, HISS, HISS_S * LISTEN_HZ)
    write_wav(file, LISTEN_HZ, noise.astype(np.float32))
    desk.daemons.start("hiss", ["paplay", "--device", "feed_a", str(file)])


def take(desk: Desk, scheme: str, home: Path) -> None:
    """Hold the same short conversation and take its pictures."""
    with Program(home, desk.env) as program:
        program.settings(f'[window]\nscheme = "{scheme}"\n')
        program.start()
        program.wait_for_phase("ready")
        desk.key_down("F9")
        program.wait_for_phase("listening")
        desk.say("hello how are you today")
        desk.key_up("F9")
        program.wait_for_phase("speaking")
        program.wait_for_turns(2)
        program.wait_for_phase("ready")
        for text in ("my name is Anna", "what is three plus four"):
            turns = len(program.turns())
            program.ask("say", text=text)
            program.wait_for_turns(turns + 2)
            program.wait_for_phase("ready")
        program.ask("say", text="what did we talk about")
        program.wait_for_phase("speaking")
        window = desk.find_window("NovaDesk")
        desk.run("sleep", "2.5")
        desk.run("import", "-window", window, str(IMAGES / f"conversation-{scheme}.png"))
        program.wait_for_phase("ready")
        desk.focus(window)
        desk.press("F12")
        diagnostics = desk.find_window("Diagnostics")
        desk.run("sleep", "2.5")
        desk.run("import", "-window", diagnostics, str(IMAGES / f"diagnostics-{scheme}.png"))
        desk.focus(diagnostics)
        desk.press("Escape")
        take_sound_settings(desk, scheme, window)
        program.quit()


def take_sound_settings(desk: Desk, scheme: str, window: str) -> None:
    """Try the microphone in the settings, and take the picture while it hears something."""
    desk.focus(window)
    desk.press("ctrl+comma")
    settings = desk.find_window("^Settings$")
    desk.focus(settings)
    desk.press(*TO_TEST, "space")
    talking = Thread(target=desk.say, args=(", ".join(["one two three four five six seven eight nine ten"] * 2),))
    talking.start()
    desk.run("sleep", "5")  # the voice has to be made first
    desk.run("import", "-window", settings, str(IMAGES / f"settings-sound-{scheme}.png"))
    talking.join()
    desk.press("Escape")


def main() -> int:
    """Take every picture; return the exit code."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Desk() as desk, tempfile.TemporaryDirectory() as folder:
        for scheme in SCHEMES:
            hiss(desk, Path(folder))
            take(desk, scheme, Path(folder) / scheme)
    return 0


if __name__ == "__main__":
    sys.exit(main())
