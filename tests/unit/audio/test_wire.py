from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.devices import Direction
from novadesk.audio.framing import HEADER, FramingError, decode_command, decode_report, encode, payload_bytes
from novadesk.audio.wire import (
    Clip,
    Failed,
    Flush,
    Frame,
    Input,
    Interruption,
    List,
    Listed,
    Message,
    Open,
    Opened,
    Play,
    Played,
    PlayOn,
    Ready,
    Statistics,
    Trying,
    Volume,
    Watch,
)
from novadesk.config import EchoSetting
from novadesk.errors import Reason
from novadesk.models import BargeIn, InputTrouble

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
RATES = st.integers(0, 2**32 - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PCM = st.binary(max_size=50).map(lambda data: data + data)
NAME_LISTS = st.lists(NAMES, max_size=5).map(tuple)
DIRECTIONS = st.sampled_from([None, *Direction])

COMMANDS = st.one_of(
    st.builds(
        Open,
        microphone=NAMES,
        speaker=NAMES,
        generation=NUMBERS,
        echo=st.sampled_from(EchoSetting),
        volume=FLOATS,
        paused=st.booleans(),
        watching=st.booleans(),
        only=DIRECTIONS,
        apart=st.booleans(),
        whole=st.booleans(),
        dead_microphones=NAME_LISTS,
        dead_speakers=NAME_LISTS,
    ),
    st.builds(Play, generation=NUMBERS, pcm=PCM, asked_ns=NUMBERS),
    st.builds(Flush, generation=NUMBERS, asked_ns=NUMBERS),
    st.just(List()),
    st.builds(Volume, volume=FLOATS),
    st.builds(PlayOn, generation=NUMBERS),
    st.builds(Clip, pcm=PCM, volume=FLOATS),
    st.builds(Watch, on=st.booleans()),
)
REPORTS = st.one_of(
    st.just(Ready()),
    st.builds(Trying, direction=DIRECTIONS, device=NAMES),
    st.builds(
        Opened, microphone=NAMES, speaker=NAMES, note=NAMES, capture_hz=RATES, playout_hz=RATES,
        capture_latency_s=FLOATS, playout_latency_s=FLOATS, one_clock=st.booleans(),
        half_duplex=st.booleans(), half_duplex_note=NAMES, closed_microphones=NAME_LISTS, closed_speakers=NAME_LISTS,
    ),
    st.builds(Frame, level=FLOATS, captured_ns=NUMBERS, pcm=PCM),
    st.builds(Played, generation=NUMBERS, samples=NUMBERS, level=FLOATS),
    st.builds(
        Failed, reason=st.sampled_from(Reason), what=NAMES, advice=NAMES, cause=NAMES, dead=DIRECTIONS, device=NAMES
    ),
    st.builds(Listed, microphones=NAME_LISTS, speakers=NAME_LISTS),
    st.builds(Interruption, generation=NUMBERS, stage=st.sampled_from(BargeIn), at_ns=NUMBERS),
    st.builds(Input, trouble=st.sampled_from(InputTrouble)),
    st.builds(Statistics, **{field.name: FLOATS if field.type is float else NUMBERS for field in fields(Statistics)}),
)  # fmt: skip


def split(data: bytes) -> tuple[bytes, bytes]:
    return data[: HEADER.size], data[HEADER.size :]


@given(COMMANDS)
def test_a_command_arrives_as_it_was_sent(command: Message) -> None:
    header, payload = split(encode(command))
    assert payload_bytes(header) == len(payload)
    assert decode_command(header, payload) == command


@given(REPORTS)
def test_a_report_arrives_as_it_was_sent(report: Message) -> None:
    header, payload = split(encode(report))
    assert decode_report(header, payload) == report


@given(COMMANDS)
def test_a_command_is_no_report(command: Message) -> None:
    with pytest.raises(FramingError):
        decode_report(*split(encode(command)))


@given(st.one_of(COMMANDS, REPORTS), st.data())
def test_damage_is_noticed_or_harmless(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    header, payload = split(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    for decode in (decode_command, decode_report):
        try:
            decode(header, payload)
        except FramingError:
            continue


@given(st.binary(max_size=64))
def test_noise_raises_nothing_but_a_framing_error(noise: bytes) -> None:
    for decode in (decode_command, decode_report):
        try:
            decode(*split(noise))
        except FramingError:
            continue


def test_text_printed_into_the_pipe_is_no_message() -> None:
    with pytest.raises(FramingError):
        payload_bytes(b"ALSA lib"[: HEADER.size])


def test_a_payload_of_gigabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(FramingError):
        payload_bytes(HEADER.pack(20, 2**31))
