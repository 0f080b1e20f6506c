"""Hold one conversation with a frozen NovaDesk, in an environment that has no Python of ours.

python packaging/smoke_test.py dist/novadesk/novadesk
"""

import json
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "resources" / "sounds" / "hello.wav"
TALK_S = 120.0
_KEPT = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TEMP", "TMP", "DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


class SmokeError(Exception):
    """The frozen program did not do as it should."""


def run(program: Path, home: Path, *arguments: str) -> str:
    """Run the program with a home of its own; return its standard output.

    Raises:
        SmokeError: it failed.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment["NOVADESK_HOME"] = str(home)
    done = subprocess.run(
        [str(program), *arguments],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TALK_S,
        check=False,
    )
    if done.returncode != 0:
        raise SmokeError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def talk(program: Path, home: Path) -> None:
    """Check that both sides of an exchange are told, heard and kept."""
    answer = home / "answer.wav"
    lines = run(program, home, "talk", "--in", str(SAMPLE), "--out", str(answer), "--json").splitlines()
    events = [json.loads(line) for line in lines]
    turns = [event for event in events if event["type"] == "turn"]
    roles = {turn["role"] for turn in turns}
    if roles != {"user", "assistant"} or events[-1]["type"] != "end":
        raise SmokeError(f"no exchange: {lines}")
    with wave.open(str(answer)) as sound:
        if not any(sound.readframes(sound.getnframes())):
            raise SmokeError("the answer is silent")
    handle = turns[0]["conversation"]
    kept = json.loads(run(program, home, "history", "show", handle, "--json"))
    if len(kept) != len(turns):
        raise SmokeError(f"{len(turns)} turns were said, {len(kept)} were kept")
    print(f"smoke: an exchange of {len(turns)} turns, spoken, answered and kept")


def main(arguments: list[str]) -> int:
    """Try the program; return the exit status."""
    program = Path(arguments[0]).resolve()
    with tempfile.TemporaryDirectory(prefix="novadesk-smoke.") as folder:
        try:
            print(f"smoke: {run(program, Path(folder), '--version').strip()}")
            talk(program, Path(folder))
        except (SmokeError, subprocess.TimeoutExpired) as error:
            print(f"smoke: FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
