"""docs/comparison.md: what it says of NovaDesk leads to tests that exist."""

import re
from functools import cache
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"
LINK = re.compile(r'\[[^\]]+\]\((\.\./tests/[^)\s]+) "([^"]+)"\)')


def rows() -> list[list[str]]:
    """Return the cells of the table of features, heading and rule left out."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| Feature |") :].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@cache
def names_in(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_novadesk_has_is_shown_by_a_test_and_a_no_is_a_no(row: list[str]) -> None:
    assert len(row) == 9
    own, links = row[1], LINK.findall(row[1])
    assert own.count("](") == len(links), "every link names a test in its title"
    assert bool(links) is not own.startswith("no")
    for file, name in links:
        assert name in names_in((PAGE.parent / file).resolve()), f"{file} has no {name}"


def test_the_readme_leads_there() -> None:
    assert "(docs/comparison.md)" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
