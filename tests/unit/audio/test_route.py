from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.devices import Direction
from novadesk.audio.route import Route, Router
from novadesk.audio.serverview import Move, ServerDevice, ServerStream, ServerView

PID = 7
USB, LAPTOP, SPEAKER, HEADSET = "ALSA: USB: Audio (hw:2,0)", "ALSA: Laptop", "ALSA: Speaker", "ALSA: Headset"
MONITOR = "spk.monitor"
NOTE_GONE = "The microphone “ALSA: USB: Audio (hw:2,0)” is not connected; using “Title of mic_b”."


def view(
    microphones: str = "mic_a mic_b", on: str = "mic_a", default: str = "mic_b", speakers: str = "spk", to: str = "spk"
) -> ServerView:
    """Return a view with a monitor; `on` and `to` are where the streams of our process are."""
    return ServerView(
        devices=(
            *(_device(Direction.MICROPHONE, name) for name in microphones.split()),
            ServerDevice(direction=Direction.MICROPHONE, name=MONITOR, title="Monitor of Speaker", monitor=True),
            *(_device(Direction.SPEAKER, name) for name in speakers.split()),
        ),
        streams=(
            ServerStream(direction=Direction.MICROPHONE, pid=PID, device=on),
            ServerStream(direction=Direction.MICROPHONE, pid=99, device="mic_b"),
            ServerStream(direction=Direction.SPEAKER, pid=PID, device=to),
        ),
        microphone=default,
        speaker="spk",
    )


def _device(direction: Direction, name: str) -> ServerDevice:
    return ServerDevice(direction=direction, name=name, title=f"Title of {name}")


def move(device: str, direction: Direction = Direction.MICROPHONE) -> Move:
    return Move(direction=direction, pid=PID, device=device)


def opened(microphone: str = USB, preferred: str = USB, note: str = "") -> Router:
    router = Router(preferred, SPEAKER)
    router.opened(microphone, SPEAKER, note)
    router.see(view(), PID)
    return router


def test_the_preferred_device_in_use_needs_no_words() -> None:
    assert opened().see(view(), PID) == Route(microphone=USB, speaker=SPEAKER)


def test_an_unplugged_microphone_is_named_with_what_took_its_place() -> None:
    route = opened().see(view("mic_b", on="mic_b"), PID)
    assert (route.microphone, route.note, route.moves, route.deaf) == ("Title of mic_b", NOTE_GONE, (), False)


def test_the_stream_goes_back_when_its_device_is_back_and_then_nothing_is_left_to_say() -> None:
    router = opened()
    router.see(view("mic_b", on="mic_b"), PID)
    route = router.see(view("mic_a mic_b", on="mic_b"), PID)
    assert (route.moves, route.note) == ((move("mic_a"),), "")
    assert router.see(view(), PID) == Route(microphone=USB, speaker=SPEAKER)


def test_a_speaker_goes_back_as_well() -> None:
    router = opened()
    route = router.see(view(speakers="spk_b", to="spk_b"), PID)
    assert (route.speaker, route.microphone) == ("Title of spk_b", USB)
    assert "The speaker “ALSA: Speaker” is not connected" in route.note
    route = router.see(view(speakers="spk_b spk", to="spk_b"), PID)
    assert route.moves == (move("spk", Direction.SPEAKER),)


@pytest.mark.parametrize("microphones", ["mic_a mic_b mic_c", "mic_a", "mic_c mic_a"])
def test_an_unused_device_that_comes_or_goes_changes_nothing(microphones: str) -> None:
    route = opened().see(view(microphones), PID)
    assert (route.moves, route.note, route.reopen, route.ask, route.deaf) == ((), "", False, False, False)
    assert (route.microphone, route.speaker) == (USB, SPEAKER)


def test_what_a_person_changed_in_the_systems_settings_is_told_and_left_alone() -> None:
    router = opened()
    for _ in range(3):
        route = router.see(view(on="mic_b"), PID)
        assert (route.moves, route.microphone) == ((), "Title of mic_b")
        assert route.note == "The microphone was changed to “Title of mic_b” in the system's sound settings."


def test_a_change_made_after_the_device_was_away_and_back_is_left_alone_too() -> None:
    router = opened()
    router.see(view("mic_b", on="mic_b"), PID)
    router.see(view(), PID)
    assert router.see(view(on="mic_b"), PID).moves == ()


def test_a_device_that_the_server_names_anew_is_known_by_its_new_name() -> None:
    router = opened()
    router.opened(USB, SPEAKER, "")
    assert router.see(view("mic_c", on="mic_c"), PID) == Route(microphone=USB, speaker=SPEAKER, gained=True)


def test_the_monitor_of_a_speaker_is_no_microphone() -> None:
    route = opened().see(view("", on=MONITOR, default=MONITOR), PID)
    assert (route.deaf, route.moves, route.microphone) == (True, (), "")
    assert route.note == "There is no microphone: the sound system offers only what the speaker plays."


@pytest.mark.parametrize("preferred", [USB, ""])
def test_a_stream_on_a_monitor_is_brought_to_a_microphone_as_soon_as_there_is_one(preferred: str) -> None:
    router = opened(USB if preferred else "ALSA: default", preferred)
    router.see(view("", on=MONITOR, default=MONITOR), PID)
    route = router.see(view("mic_c", on=MONITOR, default=MONITOR), PID)
    assert (route.moves, route.deaf) == ((move("mic_c"),), True)
    route = router.see(view("mic_c", on="mic_c", default="mic_c"), PID)
    assert route.deaf is False


