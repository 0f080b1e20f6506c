import pytest

from novadesk.audio.devices import DeviceList, Direction, choose, is_refusal, is_title_of, list_from, not_permitted
from novadesk.errors import KnownError, Reason


def row(name: str, api: int = 0, inputs: int = 2, outputs: int = 2, rate_hz: float = 44_100.0) -> dict[str, object]:
    return {
        "name": name,
        "hostapi": api,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": rate_hz,
    }


LINUX = list_from(
    [
        row("HDA Intel PCH: ALC257 (hw:0,0)"),
        row("sysdefault"),
        row("surround51", inputs=0),
        row("Webcam", outputs=0),
        row("default"),
        row("Monitor of Speaker", outputs=0),
    ],
    ["ALSA", "OSS"],
    [4, 4],
)
WINDOWS = list_from(
    [
        row("Microphone (Very Long Headset N", api=0, outputs=0),
        row("Speakers", api=0, inputs=0),
        row("Microphone (Very Long Headset Name)", api=1, outputs=0),
        row("Speakers", api=1, inputs=0),
        row("Line", api=1, outputs=0),
    ],
    ["MME", "Windows WASAPI"],
    [2, 3],
)


def test_the_default_comes_first_and_plugins_and_monitors_are_not_offered() -> None:
    assert LINUX.titles(Direction.MICROPHONE) == (
        "ALSA: default",
        "ALSA: HDA Intel PCH: ALC257 (hw:0,0)",
        "ALSA: Webcam",
    )
    assert LINUX.titles(Direction.SPEAKER) == ("ALSA: default", "ALSA: HDA Intel PCH: ALC257 (hw:0,0)")


def test_one_device_seen_through_two_windows_interfaces_is_offered_once() -> None:
    assert WINDOWS.titles(Direction.MICROPHONE) == (
        "Windows WASAPI: Microphone (Very Long Headset Name)",
        "Windows WASAPI: Line",
    )
    assert WINDOWS.titles(Direction.SPEAKER) == ("Windows WASAPI: Speakers",)


def test_twins_within_one_host_api_get_numbers() -> None:
    found = list_from([row("Headset"), row("Headset")], ["ALSA"], [0, 0])
    assert found.titles(Direction.MICROPHONE) == ("ALSA: Headset", "ALSA: Headset (2)")
    assert choose(found, Direction.MICROPHONE, "ALSA: Headset (2)").device.index == 1


@pytest.mark.parametrize("preferred", ["", "  ", "ALSA: default", "default"])
def test_the_default_can_be_named_or_left_out(preferred: str) -> None:
    choice = choose(LINUX, Direction.SPEAKER, preferred)
    assert (choice.device.name, choice.note) == ("default", "")


def test_a_bare_name_does_when_only_one_device_has_it() -> None:
    assert choose(LINUX, Direction.MICROPHONE, "Webcam").device.index == 3


def test_every_offered_name_is_understood_again() -> None:
    for found in (LINUX, WINDOWS):
        for direction in Direction:
            for title in found.titles(direction):
                choice = choose(found, direction, title)
                assert (choice.device.title, choice.note) == (title, "")


def test_a_known_kind_of_device_that_is_not_there_is_replaced_and_that_is_said() -> None:
    choice = choose(LINUX, Direction.MICROPHONE, "ALSA: USB Headset")
    assert choice.device.name == "default"
    assert choice.note == "The microphone “ALSA: USB Headset” is not connected; using “ALSA: default”."


@pytest.mark.parametrize("preferred", ["USB Headset", "CoreAudio: USB Headset", "webcam", "ALSA"])
def test_a_name_that_means_nothing_here_is_unknown(preferred: str) -> None:
    with pytest.raises(KnownError, match="no microphone named") as caught:
        choose(LINUX, Direction.MICROPHONE, preferred)
    assert caught.value.reason is Reason.UNKNOWN_DEVICE
    assert "novadesk devices" in caught.value.advice


