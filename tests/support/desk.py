"""A private desktop: X server, window manager, sound server, session bus, keyring and accessibility bus.

    python -m tests.support.desk [--keyring locked] [--echo-ms 20] [--logs DIR] -- command ...

Everything lives in one temporary folder and one process tree and is gone at the end. Inside the command's environment
are DISPLAY, DBUS_SESSION_BUS_ADDRESS, PULSE_SERVER, ALSA_CONFIG_PATH and XDG folders of its own.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from types import FrameType

from tests.support.daemons import Daemons, DeskError, told_through_pipe
from tests.support.requirements import apt_line, missing_programs
from tests.support.sound import ALSA_CONFIG, Microphone, Recording, Samples, SoundServer, Speaker, server_script

KEYRING_PASSWORD = "novadesk-desk"
_FOREIGN = (
    "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "PULSE_SERVER", "GNOME_KEYRING_CONTROL", "XAUTHORITY",
    "QT_QPA_PLATFORM", "PYTHON_KEYRING_BACKEND", "NOVADESK_HOME",
)  # fmt: skip
_BUS_WITHOUT_SERVICES = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


class Keyring(Enum):
    """What the desktop's secret service is like."""

    UNLOCKED = "unlocked"
    LOCKED = "locked"  # asks in a window; the password is KEYRING_PASSWORD
    ABSENT = "absent"  # no service, and the bus starts none


