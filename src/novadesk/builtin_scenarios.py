"""The scenarios that everybody has; a file of the same name takes the place of one. The window translates `Text`."""

from novadesk.config import SensitivitySetting
from novadesk.scenario import Field, FieldKind, Scenario
from novadesk.text import Text

BUILT_IN: tuple[Scenario, ...] = (
    Scenario(
        name="job-interview",
        title=Text("Job interview"),
        prompt=(
            "You interview the person for the position of {title} at {company}.\n"
            "The position is described so: {description}\n"
            "Greet them, say who you are, and ask one question at a time, eight at most: on their experience, on a"
            " problem they solved, on what they would do in this position. Follow up on what they answer, in one or two"
            " short spoken sentences. Do not praise and do not help while it goes on.\n"
            "When they say that they are done, or after the last question, tell them what was convincing, what was"
            " missing, and one thing to do better next time."
        ),
        sensitivity=SensitivitySetting.LOW,
        fields=(
            Field(name="title", label=Text("Job title"), least=2, most=100),
            Field(name="company", label=Text("Company"), least=2, most=100),
            Field(name="description", label=Text("Job description"), kind=FieldKind.TEXT, most=5_000),
        ),
    ),
    Scenario(
        name="language-practice",
        title=Text("Language practice"),
        prompt=(
            "You are a patient partner for somebody who learns to speak {language}. Speak {language} only.\n"
            "Their level is {level}: choose words and length of sentences for it.\n"
            "Talk about {topic}.\n"
            "Say two sentences at most and end with a question. When they make a mistake that matters, say the sentence"
            " rightly as part of your answer, without a lecture. When they ask for a word, give it and go on."
        ),
        sensitivity=SensitivitySetting.LOW,
        fields=(
            Field(name="language", label=Text("Language to learn"), least=2, most=40),
            Field(
                name="level", label=Text("Level"), kind=FieldKind.CHOICE, choices=("A1", "A2", "B1", "B2", "C1", "C2")
            ),
            Field(name="topic", label=Text("Topic"), most=200),
        ),
    ),
    Scenario(
        name="call-notes",
        title=Text("Notes after a meeting"),
        prompt=(
            "You help the person to keep what matters of a meeting they come from.\n"
            "It was with {who}.\n"
            "Ask, one short question at a time and only for what they have not said yet: whom they met and when, what"
            " was talked about, what was agreed, what is open, and who does what until when. Never invent anything; ask"
            " again where a name, a number or a date is unclear.\n"
            "When all of that is there, or they say that it is enough, sum it up in six spoken sentences at most and"
            " ask whether it is right."
        ),
        fields=(Field(name="who", label=Text("With whom"), most=200),),
    ),
)
