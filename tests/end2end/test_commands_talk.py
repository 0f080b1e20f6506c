"""`novadesk talk`: what it prints, how it ends, what it leaves on disk. All talks of this file run side by side."""

import contextlib
import json
import os
import signal
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import CommandLine, Result, Running, exchange, modes, spoken, write_wav
from tests.support.voices import RATE_HZ, room_noise, silence

pytestmark = pytest.mark.timeout(240)

HELLO = exchange("hello there", "Hello yourself.")
SECRET = {
    "AWS_SECRET_ACCESS_KEY": "verysecretverysecretverysecretverysecret",
    "AWS_ACCESS_KEY_ID": "AKIAVERYSECRET0000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Talks:
    """Every talk that needs no look in between, run at the same time."""

    folder: Path
    results: dict[str, Result]

    def line(self, name: str) -> CommandLine:
        return CommandLine(self.folder / f"{name} ü")


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talks]:
    folder = tmp_path_factory.mktemp("talks in a folder with späces")
    one = spoken(folder / "one.wav", "hello there")
    two = spoken(folder / "two.wav", "hello there", "how are you today")
    still = write_wav(folder / "still.wav", silence(500))
    noise = write_wav(folder / "noise.wav", room_noise(1_500, dbfs=-30.0))
    stereo = np.repeat(np.frombuffer(_pcm(one), "<i2")[:, None], 2, axis=1).astype("<i2").tobytes()
    wide = write_wav(folder / "wide.wav", stereo, rate_hz=RATE_HZ, channels=2)

    plans: dict[str, tuple[list[dict[str, object]], Path]] = {
        "mute": ([{"on_utterance": True, "do": "user_said", "text": "hello there"}], one),
        "story": ([], spoken(folder / "name.wav", "my name is anna")),
        "several": ([*HELLO, *exchange("how are you", "Very well.")], two),
        "still": (HELLO, still),
        "noise": ([], noise),
        "stereo": (HELLO, wide),
        "plain": (HELLO, one),
        "no stdin": (HELLO, one),
        "no stdout": (HELLO, one),
        "disk full": (HELLO, one),
    }
    with contextlib.ExitStack() as stack:
        under_way: dict[str, Running] = {}
        made = Talks(folder=folder, results={})
        for name, (steps, wav) in plans.items():
            line = made.line(name)
            if steps:
                stack.enter_context(line.partner(*steps))
            out = Path("/dev/full") if name == "disk full" else folder / f"{name}-out.wav"
            arguments = ["talk", "--in", wav, "--out", out, "--new", *([] if name == "plain" else ["--json"])]
            closed = {"no stdin": 0, "no stdout": 1}.get(name)
            under_way[name] = stack.enter_context(line.started(*arguments, env=SECRET, closed=closed))
        made.results["story"] = under_way.pop("story").end()
        handle = made.results["story"].turns[0]["conversation"]
        question = spoken(folder / "question.wav", "what did we talk about")
        made.results["goes on"] = made.line("story").run(
            "talk", "--in", question, "--conversation", handle, "--json", env=SECRET
        )
        for name, running in under_way.items():
            made.results[name] = running.end()
        yield made


def _pcm(file: Path) -> bytes:
    with wave.open(str(file)) as sound:
        return sound.readframes(sound.getnframes())


def test_both_sides_of_an_exchange_are_told(talks: Talks) -> None:
    result = talks.results["story"]
    assert (result.code, result.err) == (0, "")
    user, nova = result.turns
    assert (user["role"], nova["role"]) == ("user", "assistant")
    assert user["text"].startswith("my name is ann")
    assert user["text"].split()[-1] in nova["text"].lower()
    for turn in (user, nova):
        assert turn.keys() == {"type", "conversation", "role", "text", "interrupted"}
        assert turn["interrupted"] is False
    assert user["conversation"] == nova["conversation"]
    assert result.rows[-1] == {"type": "end", "reason": "done"}
    assert {row["type"] for row in result.rows} == {"phase", "turn", "end"}


