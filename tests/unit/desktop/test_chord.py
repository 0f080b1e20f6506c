import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.chord import (
    Action,
    Key,
    KeyDown,
    KeyUp,
    KeyWatch,
    OtherDown,
    caution,
    parse_bindings,
    parse_chord,
    parse_keys,
)
from novadesk.desktop.hotkeys.base import News, NoHotkey, Standing, choose_backend
from novadesk.errors import KnownError, Reason

CTRL, SPACE, OTHER = frozenset({"ctrl"}), frozenset({"space"}), frozenset({"x"})
CHORD, BARE = Key(name="ctrl+space"), Key(name="ctrl", bare=True)
DOWN, UP = [KeyDown(key=CHORD)], [KeyUp(key=CHORD)]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("f9", ("f9",)),
        ("F24", ("f24",)),
        (" Ctrl + Space ", ("ctrl", "space")),
        ("right_control", ("right_ctrl",)),
        ("cmd+a", ("super", "a")),
        ("ctrl+ctrl+ß", ("ctrl", "ß")),
        ("return", ("enter",)),
        ("Mouse4", ("mouse_back",)),
        ("ctrl+mouse_middle", ("ctrl", "mouse_middle")),
        ("mouse12", ("mouse12",)),
        ("ctrl+plus", ("ctrl", "+")),
    ],
)
def test_names_of_keys(text: str, keys: tuple[str, ...]) -> None:
    assert parse_chord(text).keys == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f25",
        "f0",
        "ctrl+",
        "left_space",
        "ctrl space",
        "hyper",
        "\n",
        "mouse_left",
        "mouse_right",
        "mouse9",
        "mouse31",
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_chord(text)
    assert caught.value.reason is Reason.BAD_SETTINGS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("  ", []),
        ("f9", ["f9"]),
        ("f9, right_ctrl ,mouse_back,f9", ["f9", "right_ctrl", "mouse_back"]),
        (",", ["comma"]),
        ("comma, ctrl+plus", ["comma", "ctrl+plus"]),
    ],
)
def test_several_keys_for_one_action(text: str, names: list[str]) -> None:
    chords = parse_keys(text)
    assert [str(chord) for chord in chords] == names
    assert parse_keys(", ".join(names)) == chords


def test_a_key_is_bound_to_one_action() -> None:
    bindings = parse_bindings("f9, right_ctrl", "f8")
    assert [binding.key for binding in bindings] == [
        Key(name="f9"),
        Key(name="right_ctrl", bare=True),
        Key(name="f8", action=Action.MUTE),
    ]
    with pytest.raises(KnownError, match="both talk and mute"):
        parse_bindings("f9, ctrl+space", "space+ctrl")


@pytest.mark.parametrize(
    ("text", "words"),
    [("f9", ""), ("mouse_back", ""), ("super", "menu"), ("ctrl+space", "input method"), ("right_alt", "shortcut"),
     ("a", "typed"), ("space", "typed"), ("caps_lock", "capital"), ("ctrl+a", "")],
)  # fmt: skip
def test_what_to_know_of_a_key_before_choosing_it(text: str, words: str) -> None:
    assert words in caution(parse_chord(text))
    assert bool(words) is bool(caution(parse_chord(text)))


def watch_chord() -> KeyWatch:
    return KeyWatch([(CHORD, [CTRL, SPACE])])


def test_the_repeats_of_a_chord_are_told() -> None:
    watch = watch_chord()
    assert [watch.press(SPACE), watch.press(CTRL), watch.press(CTRL), watch.release(CTRL)] == [[], DOWN, DOWN, UP]


def test_the_first_release_of_any_key_ends_the_chord() -> None:
    watch = watch_chord()
    watch.press(CTRL)
    watch.press(SPACE)
    assert watch.release(CTRL) == UP
    assert watch.press(SPACE) == [], "the repeat of the key still held begins nothing"
    assert watch.release(SPACE) == []


def test_a_released_key_has_to_come_back_before_the_chord_begins_again() -> None:
    watch = watch_chord()
    watch.press(CTRL)
    watch.press(SPACE)
    watch.release(SPACE)
    assert watch.press(SPACE) == DOWN


def test_several_keys_are_watched_side_by_side() -> None:
    f9 = Key(name="f9", action=Action.MUTE)
    watch = KeyWatch([(CHORD, [CTRL, SPACE]), (f9, [frozenset({"f9"})])])
    told: list[News] = []
    for take, key in (
        (watch.press, CTRL),
        (watch.press, frozenset({"f9"})),
        (watch.press, SPACE),
        (watch.release, frozenset({"f9"})),
        (watch.release, SPACE),
    ):
        told += take(key)
    assert told == [KeyDown(key=f9), *DOWN, KeyUp(key=f9), *UP]


def test_another_key_is_told_once_while_it_is_held() -> None:
    watch = watch_chord()
    assert watch.press(OTHER) == [OtherDown()]
    assert watch.press(OTHER) == []
    assert watch.release(OTHER) == []
    assert watch.press(OTHER) == [OtherDown()]


def test_a_bound_key_is_another_one_for_a_modifier_that_is_down() -> None:
    watch = KeyWatch([(BARE, [CTRL]), (CHORD, [CTRL, SPACE])])
    assert watch.press(CTRL) == [KeyDown(key=BARE)]
    assert watch.press(CTRL) == [KeyDown(key=BARE)]
    assert watch.press(SPACE) == [OtherDown(), *DOWN]
    assert watch.press(SPACE) == DOWN
    assert watch.release(SPACE) == UP
    assert watch.release(CTRL) == [KeyUp(key=BARE)]
    assert watch.press(SPACE) == [], "no modifier is down"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([CTRL, SPACE, OTHER, CTRL | SPACE]))))
def test_every_release_ends_a_press(events: list[tuple[bool, frozenset[str]]]) -> None:
    watch, down = watch_chord(), False
    for pressed, key in events:
        for news in watch.press(key) if pressed else watch.release(key):
            if not isinstance(news, OtherDown):
                assert pressed or down
                down = pressed


@pytest.mark.parametrize(
    ("key", "environment", "words"),
    [
        ("", {"DISPLAY": ":0"}, "No push-to-talk key"),
        ("f9", {}, "no display"),
    ],
)
def test_where_there_is_no_global_key_the_note_says_why(key: str, environment: dict[str, str], words: str) -> None:
    backend = choose_backend(parse_bindings(key), platform="linux", environment=environment)
    assert isinstance(backend, NoHotkey)
    told: list[News] = []
    backend.start(told.append)
    (standing,) = told
    assert isinstance(standing, Standing)
    assert words in standing.note