def test_the_default_is_followed_when_the_system_has_another_one() -> None:
    router = opened("ALSA: default", "")
    router.see(view(on="mic_b", default="mic_b"), PID)
    assert router.see(view(on="mic_b", default="mic_a"), PID).moves == (move("mic_a"),)
    assert router.see(view(on="mic_a", default="mic_a"), PID).moves == ()


def test_what_the_default_is_today_is_named() -> None:
    router = opened("ALSA: default", "")
    assert router.see(view(on="mic_b"), PID).microphone == "ALSA: default (Title of mic_b)"
    assert router.see(view(on="mic_a"), PID).microphone == "ALSA: default (Title of mic_a)"
    assert router.see(None, PID).microphone == "ALSA: default"


def test_a_stream_that_a_person_took_off_the_default_stays_there() -> None:
    router = opened("ALSA: default", "")
    router.see(view(on="mic_b", default="mic_b"), PID)
    assert router.see(view(on="mic_a", default="mic_b"), PID).moves == ()


def test_the_default_is_not_followed_to_a_monitor() -> None:
    router = opened("ALSA: default", "")
    router.see(view(on="mic_b", default="mic_b"), PID)
    assert router.see(view(on="mic_b", default=MONITOR), PID).moves == ()


def test_a_preferred_device_that_was_missing_at_the_opening_is_asked_for_when_one_has_come() -> None:
    router = Router(USB, SPEAKER)
    note = "The microphone is not connected."
    router.opened("ALSA: default", SPEAKER, note)
    assert router.see(view("mic_b", on="mic_b"), PID).ask is False
    route = router.see(view("mic_a mic_b", on="mic_b"), PID)
    assert (route.ask, route.reopen, route.note) == (True, False, note)
    assert router.see(view("mic_a mic_b", on="mic_b"), PID).ask is False


def test_after_an_opening_elsewhere_the_known_device_is_opened_anew_once_it_is_back() -> None:
    router = opened()
    router.see(view("mic_b", on="mic_b"), PID)
    router.opened(LAPTOP, SPEAKER, "not connected")
    assert router.see(view("mic_b", on="mic_b"), PID).reopen is False
    assert router.see(view("mic_a mic_b", on="mic_b"), PID).reopen is True
    assert router.see(view("mic_a mic_b", on="mic_b"), PID).reopen is False, "it was tried once and did not open"


def test_a_server_that_comes_back_brings_devices() -> None:
    router = opened()
    assert router.see(None, PID).gained is False
    assert router.see(view(), None).gained is True


def test_a_stream_that_the_server_does_not_know_is_left_to_itself() -> None:
    assert opened().see(view("mic_b"), 12345) == Route(microphone=USB, speaker=SPEAKER)


VIEWS = st.builds(
    view,
    st.sampled_from(["", "mic_a", "mic_b", "mic_a mic_b", "mic_b mic_c"]),
    st.sampled_from(["mic_a", "mic_b", "mic_c", MONITOR, ""]),
    st.sampled_from(["mic_a", "mic_b", MONITOR, ""]),
    st.sampled_from(["spk", "spk_b", "spk spk_b", ""]),
    st.sampled_from(["spk", "spk_b", ""]),
)


@given(st.sampled_from([USB, ""]), st.lists(st.none() | VIEWS, min_size=1, max_size=12))
def test_whatever_happens_streams_are_brought_to_what_is_there_and_a_monitor_is_never_heard(
    preferred: str, views: list[ServerView | None]
) -> None:
    router = Router(preferred, SPEAKER)
    router.opened(USB if preferred else "ALSA: default", SPEAKER, "")
    for seen in views:
        route = router.see(seen, PID)
        if seen is None:
            assert route.moves == ()
            continue
        real = {device.name for device in seen.devices if not device.monitor}
        assert {step.device for step in route.moves} <= real
        on = seen.device_of(PID, Direction.MICROPHONE)
        assert route.deaf is (on is not None and on.monitor)
        assert len(route.moves) <= 2


def test_a_microphone_is_switched_off_when_it_is_ours_that_is() -> None:
    router = Router(USB, SPEAKER)
    router.opened(USB, SPEAKER, "")
    for muted in ("mic_a", "mic_b", ""):
        seen = view()
        devices = tuple(replace(device, muted=device.name == muted) for device in seen.devices)
        assert router.see(replace(seen, devices=devices), PID).muted is (muted == "mic_a")
    assert not router.see(None, PID).muted


@pytest.mark.parametrize(
    ("ours", "others", "telephone"),
    [
        ("bluez_input.00_11", ["alsa_input.pci"], True),
        ("bluez_source.00_11.headset_head_unit", ["alsa_input.pci"], True),
        ("bluez_input.00_11", [], False),
        ("bluez_input.00_11", ["bluez_input.22_33"], False),
        ("alsa_input.pci", ["bluez_input.00_11"], False),
    ],
)
def test_a_bluetooth_microphone_is_known_where_there_is_another_one(
    ours: str, others: list[str], telephone: bool
) -> None:
    way = Direction.MICROPHONE
    devices = [ServerDevice(direction=way, name=name, title=name) for name in (ours, *others)]
    devices += [ServerDevice(direction=way, name="bluez_output.00_11.monitor", title="Monitor", monitor=True)]
    seen = ServerView(devices=tuple(devices), streams=(ServerStream(direction=way, pid=PID, device=ours),))
    router = Router("", "")
    router.opened("ALSA: default", SPEAKER, "")
    assert router.see(seen, PID).telephone is telephone
