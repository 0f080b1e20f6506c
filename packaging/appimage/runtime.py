"""Fetch the static type-2 runtime of AppImages, of one release, and hold it to its checksum; print its path.

python packaging/appimage/runtime.py build
"""

import hashlib
import platform
import sys
import urllib.request
from pathlib import Path

RELEASE = "https://github.com/AppImage/type2-runtime/releases/download/20251108"
SHA256 = {
    "x86_64": "2fca8b443c92510f1483a883f60061ad09b46b978b2631c807cd873a47ec260d",
    "aarch64": "00cbdfcf917cc6c0ff6d3347d59e0ca1f7f45a6df1a428a0d6d8a78664d87444",
}


def fetch(folder: Path, machine: str, release: str = RELEASE) -> Path:
    """Return the runtime for a processor, from the folder when it is there already.

    Raises:
        SystemExit: there is none for the processor, or what came is another file.
    """
    if machine not in SHA256:
        raise SystemExit(f"appimage: there is no runtime for {machine}")
    name = f"runtime-{machine}"
    file = folder / name
    if not file.is_file():
        with urllib.request.urlopen(f"{release}/{name}", timeout=60) as answer:
            content = answer.read()
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256[machine]:
        file.unlink()
        raise SystemExit(f"appimage: {name} is not the file whose checksum is known")
    return file


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1]), platform.machine()))
