import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import ToolSpec
from novadesk.server.partner.echo import HEARD, EchoPartner
from novadesk.server.partner.loudness import UtteranceMeter
from novadesk.server.partner.script import ScriptedPartner, load_script, parse_script, tone
from tests.support.fake_call import FakeWire, Phone, ring
from tests.support.virtual_loop import run_virtually

SCRIPTS = Path(__file__).resolve().parents[2] / "data" / "scripts"
LOUD, QUIET = b"\x00\x20" * 16_000, bytes(32_000)


def script(*steps: dict[str, object]) -> ScriptedPartner:
    return ScriptedPartner(parse_script("\n".join(json.dumps(step) for step in steps), name="test"))


def play(partner: ScriptedPartner, *acts: object) -> FakeWire:
    """Hold a call on virtual time: bytes are spoken, texts typed, numbers waited, a dict answers the last tool."""

    async def run() -> FakeWire:
        phone = ring(partner, tools=(ToolSpec(name="t", description="", input_schema="{}"),))
        for act in acts:
            await _act(phone, act)
        await phone.hang_up()
        return phone.wire

    return run_virtually(run())


async def _act(phone: Phone, act: object) -> None:
    match act:
        case bytes():
            await phone.speak(act)
        case str():
            await phone.type(act)
        case dict():
            await phone.answer_tool(json.dumps(act))
        case int() | float():
            await asyncio.sleep(act)


def test_every_action_sends_its_events() -> None:
    wire = play(
        script(
            {"do": "user_said", "text": "hi"},
            {"do": "user_speech_ended"},
            {"do": "plan", "text": "One."},
            {"do": "speak", "ms": 100},
            {"do": "speech_ended"},
            {"do": "spoken", "text": "One."},
            {"do": "say", "text": "Two.", "ms": 200},
            {"do": "interrupted"},
            {"do": "use_tool", "name": "t", "arguments": {"a": 1}},
            {"do": "usage", "speech_in": 3},
            {"do": "wait", "delay_ms": 5},
            {"do": "fail", "type": "modelStreamErrorException", "message": "Gone."},
        ),
        5,
    )
    assert wire.told() == [
        ("user", "hi"),
        ("user speech end", ""),
        ("plan", "One."),
        ("speech end", "PARTIAL_TURN"),
        ("final", "One."),
        ("plan", "Two."),
        ("speech end", "END_TURN"),
        ("final", "Two."),
        ("turn over", ""),
        ("interrupted", ""),
        ("tool", "t"),
    ]
    assert wire.failed == ("modelStreamErrorException", "Gone.")
    assert len(wire.pcm) == 2 * 24_000 * 300 // 1_000
    assert "speech_in=3" in wire.texts("usage")[0]


def test_delays_are_kept() -> None:
    wire = play(
        script({"do": "user_said", "text": "a"}, {"delay_ms": 1_500, "do": "say", "text": "B.", "ms": 500}),
        5,
    )
    assert [(row.what, row.at_s) for row in wire.rows if row.what in {"plan", "final"}] == [
        ("plan", 1.5),
        ("final", 2.0),
    ]


def test_triggers_wait_for_what_they_name() -> None:
    partner = script(
        {"on_start": True, "do": "user_said", "text": "start"},
        {"on_audio_ms": 2_000, "do": "user_said", "text": "audio"},
        {"on_utterance": True, "do": "user_said", "text": "utterance"},
        {"on_text": "Please", "do": "user_said", "text": "typed"},
        {"do": "use_tool", "name": "t"},
        {"on_tool": True, "do": "user_said", "text": "tool"},
    )
    assert play(partner, 1).texts("user") == ["start"]
    assert play(partner, 1, QUIET, 1).texts("user") == ["start"]
    assert play(partner, 1, QUIET, QUIET, 1).texts("user") == ["start", "audio"]
    heard = (1, QUIET, QUIET, 1, LOUD, QUIET, 1)
    assert play(partner, *heard).texts("user") == ["start", "audio", "utterance"]
    assert play(partner, *heard, "no", 1).texts("user") == ["start", "audio", "utterance"]
    typed = (*heard, "no", "yes please", 1)
    assert play(partner, *typed).texts("user") == ["start", "audio", "utterance", "typed"]
    assert play(partner, *typed, {"ok": 1}, 1).texts("user") == ["start", "audio", "utterance", "typed", "tool"]


