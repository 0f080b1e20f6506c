"""What the commands take: names, numbers and texts, checked. Each raises `ArgumentTypeError` with the reason."""

import argparse
import math
import os
import re


def profile(text: str) -> str:
    """Return the name of a profile."""
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise argparse.ArgumentTypeError("a profile name has letters, digits, - and _ only")
    return text


def seconds(text: str) -> float:
    """Return a time of at most an hour."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 3_600:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value


def words(text: str) -> str:
    """Return an argument as text; bytes that are none in this locale become replacement characters."""
    clean = os.fsencode(text).decode("utf-8", "replace")
    if not clean.strip():
        raise argparse.ArgumentTypeError("there is nothing to say")
    return clean


def title(text: str) -> str:
    """Return a title as text; an empty one shows the label again."""
    return os.fsencode(text).decode("utf-8", "replace").strip()


def value(text: str) -> tuple[str, str]:
    """Return the name and the text of a field, given as `name=text`."""
    name, equals, said = os.fsencode(text).decode("utf-8", "replace").partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must be FIELD=TEXT")
    return name.strip(), said


def count(text: str) -> int:
    """Return a number from 1 to 10,000."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 10,000")
    return int(text)
