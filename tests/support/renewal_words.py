"""What is said in the renewal tests: numbered lines, as long as what people and voice models say."""

_ASKED = "and that is all I wanted to know about it, as far as I can say today"
_ANSWERED = (
    "which is the short of it; the longer story has two sides, one that most people tell and one that they keep to "
    "themselves, and both of them are worth an evening of your time; the first begins with a letter that came a day "
    "late, the second with a train that left a minute early, and where the two meet there is a house that nobody has "
    "lived in since; if you would like to hear more of it then ask"
)


def asked(number: int) -> str:
    """Return what the person says aloud as utterance `number`."""
    return f"utterance {number} {_ASKED}"


def typed(number: int) -> str:
    """Return what the person types as utterance `number`."""
    return f"typed {number} {_ASKED}"


def answered(number: int) -> str:
    """Return the answer to utterance `number`."""
    return f"answer {number} {_ANSWERED}"


def number_of(text: str) -> int:
    """Return the number of a line."""
    return int(text.split()[1])
