"""Subtitles, table and page: each is read back by a reader of its format, and says what was heard."""

import csv
import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.app.export import encoded, render
from novadesk.app.export_page import DARK, LIGHT
from novadesk.app.export_subtitles import LINE_CHARS, cues
from novadesk.app.export_table import COLUMNS, guarded
from novadesk.models import Conversation, Format, Role, Turn
from tests.support.store_rig import START_MS, make_conversation, make_turn

TEXTS = st.text(max_size=200)
CUE = re.compile(
    r"(\d+)\n(\d{2,}):([0-5]\d):([0-5]\d),(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d),(\d{3})\n((?:[^\n]+\n)+)(?:\n|\Z)"
)


def talk(said: list[tuple[int, str]], **given: object) -> tuple[Conversation, list[Turn]]:
    """Return a conversation whose turns ended so many milliseconds after its beginning."""
    made = make_conversation(START_MS, **given)
    return made, [
        make_turn(made.handle, text, START_MS + at_ms, role=(Role.USER, Role.ASSISTANT)[place % 2])
        for place, (at_ms, text) in enumerate(said)
    ]


# --- subtitles -----------------------------------------------------------------------------------


def test_subtitles_count_from_the_beginning_and_end_with_the_turn() -> None:
    made, turns = talk([(4_000, "How are you?"), (3_725_500, "Fine, thanks.")])
    turns.append(make_turn(made.handle, "Not heard any more", START_MS + 3_730_000, heard_chars=3, interrupted=True))
    assert render(made, turns, Format.SUBTITLES) == (
        "1\n00:00:03,200 --> 00:00:04,000\nYou: How are you?\n\n"
        "2\n01:02:04,633 --> 01:02:05,500\nNova: Fine, thanks.\n\n"
        "3\n01:02:09,800 --> 01:02:10,000\nYou: Not\n"
    )


def test_subtitles_begin_with_the_first_turn_where_the_clock_was_set_back() -> None:
    assert [cue.end_ms for cue in cues(*talk([(-5_000, "one"), (1_000, "two")]))] == [1, 6_000]


def test_a_long_turn_is_cut_into_cues_that_share_its_time() -> None:
    made, turns = talk([(60_000, "word " * 60)])
    shown = list(cues(made, turns))
    assert [len(cue.lines) for cue in shown] == [2, 2, 2, 2]
    assert (shown[0].start_ms, shown[-1].end_ms) == (60_000 - round(299 / 15 * 1000), 60_000)
    chars = [sum(map(len, cue.lines)) for cue in shown]
    for cue, count in zip(shown, chars, strict=True):
        assert cue.end_ms - cue.start_ms == pytest.approx(19_933 * count / sum(chars), abs=1)


@given(said=st.lists(st.tuples(st.integers(-5_000, 500_000_000), TEXTS), max_size=6))
@example(said=[(0, "1\n\n2\n00:00:01,000 --> 00:00:02,000\nfalse\u2028\x85\x1c end")])
@example(said=[(0, "x" * 200), (1, "-->"), (1, "y"), (-1, "\x00\x1b[31m\ufffe")])
def test_subtitles_are_in_order_and_no_word_breaks_out_of_its_cue(said: list[tuple[int, str]]) -> None:
    made, turns = talk(said)
    document = render(made, turns, Format.SUBTITLES)
    found = list(CUE.finditer(document))
    assert "".join(match[0] for match in found) == document
    assert [int(match[1]) for match in found] == list(range(1, len(found) + 1))
    assert all(len(line) <= LINE_CHARS and line == line.strip() for match in found for line in match[10].splitlines())
    assert all(line.isprintable() and "-->" not in line for match in found for line in match[10].split("\n")[:-1])
    shown = list(cues(made, turns))
    assert len(shown) == len(found)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in shown)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(shown))


# --- table ---------------------------------------------------------------------------------------


@given(said=st.lists(st.tuples(st.integers(0, 10**9), TEXTS), max_size=5), title=TEXTS)
@example(said=[(0, 'a "quoted"; =1+1, \r\n@x'), (1, "=HYPERLINK(1)"), (2, "\t=1"), (3, " -2"), (4, "＝1")], title="+1")
def test_a_table_is_read_back_as_it_was_and_holds_no_formula(said: list[tuple[int, str]], title: str) -> None:
    made, turns = talk(said, title=title)
    document = render(made, turns, Format.TABLE)
    rows = list(csv.reader(io.StringIO(document, newline=""), strict=True))
    assert tuple(rows[0]) == COLUMNS
    assert document.endswith("\r\n")
    assert document.count('"') % 2 == 0
    for number, (row, (at_ms, text)) in enumerate(zip(rows[1:], said, strict=True), 1):
        cells = dict(zip(COLUMNS, row, strict=True))
        assert cells["text"] == guarded(text)
        assert cells["text"].removeprefix("'") == text.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace"
        ).removeprefix("'")
        assert (cells["number"], cells["seconds"]) == (str(number), f"{at_ms / 1000:.3f}")
        assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") for cell in row)
        assert not any(cell.lstrip()[:1] in ("=", "@", "＝", "＋", "－", "＠") for cell in row)


