"""Colours, spacings and sizes of the window, as values that a test can measure."""

from dataclasses import dataclass
from enum import Enum

SPACE_1 = 4
SPACE_2 = 8
SPACE_3 = 12
SPACE_4 = 16
SPACE_5 = 24
SPACE_6 = 32
RADIUS_CONTROL = 6
RADIUS_SURFACE = 10
FONT_SMALL = 11
FONT_BASE = 13
FONT_CONVERSATION = 15
FONT_TITLE = 20
LINE_HEIGHT = 1.45
COLUMN_WIDTH = 680
NAME_WIDTH = 88
SIDEBAR_WIDTH = 264
DRAWER_WIDTH = 296
FOLD_WIDTH = 820
TALK_BUTTON = 56


class Tone(Enum):
    """What a colour says beside its shape and word."""

    QUIET = "quiet"
    PLAIN = "plain"
    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One set of colours, each "#RRGGBB". `outline` bounds controls; `line` only divides."""

    dark: bool
    ground: str
    surface: str
    sunken: str
    hover: str
    selected: str
    line: str
    outline: str
    text: str
    muted: str
    accent: str
    on_accent: str
    good: str
    caution: str
    bad: str

    def of(self, tone: Tone) -> str:
        """Return the colour of a tone."""
        return {
            Tone.QUIET: self.muted,
            Tone.PLAIN: self.text,
            Tone.GOOD: self.good,
            Tone.CAUTION: self.caution,
            Tone.BAD: self.bad,
        }[tone]


LIGHT = Palette(
    dark=False,
    ground="#FAFAF8",
    surface="#FFFFFF",
    sunken="#F4F3F0",
    hover="#EFEEEA",
    selected="#E9E8E3",
    line="#E4E3DF",
    outline="#85837C",
    text="#1B1B19",
    muted="#5C5B56",
    accent="#1A63D8",
    on_accent="#FFFFFF",
    good="#18733A",
    caution="#835500",
    bad="#B42318",
)

DARK = Palette(
    dark=True,
    ground="#161615",
    surface="#1F1F1E",
    sunken="#1B1B1A",
    hover="#282826",
    selected="#302F2C",
    line="#33322F",
    outline="#7F7D75",
    text="#ECEBE7",
    muted="#A3A19A",
    accent="#6CA8FF",
    on_accent="#101823",
    good="#6FC487",
    caution="#E0B050",
    bad="#FF8F85",
)

LIGHT_CONTRAST = Palette(
    dark=False,
    ground="#FFFFFF",
    surface="#FFFFFF",
    sunken="#FFFFFF",
    hover="#EBEBEB",
    selected="#DEDEDE",
    line="#767676",
    outline="#000000",
    text="#000000",
    muted="#2E2E2E",
    accent="#00369E",
    on_accent="#FFFFFF",
    good="#00491C",
    caution="#573600",
    bad="#8A0008",
)

DARK_CONTRAST = Palette(
    dark=True,
    ground="#000000",
    surface="#000000",
    sunken="#000000",
    hover="#1E1E1E",
    selected="#2E2E2E",
    line="#8C8C8C",
    outline="#FFFFFF",
    text="#FFFFFF",
    muted="#D9D9D9",
    accent="#9CC8FF",
    on_accent="#000000",
    good="#8CFFAE",
    caution="#FFDC73",
    bad="#FFBCB6",
)

TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3: least contrast of text."""

HIGH_TEXT_CONTRAST = 7.0
"""WCAG 2.2, 1.4.6: least contrast of text where the system asks for more."""

SHAPE_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11: least contrast of the bounds of a control and of focus."""

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    *((ink, ground) for ink in ("text", "muted") for ground in ("ground", "surface", "sunken", "hover", "selected")),
    *((ink, ground) for ink in ("good", "caution", "bad") for ground in ("ground", "surface", "sunken", "selected")),
    *(("accent", ground) for ground in ("ground", "surface", "sunken", "hover")),
    ("on_accent", "accent"),
)
"""Every pair of (ink, ground) in which the window writes."""

SHAPE_PAIRS: tuple[tuple[str, str], ...] = (
    *(("outline", ground) for ground in ("ground", "surface", "sunken", "hover")),
    *(("accent", ground) for ground in ("ground", "surface", "sunken", "hover", "selected")),
)
"""Every pair in which a control's bounds or the focus ring is drawn."""


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2.2 contrast ratio of two "#RRGGBB" colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def blend(ink: str, ground: str, share: float) -> str:
    """Return the colour of `ink` laid over `ground` with opacity `share`, 0 to 1."""
    mixed = (round(a * share + b * (1 - share)) for a, b in zip(_channels(ink), _channels(ground), strict=True))
    return "#" + "".join(f"{channel:02X}" for channel in mixed)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
