"""Scenarios: forms with their lengths, prompts that are filled in once and leave no gaps, files that are read back."""

import dataclasses
import json
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.errors import KnownError, Reason
from novadesk.scenario import (
    MAX_PROMPT_CHARS,
    Chosen,
    Field,
    FieldKind,
    Scenario,
    SpeakingPace,
    check,
    choose,
    decode,
    from_toml,
    problems,
    to_toml,
)

JOB = next(one for one in BUILT_IN if one.name == "job-interview")
GOOD = {"title": "Nurse", "company": "City Clinic"}
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40).filter(str.strip)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}\r"), max_size=60)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    prompt = draw(LINES) + "".join(f"{draw(TEXTS)}{{{name}}}" for name in names)
    forms = []
    for name in names:
        most, kind = draw(st.integers(1, 50)), draw(st.sampled_from(FieldKind))
        least, choices = draw(st.integers(0, most)), ("A1", "rusty", "ü") if kind is FieldKind.CHOICE else ()
        forms.append(Field(name=name, label=draw(LINES), kind=kind, least=least, most=most, choices=choices))
    return Scenario(
        name="-".join(draw(st.lists(NAMES, min_size=1, max_size=3))),
        title=draw(LINES),
        prompt=prompt,
        voice=draw(st.just("") | LINES),
        language=draw(st.just("") | LINES),
        pace=draw(st.none() | st.sampled_from(SpeakingPace)),
        sensitivity=draw(st.none() | st.sampled_from(SensitivitySetting)),
        fields=tuple(forms),
    )


@given(scenario=scenarios())
@example(scenario=Scenario(name="a", title='"""', prompt="\"\"\"\\ '''\n\n{b}\n", fields=(Field(name="b", label="#"),)))
def test_a_file_is_read_back_as_it_was_written(scenario: Scenario) -> None:
    assert from_toml(to_toml(scenario), scenario.name) == check(scenario)


@pytest.mark.parametrize("scenario", BUILT_IN, ids=lambda one: one.name)
def test_the_built_in_ones_make_sense(scenario: Scenario) -> None:
    assert from_toml(to_toml(scenario), scenario.name) == scenario
    values = {one.name: one.choices[0] if one.choices else "x" * one.least for one in scenario.fields}
    filled = choose(scenario, values).prompt
    assert "{" not in filled
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN) == 3


# --- the form ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {}),
        ({"title": "  ab "}, {}),
        ({"title": "a"}, {"title": "Job title needs at least 2 characters."}),
        ({"title": "  "}, {"title": "Job title needs at least 2 characters."}),
        ({"title": "x" * 100}, {}),
        ({"title": "x" * 101}, {"title": "Job title takes at most 100 characters; these are 101."}),
        ({"title": "two\nlines"}, {"title": "Job title is one line."}),
        ({"company": "x" * 101}, {"company": "Company takes at most 100 characters; these are 101."}),
        ({"description": ""}, {}),
        ({"description": "two\nlines"}, {}),
        ({"description": "x" * 5_000}, {}),
        ({"description": "x" * 5_001},
         {"description": "Job description takes at most 5,000 characters; these are 5,001."}),
        ({"salary": "1"}, {"salary": "There is no field salary."}),
        ({"title": "a", "company": ""},
         {"title": "Job title needs at least 2 characters.", "company": "Company needs at least 2 characters."}),
    ],
)  # fmt: skip
def test_the_form_of_an_interview_keeps_to_its_lengths(values: dict[str, str], wrong: dict[str, str]) -> None:
    assert problems(JOB, GOOD | values) == wrong
    if wrong:
        with pytest.raises(KnownError, match=next(iter(wrong.values()))) as error:
            choose(JOB, GOOD | values)
        assert error.value.reason is Reason.BAD_INPUT
    else:
        assert (GOOD | values)["title"].strip() in choose(JOB, GOOD | values).prompt


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"years": "5", "level": "B1"}, ""),
        ({"years": " 0 ", "level": "A1"}, ""),
        ({"years": "40", "level": "A1"}, ""),
        ({"years": "41", "level": "A1"}, "years"),
        ({"years": "-1", "level": "C1"}, "years level"),
        ({}, "years level"),
        ({"years": "1.5", "level": "a1"}, "years level"),
        ({"years": "9" * 5_000, "level": "B1"}, "years"),
    ],
)
def test_a_number_is_within_its_bounds_and_a_choice_one_of_them(values: dict[str, str], wrong: str) -> None:
    years = Field(name="years", label="Years", kind=FieldKind.NUMBER, most=40)
    level = Field(name="level", label="Level", kind=FieldKind.CHOICE, choices=("A1", "B1"))
    scenario = check(Scenario(name="x", title="x", prompt="{years} {level}", fields=(years, level)))
    sentences = {"years": "Years is a whole number from 0 to 40.", "level": "Level is one of A1, B1."}
    assert problems(scenario, values) == {name: sentences[name] for name in wrong.split()}