def test_every_cell_is_quoted_whatever_separator_a_spreadsheet_expects() -> None:
    document = render(*talk([(0, "a;=1+1;b")]), Format.TABLE)
    assert ',"a;=1+1;b",' in document
    assert all(line.startswith('"') and line.endswith('"') for line in document.splitlines())


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"),
        ("  +1", "'  +1"),
        ("@a", "'@a"),
        ("-", "'-"),
        ("\n-", "'\n-"),
        ("\ta", "'\ta"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        ("", ""),
    ],
)
def test_what_looks_like_a_formula_gets_an_apostrophe(text: str, cell: str) -> None:
    assert guarded(text) == cell


def test_a_file_with_a_table_says_that_it_is_utf_8() -> None:
    content = encoded(*talk([(0, "Grüße")]), Format.TABLE)
    assert content.startswith(b'\xef\xbb\xbf"conversation"')
    assert encoded(*talk([(0, "Grüße")]), Format.TEXT)[:1] != b"\xef"


# --- page ----------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects what a browser would see: elements with attributes, and the text of each one."""

    VOID = frozenset({"meta"})

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(document)
        self.close()
        assert self.open == [], "an element was never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append((tag, ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        place = max(index for index, (tag, _) in enumerate(self.texts) if tag == self.open[-1]) if self.open else -1
        if place >= 0:
            tag, text = self.texts[place]
            self.texts[place] = (tag, text + data)

    def said(self) -> list[str]:
        classes = [attributes.get("class") for _, attributes in self.elements]
        return [text for (_, text), kind in zip(self.texts, classes, strict=True) if kind == "said"]


@given(said=st.lists(TEXTS, max_size=4), title=TEXTS)
@example(
    said=["</p><script>alert(1)</script>", "&amp; &lt; <!-- ", 'a" onload="x', "\r\n\x00\x1b\x85", "a\rb"],
    title="</title><b>",
)
def test_a_page_shows_the_words_as_they_are_and_only_them(said: list[str], title: str) -> None:
    made, turns = talk([(place * 1000, text) for place, text in enumerate(said)], title=title)
    reader = Reader(render(made, turns, Format.PAGE))
    assert {tag for tag, _ in reader.elements} <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "p", "section", "article",
        "time", "span",
    }  # fmt: skip
    wanted = [re.sub("[\ud800-\udfff]", "\ufffd", re.sub("\r\n?", "\n", text)) for text in said]
    wanted = [re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text) for text in wanted]
    pairs = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in said]
    if pairs == said:  # else two halves may have made one
        assert reader.said() == wanted


def test_a_page_needs_nothing_else_and_runs_nothing() -> None:
    document = render(*talk([(0, "See https://example.org")]), Format.PAGE)
    reader = Reader(document)
    policies = [a.get("content") for tag, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not {"src", "href", "style"} & {name for _, attributes in reader.elements for name in attributes}
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)
    (style,) = [text for tag, text in reader.texts if tag == "style"]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_a_page_can_be_walked_by_its_headings() -> None:
    made, turns = talk([(0, "one"), (60_000, "two"), (2 * 86_400_000, "three")], title="Aspirin")
    turns[1] = make_turn(made.handle, "two", START_MS + 60_000, role=Role.ASSISTANT, interrupted=True)
    reader = Reader(render(made, turns, Format.PAGE))
    assert ("html", {"lang": "en"}) in reader.elements
    assert [tag for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h3", "h3", "h2", "h3"]
    assert [text for tag, text in reader.texts if tag in ("title", "h1")] == ["Aspirin", "Aspirin"]
    heads = {a["id"] for tag, a in reader.elements if tag == "h2"}
    assert {a["aria-labelledby"] for tag, a in reader.elements if tag == "section"} == heads
    assert len(heads) == 2
    assert [text for tag, text in reader.texts if tag == "span"] == ["(interrupted)"]
    assert [a["class"] for tag, a in reader.elements if tag == "article"] == ["you", "nova", "you"]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["text", "muted"])
def test_the_colours_of_a_page_can_be_told_apart(colours: dict[str, str], ink: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(colours[ink]), luminance(colours["ground"])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