def test_the_answer_is_24_khz_mono_from_the_first_sample_on(talks: Talks) -> None:
    with wave.open(str(talks.folder / "story-out.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert len(samples) > 24_000
    assert np.abs(samples[:12_000]).max() > 500, "the recording must begin with the answer"


def test_without_json_people_read_it(talks: Talks) -> None:
    result = talks.results["plain"]
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == ["  You: hello there", " Nova: Hello yourself."]


def test_several_exchanges_in_one_recording(talks: Talks) -> None:
    result = talks.results["several"]
    assert result.code == 0, result
    assert [(turn["role"], turn["text"]) for turn in result.turns] == [
        ("user", "hello there"),
        ("assistant", "Hello yourself."),
        ("user", "how are you"),
        ("assistant", "Very well."),
    ]


def test_two_channels_are_heard(talks: Talks) -> None:
    assert [turn["text"] for turn in talks.results["stereo"].turns] == ["hello there", "Hello yourself."]


@pytest.mark.parametrize("name", ["still", "noise"])
def test_nothing_recognised(talks: Talks, name: str) -> None:
    result = talks.results[name]
    assert (result.code, result.err) == (3, "")
    assert result.turns == []
    assert result.rows[-1] == {"type": "end", "reason": "nothing recognised"}
    assert json.loads(talks.line(name).run("history", "list", "--json").out) == []


def test_no_answer(talks: Talks) -> None:
    result = talks.results["mute"]
    assert (result.code, result.err) == (4, "")
    assert [turn["text"] for turn in result.turns] == ["hello there"]
    assert result.rows[-1] == {"type": "end", "reason": "no answer"}


def test_history_lists_and_shows_what_was_said(talks: Talks) -> None:
    line = talks.line("story")
    turns = talks.results["story"].turns + talks.results["goes on"].turns
    listing = line.run("history", "list", "--json")
    (row,) = json.loads(listing.out)
    assert row.keys() == {"handle", "label", "title", "turns", "updated", "sync"}
    assert (row["handle"], row["turns"]) == (turns[0]["conversation"], 4)
    shown = line.run("history", "show", row["handle"], "--json")
    assert [(turn["role"], turn["text"]) for turn in json.loads(shown.out)] == [
        (turn["role"], turn["text"]) for turn in turns
    ]
    for result in (listing, shown):
        assert (result.code, result.err) == (0, "")
    people = line.run("history", "show", row["handle"])
    assert people.out.splitlines()[0] == f"  You: {turns[0]['text']}"
    assert row["handle"] in line.run("history", "list").out


def test_a_character_that_the_terminal_lacks_is_no_reason_to_stop(talks: Talks) -> None:
    line = talks.line("story")
    result = line.run("history", "list", env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize("name", ["story", "several", "mute"])
def test_every_file_is_private(talks: Talks, name: str) -> None:
    home = talks.line(name).home
    kinds = {path: (0o700 if (home / path).is_dir() else 0o600,) for path in modes(home)}
    assert modes(home) == kinds
    assert {"config", "data", "state", "cache", "run", "data/novadesk.db", "data/practice"} <= kinds.keys()


def test_the_logs_hold_nothing_private(talks: Talks) -> None:
    """Transcript, keys, handles and remote ids stay out of every log file."""
    for name, result in talks.results.items():
        line = talks.line("story" if name == "goes on" else name)
        logs = [file for file in line.folders.state.iterdir() if file.name.startswith("novadesk.log")]
        assert logs
        text = "\n".join(file.read_text() for file in logs)
        kept = json.loads((line.folders.practice / "credentials.json").read_text())
        private = [value for value in kept.values() if isinstance(value, str)] + list(SECRET.values())
        private += ["hello there", "Hello yourself", "my name is", "Nice to meet", "session_"]
        private += [turn["conversation"] for turn in (result.turns if name != "plain" else [])]
        assert [secret for secret in private if secret in text] == []


def test_a_conversation_goes_on_and_is_remembered(talks: Talks) -> None:
    first, result = talks.results["story"], talks.results["goes on"]
    assert result.code == 0, result
    assert {turn["conversation"] for turn in result.turns} == {first.turns[0]["conversation"]}
    assert [turn["role"] for turn in result.turns] == ["user", "assistant"], "older turns must not be told again"
    assert first.turns[0]["text"].split()[-1] in result.turns[1]["text"].lower()


def test_profiles_are_apart_and_the_home_option_is_the_variable(talks: Talks) -> None:
    line = talks.line("story")
    nobody = CommandLine(talks.folder / "nobody")
    assert json.loads(line.run("--profile", "work", "history", "list", "--json").out) == []
    other = json.loads(nobody.run("--home", line.home, "history", "list", "--json").out)
    assert [row["handle"] for row in other] == [talks.results["story"].turns[0]["conversation"]]


@pytest.mark.parametrize(
    ("number", "reason", "moment"),
    [(signal.SIGINT, "interrupted", "connecting"), (signal.SIGTERM, "terminated", '"user"')],
)
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals, reason: str, moment: str) -> None:
    line = CommandLine(tmp_path / "home")
    with line.partner(*exchange("hello there", "A long answer.", ms=20_000)):
        wav = spoken(tmp_path / "one.wav", "hello there")
        with line.started("talk", "--in", wav, "--json") as running:
            running.wait_for_line(moment)
            running.signal(number)
            result = running.end(10.0)
        assert (result.code, result.err) == (128 + number, "")
        assert result.rows[-1] == {"type": "end", "reason": reason}
        stored = json.loads(line.run("history", "list", "--json").out)
        assert [row["turns"] >= 1 for row in stored] == ([True] if moment == '"user"' else [])


@pytest.mark.parametrize("name", ["no stdin", "no stdout"])
def test_streams_that_are_not_there(talks: Talks, name: str) -> None:
    result = talks.results[name]
    assert (result.code, result.err) == (0, "")
    assert json.loads(talks.line(name).run("history", "list", "--json").out)[0]["turns"] == 2


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "home")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        wav = write_wav(tmp_path / "still.wav", silence(10_000))
        result = line.run("talk", "--in", wav, "--json", capture_output=False, stdout=writer, stderr=-1)
        assert (result.code, result.err) == (0, "")
        result = line.run("history", "list", "--json", capture_output=False, stdout=writer, stderr=-1)
        assert (result.code, result.err) == (0, "")
    finally:
        os.close(writer)


def test_a_disk_that_is_full_for_the_answer(talks: Talks) -> None:
    result = talks.results["disk full"]
    result.check_known("input", "cannot be written")
    result.check_error_row("input", "input.bad")
    assert result.rows[-1] == {"type": "end", "reason": "failed"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_an_output_that_is_full(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        line = CommandLine(tmp_path / "home")
        result = line.run("history", "list", "--json", capture_output=False, stdout=full, stderr=-1)
    result.check_known("input", "Standard output")
