from dataclasses import replace

from novadesk.audio.devices import Direction
from novadesk.audio.route import Route
from novadesk.audio.serverview import Move
from novadesk.audio.telling import Telling
from novadesk.models import InputTrouble
from novadesk.text import Text

HERE = Route(microphone="Mic", speaker="Speaker")
GONE = Route(deaf=True, speaker="Speaker", note="There is no microphone.")
GOING = Route(
    deaf=True, microphone="Mic", speaker="Speaker", moves=(Move(direction=Direction.MICROPHONE, pid=1, device="b"),)
)


class Ear:
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.told.append((microphone, speaker, note))

    def on_input(self, trouble: InputTrouble) -> None:
        self.told.append(trouble)


def test_every_change_is_told_once_and_every_opening() -> None:
    ear = Ear()
    telling = Telling(ear)
    for _ in range(2):
        telling.open_anew("Half duplex.")
        telling.name(HERE)
        telling.name(HERE)
        telling.hear(InputTrouble.NONE)
    assert ear.told == [("Mic", "Speaker", "Half duplex.")] * 2


def test_the_sound_of_a_speaker_is_said_whatever_it_is_like_and_taken_back() -> None:
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew("")
    telling.name(HERE)
    telling.hear(InputTrouble.QUIET)
    telling.name(GONE)
    assert telling.deaf
    telling.hear(InputTrouble.CLIPPED)
    telling.hear(InputTrouble.NONE)
    telling.name(HERE)
    assert not telling.deaf
    assert ear.told == [
        ("Mic", "Speaker", ""),
        InputTrouble.QUIET,
        ("", "Speaker", "There is no microphone."),
        InputTrouble.MONITOR,
        ("Mic", "Speaker", ""),
        InputTrouble.NONE,
    ]


def test_a_note_stays_a_text_that_the_window_can_say_otherwise() -> None:
    ear = Ear()
    telling = Telling(ear)
    lost, turns = Text("The microphone “{device}” is gone.", device="USB"), Text("It takes turns.")
    telling.open_anew(turns)
    telling.name(replace(HERE, note=lost))
    ((_, _, note),) = (told for told in ear.told if isinstance(told, tuple))
    assert note == "The microphone “USB” is gone. It takes turns."
    assert [part.template for part in note.values.values()] == [lost.template, turns.template]


def test_what_is_wrong_is_told_again_after_names_have_changed() -> None:
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew("")
    telling.name(HERE)
    telling.hear(InputTrouble.ZEROS)
    telling.name(Route(microphone="Mic", speaker="Other"))
    assert ear.told[-2:] == [("Mic", "Other", ""), InputTrouble.ZEROS]


def test_names_that_are_about_to_change_are_not_told() -> None:
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew("")
    telling.name(HERE)
    telling.name(GOING)
    assert telling.deaf
    telling.name(HERE)
    assert ear.told == [("Mic", "Speaker", ""), InputTrouble.MONITOR, InputTrouble.NONE]


def test_a_headset_that_plays_like_a_telephone_is_told_only_while_all_is_well() -> None:
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew("")
    telling.name(replace(HERE, telephone=True))
    telling.hear(InputTrouble.QUIET)
    telling.hear(InputTrouble.NONE)
    telling.name(HERE)
    troubles = [InputTrouble.TELEPHONE, InputTrouble.QUIET, InputTrouble.TELEPHONE, InputTrouble.NONE]
    assert ear.told[1:] == troubles


def test_silence_of_a_microphone_that_is_switched_off_is_said_as_that_and_nothing_else_is() -> None:
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew("")
    telling.name(HERE)
    telling.hear(InputTrouble.ZEROS)
    telling.name(replace(HERE, muted=True))
    telling.hear(InputTrouble.QUIET)
    telling.hear(InputTrouble.ZEROS)
    telling.name(HERE)
    telling.name(replace(GONE, muted=True))
    assert ear.told[1:] == [
        InputTrouble.ZEROS,
        InputTrouble.MUTED,
        InputTrouble.QUIET,
        InputTrouble.MUTED,
        InputTrouble.ZEROS,
        ("", "Speaker", "There is no microphone."),
        InputTrouble.MONITOR,
    ]
