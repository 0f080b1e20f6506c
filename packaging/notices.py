"""The third-party notices that every package carries, and the software bill of materials (CycloneDX 1.6, JSON)."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from inventory import Component
from licences import Part

NOTICES = "THIRD-PARTY-NOTICES.txt"
_RULE = "=" * 78
_HEAD = {
    Part.CLIENT: "What NovaDesk's packages carry that was made by others, under which licence, with its text.\n",
    Part.PRACTICE: (
        "What the practice partner of NovaDesk carries that was made by others, under which licence, with its text.\n"
        "\n"
        "espeak-ng is free software under the GNU General Public License, version 3 or later. It lies in files of its\n"
        "own and is loaded by the practice partner's process alone. Where a package carries it (and does not use the\n"
        "system's), its source is offered in the same place as the package, as the archives espeak-ng-*.tar.gz.\n"
    ),
}


def write_notices(components: Iterable[Component], part: Part) -> str:
    """Return the notices of a part."""
    own = [one for one in components if one.part is part and one.name != "NovaDesk"]
    width = max((len(f"{one.name} {one.version}") for one in own), default=0)
    lines = [_HEAD[part]]
    for one in own:
        within = f" (in {one.within})" if one.within else ""
        lines.append(f"{f'{one.name} {one.version}':<{width}}  {one.licence}{within}")
    for titles, text in _texts(own):
        lines += ["", _RULE, *titles, _RULE, "", text]
    return "\n".join(lines).rstrip() + "\n"


def _texts(components: Sequence[Component]) -> list[tuple[list[str], str]]:
    """Return each licence text once, with those that it is of."""
    known: dict[str, list[str]] = {}
    for one in components:
        for file in one.texts:
            text = file.read_text(encoding="utf-8", errors="replace").strip().replace("\r\n", "\n")
            if text:
                known.setdefault(text, []).append(f"{one.name} {one.version}: {file.name}")
    return [(titles, text) for text, titles in known.items()]


def make_sbom(components: Sequence[Component], *, made_at: int, version: str, commit: str) -> dict[str, Any]:
    """Return the bill of materials; the same components at the same time give the same one.

    Args:
        components: of the tree.
        made_at: seconds since 1970.
        version: of NovaDesk.
        commit: that it was made of.
    """
    described = [_described(one) for one in components if one.name != "NovaDesk"]
    refs = [row["bom-ref"] for row in described]
    content = repr((version, commit, described)).encode()
    subject = {
        "type": "application", "bom-ref": "novadesk", "name": "NovaDesk", "version": version,
        "licenses": [{"expression": "Apache-2.0"}], "purl": f"pkg:generic/novadesk@{version}",
        "properties": [{"name": "novadesk:commit", "value": commit}],
    }  # fmt: skip
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=sha256(content).digest()[:16], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(made_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": subject,
        },
        "components": described,
        "dependencies": [{"ref": "novadesk", "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }


def _described(one: Component) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "library", "bom-ref": one.purl, "name": one.name, "version": one.version, "purl": one.purl,
        "licenses": [{"expression": one.licence}],
        "properties": [{"name": "novadesk:part", "value": one.part.value}],
    }  # fmt: skip
    if one.within:
        row["properties"].append({"name": "novadesk:within", "value": one.within})
    return row


def checksums(files: Iterable[Path]) -> str:
    """Return the lines that `sha256sum --check` reads."""
    return "".join(f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files))