def test_a_line_without_any_value_is_left_out() -> None:
    scenario = Scenario(
        name="x", title="x", prompt="Always.\nA {a} and {b}.\nOnly {b}.\n\nEnd.",
        fields=(Field(name="a", label="A"), Field(name="b", label="B")),
    )  # fmt: skip
    assert choose(scenario, {}).prompt == "Always.\n\nEnd."
    assert choose(scenario, {"a": "1"}).prompt == "Always.\nA 1 and .\n\nEnd."
    assert choose(scenario, {"a": "1", "b": "2"}).prompt == "Always.\nA 1 and 2.\nOnly 2.\n\nEnd."


@given(value=st.text(min_size=1, max_size=30).filter(lambda text: len(text.strip()) > 0))
@example(value="{b}")
@example(value="\\1 \\g<0>")
def test_a_value_is_taken_as_it_is(value: str) -> None:
    scenario = Scenario(
        name="x",
        title="x",
        prompt='<{a}>{b} {} {"x": [0]} {A}',
        fields=(Field(name="a", label="A", kind=FieldKind.TEXT), Field(name="b", label="B")),
    )
    assert choose(scenario, {"a": value, "b": "!"}).prompt == f'<{value.strip()}>! {{}} {{"x": [0]}} {{A}}'


# --- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Job"}, "name"), ({"name": "../x"}, "name"), ({"name": ""}, "name"), ({"name": "x" * 41}, "name"),
        ({"title": " "}, "title"), ({"title": "a\nb"}, "title"), ({"title": "x" * 201}, "title"),
        ({"prompt": " \n"}, "prompt"), ({"prompt": "x" * (MAX_PROMPT_CHARS + 1)}, "prompt"),
        ({"voice": "a\nb"}, "voice"), ({"language": " "}, "language"),
        ({"prompt": "no fields"}, "names each field"), ({"prompt": JOB.prompt + "{other}"}, "names each field"),
        ({"fields": JOB.fields * 2}, "no two fields"),
        ({"fields": (*JOB.fields, Field(name="Big", label="x"))}, "lower-case letter"),
        ({"fields": (*JOB.fields, Field(name="more", label=""))}, "label"),
        ({"fields": (*JOB.fields, Field(name="more", label="x", least=3, most=2))}, "no fewer"),
        ({"fields": (*JOB.fields, Field(name="more", label="x", most=10_001))}, "10,000"),
        ({"fields": tuple(Field(name=f"a{n}", label="x") for n in range(21))}, "20 fields"),
        *(({"prompt": JOB.prompt + "{more}",
            "fields": (*JOB.fields, Field(name="more", label="x", kind=kind, choices=choices))}, "from 2 to 20")
          for kind, choices in ((FieldKind.CHOICE, ("a",)), (FieldKind.CHOICE, ("a", "a")),
                                (FieldKind.CHOICE, ("a,b", "c")), (FieldKind.CHOICE, ("a", " ")),
                                (FieldKind.LINE, ("a", "b")))),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(KnownError, match=words) as error:
        check(dataclasses.replace(JOB, **change))  # type: ignore[arg-type]
    assert error.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "TOML"), ("title = 'a'", "prompt"), ("prompt = 'a'", "title"),
        ("title = 'a'\nprompt = 'b'\nspeed = 1", "nothing called speed"),
        ("title = 'a'\nprompt = 'b'\npace = 1", "pace is of the right kind"),
        ("title = 'a'\nprompt = 'b'\npace = 'x'", "slow or brisk"),
        ("name = 'a'\ntitle = 'a'\nprompt = 'b'", "nothing called name"),
        ("title = 1\nprompt = 'b'", "title is of the right kind"),
        ("title = 'a'\nprompt = 'b'\nsensitivity = 'x'", "high, medium or low"),
        ("title = 'a'\nprompt = 'b'\nfields = 1", "fields are tables"),
        ("title = 'a'\nprompt = '{x}'\n[[fields]]\nname = 'x'", "label"),
        ("title = 'a'\nprompt = '{x}'\n[[fields]]\nname = 'x'\nlabel = 'x'\nleast = true", "least is of"),
        ("title = 'a'\nprompt = '{x}'\n[[fields]]\nname = 'x'\nlabel = 'x'\nkind = 'date'", "line, text, number or"),
        ("title = 'a'\nprompt = '{x}'\n[[fields]]\nname = 'x'\nlabel = 'x'\nkind = 'choice'", "from 2 to 20"),
        ("title = 'a'\nprompt = '{x}'\n[[fields]]\nname = 'x'\nlabel = 'x'\nchoices = 'a'", "choices is of"),
    ],
)  # fmt: skip
def test_a_file_that_holds_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(KnownError, match=words) as error:
        from_toml(text, "a")
    assert error.value.reason is Reason.BAD_INPUT
    assert from_toml("\ufefftitle = 'a'\nprompt = 'b'", "a").title == "a"


