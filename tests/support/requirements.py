"""What the private desktop needs from the system, and the line that installs it."""

import re
import shutil
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[2] / "scripts" / "packages.sh"

# One program or file of each package.
_PROGRAMS = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "xprop": "x11-utils",
    "import": "imagemagick",
    "pulseaudio": "pulseaudio",
    "pactl": "pulseaudio-utils",
    "dbus-daemon": "dbus",
    "gdbus": "libglib2.0-bin",
    "gnome-keyring-daemon": "gnome-keyring",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
    "text2wave": "festival",
    "/usr/share/festival/voices/us/cmu_us_slt_arctic_hts/festvox/cmu_us_slt_arctic_hts.scm": "festvox-us-slt-hts",
    "flite": "flite",
    "setpriv": "util-linux",
    "strace": "strace",
}


def rig_packages() -> list[str]:
    """Return the Debian packages of the private desktop, as scripts/packages.sh lists them."""
    match = re.search(r"^RIG_PACKAGES=\((.*?)\)", _PACKAGES.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1].split()


def missing_programs() -> list[str]:
    """Return the programs and files of the private desktop that are not there."""
    return [program for program in _PROGRAMS if shutil.which(program) is None and not Path(program).is_file()]


def apt_line(missing: list[str]) -> str:
    """Return the command that installs the packages of the missing programs."""
    packages = " ".join(sorted({_PROGRAMS[program] for program in missing}))
    return f"sudo apt-get install --no-install-recommends {packages}"