def test_a_bare_name_of_several_devices_is_not_guessed() -> None:
    with pytest.raises(KnownError, match="Several speakers") as caught:
        choose(WINDOWS, Direction.SPEAKER, "Speakers")
    assert caught.value.reason is Reason.UNKNOWN_DEVICE


def test_a_speaker_is_no_microphone() -> None:
    with pytest.raises(KnownError):
        choose(WINDOWS, Direction.MICROPHONE, "Speakers")
    assert choose(LINUX, Direction.MICROPHONE, "ALSA: Monitor of Speaker").device.name == "default"


@pytest.mark.parametrize(
    ("direction", "reason"), [(Direction.MICROPHONE, Reason.NO_MICROPHONE), (Direction.SPEAKER, Reason.NO_SPEAKER)]
)
def test_none_at_all_is_its_own_error(direction: Direction, reason: Reason) -> None:
    nothing = DeviceList(devices=(), default_microphone=-1, default_speaker=-1, host_apis=("ALSA",))
    with pytest.raises(KnownError) as caught:
        choose(nothing, direction, "ALSA: Webcam")
    assert caught.value.reason is reason


def test_a_system_without_a_default_takes_the_first() -> None:
    found = list_from([row("A", inputs=0), row("B")], ["ALSA"], [-1, -1])
    assert choose(found, Direction.MICROPHONE, "").device.name == "B"


@pytest.mark.parametrize(
    ("listed", "api", "stored"),
    [
        ("USB Headset: Audio (hw:1,0)", "ALSA", "ALSA: USB Headset: Audio (hw:3,0)"),
        ("Microphone (USB Headset)", "Windows WASAPI", "Windows WASAPI: Microphone (2- USB Headset)"),
        ("Microphone (3- USB Headset)", "Windows WASAPI", "Windows WASAPI: Microphone (USB Headset)"),
    ],
)
def test_a_device_in_another_socket_is_the_same_device(listed: str, api: str, stored: str) -> None:
    found = list_from([row("Other"), row(listed)], [api], [0, 0])
    choice = choose(found, Direction.MICROPHONE, stored)
    assert (choice.device.index, choice.note) == (1, "")
    assert is_title_of(choice.device.title, stored)


def test_of_twins_neither_is_taken_for_a_third() -> None:
    found = list_from([row("default"), row("USB: Audio (hw:1,0)"), row("USB: Audio (hw:2,0)")], ["ALSA"], [0, 0])
    assert choose(found, Direction.MICROPHONE, "ALSA: USB: Audio (hw:2,0)").device.index == 2
    choice = choose(found, Direction.MICROPHONE, "ALSA: USB: Audio (hw:5,0)")
    assert choice.device.name == "default"
    assert "is not connected" in choice.note


def test_another_socket_of_the_same_card_is_another_device() -> None:
    found = list_from([row("default"), row("USB: Audio (hw:1,0)")], ["ALSA"], [0, 0])
    assert choose(found, Direction.MICROPHONE, "ALSA: USB: Audio (hw:1,1)").device.name == "default"


@pytest.mark.parametrize(
    "cause",
    [
        "Error opening InputStream: Unanticipated host error [PaErrorCode -9999]: 'Permission denied' [ALSA error -13]",
        "Unanticipated host error: 'Access is denied.' [Windows WASAPI error -2147024891]",
        "Unanticipated host error: 'Access denied' [ALSA error -1]",
    ],
)
def test_a_refusal_of_the_system_is_told_from_other_failures(cause: str) -> None:
    assert is_refusal(cause)
    assert not is_refusal("Error opening InputStream: Device unavailable [PaErrorCode -9985]")


def test_what_is_not_permitted_says_so_and_where_to_allow_it() -> None:
    error = not_permitted(Direction.MICROPHONE)
    assert error.reason is Reason.NO_MICROPHONE
    assert "not permitted to use the microphone" in error.what
    assert "Allow it" in error.advice