def test_a_script_repeats() -> None:
    partner = script({"on_text": "", "do": "say", "text": "Yes.", "ms": 10}, {"do": "repeat"})
    assert play(partner, "a", 1, "b", 1, "c", 1).texts("final") == ["Yes."] * 3


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("", "test", "has no steps"),
        ("# only a remark\n", "test", "has no steps"),
        ('{"do": "wait"}\n\nnonsense', "test, line 3", "is not JSON"),
        ("[1]", "test, line 1", "is not an object"),
        ("{}", "test, line 1", "“do” must be one of"),
        ('{"do": []}', "test, line 1", "“do” must be one of"),
        ('{"do": "sing"}', "test, line 1", "“do” must be one of"),
        ('{"do": "plan"}', "test, line 1", "needs the field “text”"),
        ('{"do": "plan", "text": 5}', "test, line 1", "“text” must be a text"),
        ('{"do": "speak", "ms": "5"}', "test, line 1", "“ms” must be a whole number"),
        ('{"do": "speak", "ms": true}', "test, line 1", "“ms” must be a whole number"),
        ('{"do": "speak", "ms": -1}', "test, line 1", "“ms” must not be negative"),
        ('{"do": "plan", "text": "a", "colour": 1}', "test, line 1", "no field “colour”"),
        ('{"do": "wait", "on_start": true, "on_text": ""}', "test, line 1", "two triggers"),
        ('{"do": "wait", "on_start": false}', "test, line 1", "only be true"),
        ('{"do": "wait", "on_audio_ms": "x"}', "test, line 1", "“on_audio_ms” must be a whole number"),
        ('{"do": "wait", "delay_ms": -1}', "test, line 1", "“delay_ms” must not be negative"),
        ('{"do": "repeat"}\n{"do": "wait"}', "test, line 1", "must be the last step"),
        ('{"do": "wait"}\n{"do": "repeat"}', "test, line 2", "never pause"),
        ('{"do": "use_tool", "name": "t", "arguments": "x"}', "test, line 1", "“arguments” must be an object"),
    ],
)
def test_a_wrong_script_names_its_line(text: str, where: str, why: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_script(text, name="test")
    assert caught.value.reason is Reason.BAD_INPUT
    assert f"({where})" in caught.value.what
    assert why in caught.value.what


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("[[step]]\ndo = 'wait'\n[[step]]\ndo = 'plan'", "test, step 2", "needs the field “text”"),
        ("[[step]\n", "test", "is not TOML"),
        ("[other]\n", "test", "unknown table: other"),
        ("[step]\ndo = 'wait'", "test", "two brackets"),
    ],
)
def test_a_wrong_toml_script_names_its_step(text: str, where: str, why: str) -> None:
    with pytest.raises(KnownError) as caught:
        parse_script(text, name="test", toml=True)
    assert f"({where})" in caught.value.what
    assert why in caught.value.what


def test_both_forms_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"on_text": "hi", "delay_ms": 5, "do": "spoken", "text": "Yes.", "last": true}')
    (tmp_path / "a.toml").write_text('[[step]]\non_text="hi"\ndelay_ms=5\ndo="spoken"\ntext="Yes."\nlast=true')
    assert load_script(tmp_path / "a.jsonl") == load_script(tmp_path / "a.toml")


def test_a_missing_or_binary_script_is_known(tmp_path: Path) -> None:
    with pytest.raises(KnownError) as caught:
        load_script(tmp_path / "none.jsonl")
    assert caught.value.reason is Reason.FILE_MISSING
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(KnownError) as caught:
        load_script(tmp_path / "b.jsonl")
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("file", sorted(SCRIPTS.iterdir()), ids=lambda file: file.name)
def test_the_scripts_of_the_project_are_right(file: Path) -> None:
    assert load_script(file).steps


@given(text=st.text(max_size=200), toml=st.booleans())
def test_any_text_is_a_script_or_a_known_error(text: str, toml: bool) -> None:
    with contextlib.suppress(KnownError):
        assert parse_script(text, name="test", toml=toml).steps


@given(
    pieces=st.lists(st.tuples(st.sampled_from([LOUD, QUIET]), st.integers(1, 16_000)), max_size=8),
    cut=st.integers(1, 5_000),
)
def test_utterances_are_counted_however_the_sound_is_cut(pieces: list[tuple[bytes, int]], cut: int) -> None:
    sound = b"".join(kind[: 2 * length] for kind, length in pieces)
    whole, parts = UtteranceMeter(), UtteranceMeter()
    expected = whole.take(sound)
    assert sum(parts.take(sound[start : start + cut]) for start in range(0, len(sound), cut)) == expected


def test_a_tone_has_its_length_and_level() -> None:
    assert len(tone(500, 24_000)) == 24_000
    loud = max(abs(int.from_bytes(tone(100, 8_000)[i : i + 2], "little", signed=True)) for i in range(0, 1_600, 2))
    assert loud == pytest.approx(32_767 * 2**0.5 * 10 ** (-18 / 20), rel=0.01)


def test_the_echo_answers_sound_and_text() -> None:
    async def run() -> FakeWire:
        phone = ring(EchoPartner())
        await phone.speak(QUIET + LOUD + QUIET)
        await phone.wire.until_turn_ends()
        await phone.type("hello")
        await phone.wire.until_turn_ends(2)
        await phone.hang_up()
        return phone.wire

    wire = run_virtually(run())
    assert wire.told("user", "final") == [("user", HEARD), ("final", "I heard you."), ("final", "You wrote: hello")]
