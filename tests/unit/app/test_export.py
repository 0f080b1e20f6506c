"""A conversation as a document: what was heard, and nothing that its words could break."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.app import export
from novadesk.app.export import encoded, likely_format, render, write_whole
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Format, Role, Turn
from tests.support.store_rig import START_MS, make_conversation, make_turn

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


def talk(*texts: str, **given: object) -> tuple[Conversation, list[Turn]]:
    made = make_conversation(START_MS, **given)
    return made, [
        make_turn(made.handle, text, START_MS + place * 1_000, role=(Role.USER, Role.ASSISTANT)[place % 2])
        for place, text in enumerate(texts)
    ]


@given(texts=st.lists(TEXTS, max_size=4), heard=st.integers(0, 10), title=TEXTS)
def test_each_format_holds_what_was_heard_and_no_more(texts: list[str], heard: int, title: str) -> None:
    made, turns = talk(*texts, title=title)
    turns.append(make_turn(made.handle, "h" * heard + "\ue000unheard", heard_chars=heard, interrupted=True))
    for form in Format:
        document = render(made, turns, form)
        assert "\ue000" not in document
        assert "h" * heard in document
    parsed = json.loads(render(made, turns, Format.JSON))
    assert [turn["text"] for turn in parsed["turns"]] == [*texts, "h" * heard]
    assert parsed["title"] == title


def test_markdown_shows_the_words_as_they_are() -> None:
    document = render(
        *talk("# no head\n- no list\n1. none\n*plain* <b> `x` [a](b) | ~", title="*Title*\n# x"), Format.MARKDOWN
    )
    lines = document.splitlines()
    assert lines[0] == "# \\*Title\\* \\# x"
    assert lines[-4:] == [
        "\\# no head", "\\- no list", "\\1. none", "\\*plain\\* \\<b\\> \\`x\\` \\[a\\](b) \\| \\~",
    ]  # fmt: skip


def test_a_file_holds_what_has_no_form_in_utf_8_as_an_escape() -> None:
    assert encoded(*talk("caf\u00e9 \udcff"), Format.TEXT).decode().endswith("You: café \\udcff\n")


@pytest.mark.parametrize("form", Format)
def test_the_name_of_a_file_asks_for_its_format(form: Format) -> None:
    assert likely_format(Path(f"a{form.ending.upper()}")) is form
    assert likely_format(Path("a.markdown")) is Format.MARKDOWN
    assert likely_format(Path("a.pdf")) is None


def test_a_file_is_written_in_full_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("mine")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(KnownError) as error:
            write_whole(file, b"new", force=True)
    assert error.value.reason is Reason.BAD_INPUT
    assert "No space left" in error.value.what
    assert file.read_text() == "mine"
    write_whole(file, b"new", force=True)
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["talk.txt"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "talk.txt"
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        file.write_text("theirs")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(KnownError, match="exists already"):
        write_whole(file, b"new", force=False)
    assert file.read_text() == "theirs"


def test_where_there_are_no_hard_links_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_source: object, _target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(export.os, "link", none)
    file = tmp_path / "talk.txt"
    write_whole(file, b"new", force=False)
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(KnownError, match="exists already"):
        write_whole(file, b"again", force=False)


def test_each_format_tells_of_voices_and_tools_what_fits_it() -> None:
    made, turns = talk("What time is it?", "Noon.", "And now?", "Noon still.")
    turns[1] = replace(turns[1], voice="amy", tools=("current_time",))
    turns[3] = replace(turns[3], voice="tina")
    parsed = json.loads(render(made, turns, Format.JSON))
    assert [(turn["voice"], turn["tools"]) for turn in parsed["turns"]] == [
        ("", []), ("amy", ["current_time"]), ("", []), ("tina", []),
    ]  # fmt: skip
    assert ", 4 turns, voices amy, tina\n" in render(made, turns, Format.TEXT)
    assert " Nova (used current_time): Noon.\n" in render(made, turns, Format.TEXT)
    assert " (used current\\_time)\n" in render(made, turns, Format.MARKDOWN)
    assert "4 turns, voices amy, tina<" in render(made, turns, Format.PAGE)
    assert '"no","amy","current_time"\r\n' in render(made, turns, Format.TABLE)
    assert "4 turns, voice amy\n" in render(made, [replace(turn, voice="amy") for turn in turns], Format.TEXT)
