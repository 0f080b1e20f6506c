"""docs/ARCHITECTURE.md: its layers are those that import-linter holds, and each has a word of explanation."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_layers_of_the_page_are_those_of_the_contract() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = text[text.index("\n    cli  ") :].partition("\n\n")[0].strip("\n")
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in block.splitlines()]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert [row[0] for row in rows] == layers
    assert all(len(row) == 2 for row in rows)


def test_every_package_of_the_page_exists() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    assert named
    assert [name for name in named if not (ROOT / "src" / "novadesk" / name).is_file()] == []
