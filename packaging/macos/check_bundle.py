"""Check that a signed NovaDesk.app may ask for the microphone: without both keys it hears silence, and no one is asked.

python packaging/macos/check_bundle.py dist/NovaDesk.app
"""

import plistlib
import sys
from pathlib import Path

import signature

USAGE = "NSMicrophoneUsageDescription"
ENTITLEMENT = "com.apple.security.device.audio-input"
_PLACEHOLDERS = ("CFBundleShortVersionString", "CFBundleVersion", "CFBundleIdentifier")


def findings(app: Path) -> list[str]:
    """Return what is wrong with a bundle, one sentence each."""
    file = app / "Contents" / "Info.plist"
    try:
        info = plistlib.loads(file.read_bytes())
    except (OSError, plistlib.InvalidFileException) as error:
        return [f"Contents/Info.plist cannot be read ({type(error).__name__})"]
    found = [f"Contents/Info.plist has no {name}" for name in (USAGE, *_PLACEHOLDERS) if not info.get(name)]
    program = app / "Contents" / "MacOS" / str(info.get("CFBundleExecutable"))
    icon = app / "Contents" / "Resources" / str(info.get("CFBundleIconFile"))
    if not icon.is_file():
        found.append(f"the icon {icon.name} is missing")
    try:
        rights = signature.entitlements(program)
    except (OSError, signature.NoMachO):
        return [*found, f"Contents/MacOS/{program.name} is no program of macOS"]
    if not all(one.get(ENTITLEMENT) is True for one in rights):
        found.append(f"the signature of {program.name} lacks {ENTITLEMENT}")
    return found


def main() -> int:
    """Check a bundle; return the exit status."""
    app = Path(sys.argv[1])
    found = findings(app)
    for sentence in found:
        print(f"check: {sentence}")
    print(f"check: {app.name} {'is NOT ready' if found else 'may ask for the microphone'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
