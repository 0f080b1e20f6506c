"""Write packaging/gateway/requirements.txt: what a gateway on Linux needs of requirements.lock, without the window.

python packaging/gateway/requirements.py
"""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TARGET = Path(__file__).with_name("requirements.txt")
PLATFORM = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.12", "extra": ""}

USED = (
    "aiohttp", "boto3", "cryptography", "h2", "numpy", "platformdirs", "prometheus-client", "PyJWT", "tomlkit",
    "aws-sdk-bedrock-runtime", "aws-sdk-signers", "smithy-aws-core", "smithy-aws-event-stream", "smithy-core",
    "smithy-http", "smithy-json", "truststore",
    "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http",
    "hatchling",
)  # fmt: skip
"""What the gateway imports; the rest is what that needs. hatchling builds NovaDesk itself."""

HEADER = "# Made of requirements.lock by packaging/gateway/requirements.py; do not edit.\n"


def closure() -> set[str]:
    """Return the names of all distributions that are needed, as they are installed here."""
    needed: set[str] = set()
    left = [Requirement(name) for name in USED]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        extras = tuple(one.extras) or ("",)
        if name in needed:
            continue
        needed.add(name)
        for text in requires(name) or ():
            needs = Requirement(text)
            if needs.marker is None or any(needs.marker.evaluate(PLATFORM | {"extra": extra}) for extra in extras):
                left.append(needs)
    return needed


def content() -> str:
    """Return the file: the entries of the lock, with their hashes, without what they came from."""
    entries = re.findall(
        r"^(([\w.-]+==.*?)(?: \\\n    --hash\S+)+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    wanted = closure()
    locked = {}
    for entry, text in entries:
        needs = Requirement(text)
        if needs.marker is None or needs.marker.evaluate(PLATFORM):  # another version may be locked for another system
            locked[canonicalize_name(needs.name)] = entry
    if missing := wanted - set(locked):
        raise SystemExit(f"not in requirements.lock: {', '.join(sorted(missing))}")
    return HEADER + "".join(f"{locked[name]}\n" for name in sorted(wanted))


if __name__ == "__main__":
    TARGET.write_text(content(), encoding="utf-8")
