import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.desktop.hotkeys.base import NoHotkey, choose_backend
from novadesk.desktop.hotkeys.chord import ChordWatch, parse_chord
from novadesk.errors import KnownError, Reason

CTRL, SPACE, OTHER = frozenset({"ctrl"}), frozenset({"space"}), frozenset({"x"})


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
    ],
)
def test_names_of_keys(text: str, keys: tuple[str, ...]) -> None:
    assert parse_chord(text).keys == keys


@pytest.mark.parametrize("text", ["", "f25", "f0", "ctrl+", "left_space", "ctrl space", "hyper", "\n"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_chord(text)
    assert caught.value.reason is Reason.BAD_SETTINGS


def test_repeated_presses_of_a_held_key_count_once() -> None:
    watch = ChordWatch([CTRL])
    assert [watch.press(CTRL), watch.press(CTRL), watch.release(CTRL), watch.press(CTRL)] == [True, False, True, True]


def test_the_first_release_of_any_key_ends_the_chord() -> None:
    watch = ChordWatch([CTRL, SPACE])
    assert not watch.press(SPACE)
    assert watch.press(CTRL)
    assert watch.release(CTRL)
    assert not watch.press(SPACE), "the repeat of the key still held begins nothing"
    assert not watch.release(SPACE)


def test_a_released_key_has_to_come_back_before_the_chord_begins_again() -> None:
    watch = ChordWatch([CTRL, SPACE])
    watch.press(CTRL)
    watch.press(SPACE)
    watch.release(SPACE)
    assert watch.press(SPACE)


def test_forgetting_tells_whether_the_chord_was_down() -> None:
    watch = ChordWatch([CTRL])
    assert not watch.forget()
    watch.press(CTRL)
    assert watch.forget()
    assert not watch.release(CTRL)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([CTRL, SPACE, OTHER, CTRL | SPACE]))))
def test_begin_and_end_alternate(events: list[tuple[bool, frozenset[str]]]) -> None:
    watch, down = ChordWatch([CTRL, SPACE]), False
    for pressed, key in events:
        changed = watch.press(key) if pressed else watch.release(key)
        if changed:
            assert down is not pressed
            down = pressed


@pytest.mark.parametrize(
    ("key", "environment", "words"),
    [
        ("", {"DISPLAY": ":0"}, "No push-to-talk key"),
        ("f9", {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, "Wayland"),
        ("f9", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "Wayland"),
        ("f9", {}, "no display"),
        ("nonsense", {"DISPLAY": ":0"}, "nonsense"),
    ],
)
def test_where_there_is_no_global_key_the_note_says_why(key: str, environment: dict[str, str], words: str) -> None:
    backend = choose_backend(key, platform="linux", environment=environment)
    assert isinstance(backend, NoHotkey)
    assert words in backend.note
    backend.start(lambda: None, lambda: None)
    backend.stop()