# --- what a conversation remembers ---------------------------------------------------------------


@given(
    text=st.text(max_size=30),
    pace=st.none() | st.sampled_from(SpeakingPace),
    sensitivity=st.none() | st.sampled_from(SensitivitySetting),
)
def test_what_was_chosen_is_read_back(
    text: str, pace: SpeakingPace | None, sensitivity: SensitivitySetting | None
) -> None:
    chosen = Chosen(
        name="a", title=text, prompt=text, language=text, pace=pace, sensitivity=sensitivity, values={text: text}
    )
    written = chosen.encode()
    assert written.isascii()
    assert decode(written) == chosen
    older = json.loads(written)
    del older["pace"]
    assert decode(json.dumps(older)) == dataclasses.replace(chosen, pace=None), "from before there was one"


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "1", "null", '{"sensitivity": null, "values": {}}', "[" * 100_000,
     *(json.dumps(json.loads(Chosen(name="a", title="b", prompt="c").encode()) | change)
       for change in ({"sensitivity": "x"}, {"pace": "x"}, {"values": []}, {"values": {"a": 1}}, {"prompt": 1},
                      {"more": 1}))],
)  # fmt: skip
def test_what_makes_no_sense_is_nothing(text: str) -> None:
    assert decode(text) is None


def test_what_a_scenario_leaves_open_is_as_in_the_settings() -> None:
    base = VoiceSettings(voice="amy", prompt="Base", sensitivity=SensitivitySetting.HIGH, temperature=0.1)
    plain = Chosen(name="a", title="a", prompt="Be brief.")
    assert plain.voice_settings(base) == dataclasses.replace(base, prompt="Be brief.")
    full = dataclasses.replace(
        plain, voice="tina", language="de", pace=SpeakingPace.SLOW, sensitivity=SensitivitySetting.LOW
    )
    told = "Be brief.\nSpeak German.\nSpeak slowly, with a pause after each sentence."
    assert full.voice_settings(base) == dataclasses.replace(
        base, prompt=told, voice="tina", sensitivity=SensitivitySetting.LOW
    )
    assert (
        dataclasses.replace(plain, language="Swiss German")
        .voice_settings(base)
        .prompt.endswith("\nSpeak Swiss German.")
    )
