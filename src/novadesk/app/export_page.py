"""A conversation as one HTML page that needs nothing else: no script, no network, light and dark, fit to print.

A heading for each day and each turn lets a screen reader move from one to the next.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from novadesk.app.export_words import SPEAKERS, about, day, iso, mark_of, name_of, second
from novadesk.models import Conversation, Role, Turn
from novadesk.protocol.history import well_formed

LIGHT = {"ground": "#fafaf8", "text": "#1b1b19", "muted": "#62615c", "line": "#e4e3df"}
DARK = {"ground": "#161615", "text": "#ecebe7", "muted": "#a3a19a", "line": "#33322f"}
"""The colours of the window."""

_SIDES = {Role.USER: "you", Role.ASSISTANT: "nova"}
# Nothing may be loaded, and where a link were to lead nobody is told where from.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
<header>
<h1 dir="auto">{title}</h1>
<p class="about">{about}</p>
</header>
"""
_STYLE = """:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
body {{ margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.45 system-ui, sans-serif; }}
main {{ max-width: 42rem; margin: 0 auto; padding: 2rem 1rem 4rem; }}
h1 {{ font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1rem; margin: 2rem 0 0; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: .85rem; margin: 0; color: var(--muted); font-weight: 600; }}
.you h3 {{ color: var(--text); }}
h3 time, h3 .mark {{ font-weight: 400; color: var(--muted); }}
.about {{ margin: .25rem 0 0; color: var(--muted); }}
article {{ margin: 1rem 0 0; }}
.said {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
@media print {{
  :root {{ {light} --ground: #ffffff; }}
  main {{ max-width: none; padding: 0; }}
  article {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
}}"""


def page(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Return the document."""
    style = _STYLE.format(light=_variables(LIGHT), dark=_variables(DARK))
    told = _safe(about(conversation, turns))
    parts = [_HEAD.format(title=_safe(name_of(conversation)), style=style, about=told)]
    for number, (date, of_day) in enumerate(groupby(turns, lambda turn: day(turn.at_ms)), 1):
        parts.append(f'<section aria-labelledby="day-{number}">\n<h2 id="day-{number}">{_time(date, date)}</h2>\n')
        parts += [_article(turn) for turn in of_day]
        parts.append("</section>\n")
    parts.append("</main>\n</body>\n</html>\n")
    return "".join(parts)


def _article(turn: Turn) -> str:
    mark = mark_of(turn)
    noted = f' <span class="mark">({mark})</span>' if mark else ""
    head = f"{SPEAKERS[turn.role]} {_time(iso(turn.at_ms), second(turn.at_ms))}{noted}"
    said = _safe(turn.shown_text)
    return (
        f'<article class="{_SIDES[turn.role]}">\n<h3>{head}</h3>\n<p class="said" dir="auto">{said}</p>\n</article>\n'
    )


def _time(machine: str, shown: str) -> str:
    return f'<time datetime="{machine}">{shown}</time>'


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def _safe(text: str) -> str:
    """Return text as HTML shows it, as it is; a control character, which no page may hold, becomes U+FFFD."""
    lines = well_formed(text).replace("\r\n", "\n").replace("\r", "\n")
    return escape("".join("\ufffd" if _is_control(character) else character for character in lines))


def _is_control(character: str) -> bool:
    return (character < " " and character not in "\n\t") or "\x7f" <= character < "\xa0"
