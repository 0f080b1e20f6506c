"""The catalogues of translations: complete, up to date, and with the placeholders of their sources."""

import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", ROOT / "scripts" / "translations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["translations"] = module
    spec.loader.exec_module(module)
    return module


translations = _load()
Message = translations.Message
find_all = functools.cache(translations.find_all)  # reads the whole program: not when this is collected
CATALOGUES = sorted(translations.CATALOGUES.glob("*.ts"))
FORMS = {"de": 2}
"""How many forms a number has in a language."""


def holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)\}", text))


def test_texts_are_found_in_every_spelling() -> None:
    code = """
tr("one")
tr("two {x}", "a note", x=1)
trn("1 cat", "{n} cats", n)
Text.counted("1 dog", "{n} dogs", n)
raise KnownError(Reason.X, "what" if a else "else {y}", "advice", y=2)
tr("{only} {holes}")
tr(already)
tr(f"made {x}")
Text("a" + b)
"""
    found = list(translations.find_texts("a.py", code))
    assert {one.message for one in found if one.message} == {
        Message("one"),
        Message("two {x}", "a note"),
        Message("1 cat", "{n} cats", True),
        Message("1 dog", "{n} dogs", True),
        Message("what"),
        Message("else {y}"),
        Message("advice"),
    }
    assert sorted(one.line for one in found if one.message is None) == [9, 10]


def test_no_text_is_put_together_while_the_program_runs() -> None:
    assert [f"{one.path}:{one.line}" for one in find_all() if one.message is None] == []


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.stem)
def test_a_catalogue_has_every_text_translated_with_its_placeholders(file: Path) -> None:
    known = translations.read_catalogue(file)
    wanted = set(translations.messages(find_all()))
    assert {one.source for one in wanted - set(known)} == set(), "run `make translations` and translate"
    assert {one.source for one in set(known) - wanted} == set(), "run `make translations`"
    forms = FORMS[file.stem.partition("_")[2]]
    for message, translated in known.items():
        assert len(translated) == (forms if message.plural else 1), message
        assert all(translated), message
        for form in translated[-1:]:
            assert holes(form) == holes(message.note if message.plural else message.source), message


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.stem)
def test_what_the_window_reads_was_made_from_the_catalogue(file: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.qm"
    translations.release(file, made)
    assert made.read_bytes() == file.with_suffix(".qm").read_bytes(), "run `make translations`"
