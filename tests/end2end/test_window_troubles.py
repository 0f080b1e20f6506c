"""The real window on days when something is missing: the microphone, the network, the desktop's services, patience."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end2end.test_commands_backend import at
from tests.end2end.test_window_stories import Person
from tests.support.atspi import Reader
from tests.support.commands import CommandLine, three_free_ports
from tests.support.desk import Desk
from tests.support.ears import capture_streams
from tests.support.program import Program, shared_program
from tests.support.sound import Microphone

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

DENIED = """
pcm.!default { type asym playback.pcm { type pulse } capture.pcm {
  type file slave.pcm "null" file "/sys/kernel/uevent_seqnum" format raw } }
ctl.!default { type pulse }
"""
"""A desktop that keeps the microphone from programs: nobody, root included, may write that file, so nothing opens."""


@pytest.fixture(scope="module")
def program(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Give a program that several stories use, each in a new conversation; one of them leaves it."""
    with shared_program(tmp_path_factory.mktemp("troubles"), desk.env) as made:
        yield made
        assert not made.runs or made.quit() == 0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the program does not tell of itself."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


def listens_to(desk: Desk, microphone: Microphone) -> bool:
    """Return whether a program listens to this microphone."""
    sources = desk.run("pactl", "list", "short", "sources").splitlines()
    number = next((line.split("\t")[0] for line in sources if f"\tmic_{microphone.value}\t" in line), "")
    streams = desk.run("pactl", "list", "short", "source-outputs").splitlines()
    return any(line.split("\t")[1] == number and "protocol-native" in line for line in streams)


def ask(program: Program, desk: Desk, text: str, microphone: Microphone) -> None:
    """Hold the talk key, say it into a microphone, let go."""
    desk.key_down("F9")
    try:
        program.wait_for_phase("listening")
        desk.say(text, microphone)
    finally:
        desk.key_up("F9")


async def test_where_the_system_gives_no_microphone_that_is_said_and_written_words_are_answered_aloud(
    desk: Desk, tmp_path: Path
) -> None:
    config = tmp_path / "asound.conf"
    config.write_text(DENIED)
    with (
        Program(tmp_path / "home", {**desk.env, "ALSA_CONFIG_PATH": str(config)}) as program,
        desk.recording() as heard,
    ):
        program.start()
        program.wait_for_phase("ready")
        desk.focus(desk.find_window("NovaDesk$"))
        write(desk, "what is three plus four")
        assert "seven" in program.wait_for_turns(2)[1]["text"].lower()
        program.wait_for_phase("ready")
        assert heard.loudest() > 1_000
        async with Reader.listening(desk.env) as reader:
            tree = await reader.tree("NovaDesk")
            assert tree is not None
            words = [node.name for node in tree.all()]
        assert any("There is no microphone" in one and "you can type and listen" in one for one in words), words
        assert program.quit() == 0


def test_without_a_session_bus_it_starts_hidden_stays_when_closed_and_comes_back(desk: Desk, tmp_path: Path) -> None:
    nowhere = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/nowhere", "XDG_RUNTIME_DIR": str(tmp_path)}
    command = (sys.executable, "-m", "novadesk")
    with Program(tmp_path / "home", {**desk.env, **nowhere}, (*command, "--hidden")) as program:
        program.start()
        assert program.status() is not None
        assert subprocess.run(command, env=program.env, timeout=20, check=False).returncode == 0  # shows the first one
        window = desk.find_window("NovaDesk$")
        desk.focus(window)
        program.ask("new")
        program.wait_for_phase("ready")
        desk.press("alt+F4")  # there is no tray: it says so once, and is minimised
        desk.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "NovaDesk$")
        desk.press("Return")
        program.ask("say", text="what is three plus four")
        assert "seven" in program.wait_for_turns(2)[1]["text"].lower()
        program.wait_for_phase("ready")
        assert program.quit() == 0


def test_a_start_without_a_network_keeps_what_is_written_and_has_it_answered_later(desk: Desk, tmp_path: Path) -> None:
    server = CommandLine(tmp_path / "elsewhere")
    persona = Path(__file__).parents[1] / "data" / "scripts" / "typed.toml"
    port = str(three_free_ports())
    with server.started("serve", "--persona", persona, "--port", port) as first:  # so that its keys are known
        address = json.loads(first.wait_for_line("bedrock"))
    with Program(tmp_path / "home", {**desk.env, **at(address)}) as program:
        program.settings('[backend]\nkind = "bedrock"\n')
        program.start()
        program.wait_for_phase("reconnecting")
        desk.focus(desk.find_window("NovaDesk$"))
        write(desk, "are you there")
        assert program.wait_for_turns(1)[0]["text"] == "are you there"
        with server.started("serve", "--persona", persona, "--port", port) as again:
            again.wait_for_line("bedrock")
            turns = program.wait_for_turns(2)
            assert [turn["text"] for turn in turns] == ["are you there", "I read that."]
            program.wait_for_phase("ready")
            assert program.quit() == 0


def write(desk: Desk, text: str) -> None:
    """Write a message into the text field and send it."""
    desk.press("ctrl+l")
    desk.type_text(text)
    desk.press("Return")


def test_what_is_said_after_muting_in_mid_sentence_is_not_heard(desk: Desk, program: Program) -> None:
    Person(desk, program)
    desk.key_down("F9")
    program.wait_for_phase("listening")
    desk.say("my name is anna")
    desk.press("ctrl+m")
    program.wait(lambda status: bool(status) and status["microphone"] == "muted", "the mute")
    desk.say("what is three plus four")
    desk.key_up("F9")
    turns = program.wait_for_turns(2)
    words = turns[0]["text"].lower().split()
    assert "name" in words
    assert not {"three", "plus", "four"} & {*words}
    program.wait_for_phase("ready")
    desk.press("ctrl+m")
    program.wait(lambda status: bool(status) and status["microphone"] == "gated", "the end of the mute")
    assert len(program.turns()) == 2


def test_an_unplugged_microphone_is_replaced_in_a_conversation_and_taken_again(desk: Desk, program: Program) -> None:
    Person(desk, program)
    assert listens_to(desk, Microphone.A)
    desk.unplug(Microphone.A)
    try:
        until(lambda: listens_to(desk, Microphone.B), "the other microphone")
        ask(program, desk, "my name is anna", Microphone.B)
        assert "anna" in program.wait_for_turns(2)[0]["text"].lower()
        program.wait_for_phase("ready")
    finally:
        desk.plug(Microphone.A)
        desk.run("pactl", "set-default-source", "mic_a")
    until(lambda: listens_to(desk, Microphone.A), "the first microphone again")
    ask(program, desk, "what is three plus four", Microphone.A)
    assert "seven" in program.wait_for_turns(4)[3]["text"].lower()
    program.wait_for_phase("ready")


def test_quitting_in_mid_sentence_loses_no_turn_and_leaves_no_microphone_open(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    person.ask("my name is anna", turns=2)
    desk.key_down("F9")
    try:
        program.wait_for_phase("listening")
        assert program.leave(lambda: desk.press("ctrl+q")) == 0
    finally:
        desk.key_up("F9")
    assert capture_streams(desk) == []
    assert [turn["role"] for turn in program.turns()] == ["user", "assistant"]