class Desk:
    """The private desktop. Use as a context manager; `env` is the environment for programs on it."""

    def __init__(
        self, *, keyring: Keyring = Keyring.UNLOCKED, echo_ms: int | None = None, logs: Path | None = None,
        size: str = "1280x800",
    ) -> None:  # fmt: skip
        self._keyring = keyring
        self._echo_ms = echo_ms
        self._wanted_logs = logs
        self._size = size

    def __enter__(self) -> "Desk":
        missing = missing_programs()
        if missing:
            raise DeskError(f"The private desktop needs {', '.join(missing)}. Run: {apt_line(missing)}")
        self.folder = Path(tempfile.mkdtemp(prefix="novadesk-desk."))
        self._stack = contextlib.ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        logs = self._wanted_logs or self.folder / "log"
        for name in ("run", "config", "data", "cache", "state", "sound"):
            (self.folder / name).mkdir(mode=0o700)
        logs.mkdir(parents=True, exist_ok=True)
        self.env = self._base_environment()
        self.daemons = Daemons(logs, self.env)
        self._stack.callback(self.daemons.stop)
        self._start_display()
        self._start_bus()
        self._start_accessibility()
        self._start_keyring()
        self._start_sound()
        self._start_window_manager()

    def _base_environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        env["XDG_RUNTIME_DIR"] = str(self.folder / "run")
        env["NOVADESK_HOME"] = str(self.folder / "home")
        for name in ("config", "data", "cache", "state"):
            env[f"XDG_{name.upper()}_HOME"] = str(self.folder / name)
        return env

    def _start_display(self) -> None:
        told = self.folder / "display"
        with told_through_pipe(told) as descriptor:
            self.daemons.start(
                "xvfb",
                ["Xvfb", "-displayfd", str(descriptor), "-screen", "0", f"{self._size}x24", "-dpi", "96",
                 "-nolisten", "tcp", "-noreset", "+extension", "RANDR"],
                pass_fds=[descriptor],
            )  # fmt: skip
        self.daemons.wait_until(lambda: told.read_text().endswith("\n"), "display")
        self.env["DISPLAY"] = ":" + told.read_text().strip()
        self.env["XDG_SESSION_TYPE"] = "x11"
        self.env["QT_QPA_PLATFORM"] = "xcb"

    def _start_bus(self) -> None:
        configuration = "--session"
        if self._keyring is Keyring.ABSENT:
            file = self.folder / "bus.conf"
            file.write_text(_BUS_WITHOUT_SERVICES)
            configuration = f"--config-file={file}"
        told = self.folder / "bus"
        with told_through_pipe(told) as descriptor:
            self.daemons.start(
                "dbus",
                ["dbus-daemon", configuration, f"--address=unix:path={self.folder}/run/bus", "--nofork", "--nopidfile",
                 f"--print-address={descriptor}"],
                pass_fds=[descriptor],
            )  # fmt: skip
        self.daemons.wait_until(lambda: told.read_text().endswith("\n"), "session bus")
        self.env["DBUS_SESSION_BUS_ADDRESS"] = told.read_text().splitlines()[0]

    def _start_accessibility(self) -> None:
        self.daemons.start("atspi", ["/usr/libexec/at-spi-bus-launcher", "--launch-immediately"])
        self.daemons.wait_until(lambda: self._has_owner("org.a11y.Bus"), "accessibility bus")
        self.run(
            "gdbus", "call", "--session", "-d", "org.a11y.Bus", "-o", "/org/a11y/bus",
            "-m", "org.freedesktop.DBus.Properties.Set", "org.a11y.Status", "IsEnabled", "<true>",
        )  # fmt: skip
        self.env["QT_LINUX_ACCESSIBILITY_ALWAYS_ON"] = "1"

    def _start_keyring(self) -> None:
        if self._keyring is Keyring.ABSENT:
            return
        # --unlock makes the login keyring from the password on standard input.
        self.daemons.start(
            "keyring",
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets",
             f"--control-directory={self.folder}/run/keyring"],
            stdin=KEYRING_PASSWORD.encode(),
        )  # fmt: skip
        self.daemons.wait_until(lambda: self._has_owner("org.freedesktop.secrets"), "keyring")
        if self._keyring is Keyring.LOCKED:
            self.run(
                "gdbus", "call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets",
                "-m", "org.freedesktop.Secret.Service.Lock", "['/org/freedesktop/secrets/collection/login']",
            )  # fmt: skip

    def _start_sound(self) -> None:
        socket = self.folder / "run" / "pulse.sock"
        script = self.folder / "sound.pa"
        script.write_text(server_script(socket, echo_ms=self._echo_ms))
        alsa = self.folder / "asound.conf"
        alsa.write_text(ALSA_CONFIG)
        self.env["PULSE_SERVER"] = f"unix:{socket}"
        self.env["PULSE_STATE_PATH"] = str(self.folder / "state")
        self.env["PULSE_RUNTIME_PATH"] = str(self.folder / "run" / "pulse")
        self.env["ALSA_CONFIG_PATH"] = str(alsa)
        self.sound = SoundServer(self.env, self.folder / "sound")
        self.daemons.start(
            "pulse",
            ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--high-priority=yes",
             "--realtime=no", "--log-target=stderr", "-F", str(script)],
        )  # fmt: skip
        self.daemons.wait_until(self.sound.answers, "sound server")

    def _has_owner(self, name: str) -> bool:
        """Ask the bus, not the service: a call to the service would start a second, locked one that wins the name."""
        asked = subprocess.run(
            ["gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus",
             "-m", "org.freedesktop.DBus.NameHasOwner", name],
            env=self.env, capture_output=True, check=False,
        )  # fmt: skip
        return b"true" in asked.stdout

    def _start_window_manager(self) -> None:
        # A window that wants to be shown between its announcement and its main loop is never shown.
        told = self.folder / "managed"
        self.daemons.start("openbox", ["openbox", "--startup", f"touch {told}"])
        self.daemons.wait_until(told.exists, "window manager")

    # What a person does at this desktop.

    def run(self, *command: str, timeout_s: float = 60.0) -> str:
        """Run a short command on the desktop; return its output.

        Raises:
            DeskError: it failed.
        """
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode != 0:
            raise DeskError(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()}")
        return done.stdout

    def say(self, text: str, microphone: Microphone = Microphone.A) -> None:
        """Speak into a microphone; returns when all has been said."""
        self.sound.say(text, microphone)

    def play(self, file: Path, microphone: Microphone = Microphone.A) -> None:
        """Feed a sound file into a microphone; returns when it has been played."""
        self.sound.play(file, microphone)

    def hear(self, seconds: float, speaker: Speaker = Speaker.A) -> Samples:
        """Return what a speaker plays in the next seconds: mono, 24 kHz."""
        return self.sound.hear(seconds, speaker)

    def recording(self, speaker: Speaker = Speaker.A) -> "contextlib.AbstractContextManager[Recording]":
        """Record what a speaker plays while the block runs."""
        return self.sound.recording(speaker)

    def unplug(self, device: Microphone | Speaker) -> None:
        """Take a sound device away."""
        self.sound.unplug(device)

    def plug(self, device: Microphone | Speaker) -> None:
        """Bring a sound device back."""
        self.sound.plug(device)

    def screenshot(self, file: Path) -> None:
        """Save the whole screen as PNG."""
        self.run("import", "-window", "root", str(file))

    def key_down(self, key: str) -> None:
        """Press and hold a key (an X keysym name, such as F9)."""
        self.run("xdotool", "keydown", key)

    def key_up(self, key: str) -> None:
        """Release a key."""
        self.run("xdotool", "keyup", key)

    def press(self, *keys: str) -> None:
        """Press and release keys or chords (ctrl+n) one after the other."""
        self.run("xdotool", "key", *keys)

    def type_text(self, text: str) -> None:
        """Type into the focused window."""
        self.run("xdotool", "type", "--delay", "15", text)

    def click(self, x: int, y: int) -> None:
        """Click with the left button."""
        self.run("xdotool", "mousemove", str(x), str(y), "click", "1")

    def find_window(self, title: str, *, timeout_s: float = 60.0) -> str:
        """Return the id of the visible window whose title holds `title`, waiting for it.

        Raises:
            DeskError: none came.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = subprocess.run(
                ["xdotool", "search", "--onlyvisible", "--name", title], env=self.env, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if found.stdout.split():
                return found.stdout.split()[0]
            time.sleep(0.05)
        raise DeskError(f"No window is titled {title!r}.")

    def shows(self, title: str) -> bool:
        """Return whether a visible window has this title."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", title], env=self.env, capture_output=True, check=False
        )
        return bool(found.stdout.strip())

    def focus(self, window: str) -> None:
        """Give a window the keyboard."""
        self.run("xdotool", "windowactivate", "--sync", window)


@contextlib.contextmanager
def forward_signals(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Hand SIGTERM, SIGINT and SIGHUP on to a process while the block runs."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str]) -> int:
    """Run a command on a private desktop; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.desk", description=__doc__)
    parser.add_argument("--keyring", choices=[kind.value for kind in Keyring], default=Keyring.UNLOCKED.value)
    parser.add_argument("--echo-ms", type=int, default=None)
    parser.add_argument("--logs", type=Path, default=None)
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    desk = Desk(keyring=Keyring(options.keyring), echo_ms=options.echo_ms, logs=options.logs, size=options.size)
    try:
        with desk:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *options.command], env=desk.env)
            with forward_signals(process):
                return process.wait()
    except DeskError as error:
        sys.stderr.write(f"desk: {error}\n")
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
