"""Take the pictures of docs/images: the real program on the private desktop, in a real conversation."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.desk import Desk  # noqa: E402 the root must be on the path first
from tests.support.program import Program  # noqa: E402 as above

IMAGES = ROOT / "docs" / "images"
SCHEMES = ("light", "dark")


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
        program.quit()


def main() -> int:
    """Take every picture; return the exit code."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Desk() as desk, tempfile.TemporaryDirectory() as folder:
        for scheme in SCHEMES:
            take(desk, scheme, Path(folder) / scheme)
    return 0


if __name__ == "__main__":
    sys.exit(main())
