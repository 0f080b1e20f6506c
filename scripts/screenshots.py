"""Take the pictures of docs/images: the real program on the private desktop, in a real conversation."""

import sys
import tempfile
from collections.abc import Iterable
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


def picture(desk: Desk, window: str, name: str) -> None:
    """Save what a window shows."""
    desk.run("import", "-window", window, str(IMAGES / f"{name}.png"))


def hiss(desk: Desk, folder: Path) -> None:
    """Let the microphone sound like one that is switched on."""
    file = folder / "hiss.wav"
    noise = np.random.default_rng(7).normal(0.0, HISS, HISS_S * LISTEN_HZ)
    write_wav(file, LISTEN_HZ, noise.astype(np.float32))
    desk.daemons.start("hiss", ["paplay", "--device", "feed_a", str(file)])


EARLIER = (
    ("Trip to Lisbon", ("hello how are you today", "what can you do")),
    ("Aspirin call with Dr. Smith", ("my name is Anna", "what is my name")),
    ("Interview practice", ("hello how are you today",)),
)
"""What was talked about before: titles, and what the person said."""


def talk(program: Program, texts: Iterable[str]) -> None:
    """Say something by text, and hear each answer to its end."""
    for text in texts:
        program.ask("say", text=text)
        program.wait_for_phase("speaking")
        program.wait_for_phase("ready")


def fill(program: Program) -> None:
    """Hold the earlier conversations, and name them."""
    for title, texts in EARLIER:
        talk(program, texts)
        status = program.status()
        assert status is not None
        program.run("history", "rename", status["conversation"], title)
        program.ask("new")
        program.wait(lambda now, old=status: bool(now) and now["conversation"] != old["conversation"], "a new one")
        program.wait_for_phase("ready")


def take(desk: Desk, scheme: str, home: Path) -> None:
    """Hold the same short conversation and take its pictures."""
    with Program(home, desk.env) as program:
        program.settings(f'[window]\nscheme = "{scheme}"\n')
        program.start()
        program.wait_for_phase("ready")
        fill(program)
        desk.key_down("F9")
        program.wait_for_phase("listening")
        desk.say("hello how are you today")
        desk.key_up("F9")
        program.wait_for_phase("speaking")
        program.wait_for_phase("ready")
        talk(program, ("my name is Anna", "what is three plus four"))
        program.ask("say", text="what did we talk about")
        program.wait_for_phase("speaking")
        window = desk.find_window("NovaDesk")
        desk.run("sleep", "2.5")
        picture(desk, window, f"conversation-{scheme}")
        program.wait_for_phase("ready")
        desk.focus(window)
        desk.press("ctrl+f")
        desk.type_text("anna")
        desk.run("sleep", "2")
        picture(desk, window, f"search-{scheme}")
        desk.press("ctrl+a", "BackSpace")
        desk.focus(window)
        desk.press("F12")
        diagnostics = desk.find_window("Diagnostics")
        desk.run("sleep", "2.5")
        picture(desk, diagnostics, f"diagnostics-{scheme}")
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
    picture(desk, settings, f"settings-sound-{scheme}")
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
