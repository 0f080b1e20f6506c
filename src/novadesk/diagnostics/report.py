"""One text about a fault that can be sent to others: no secret, no id, no word of a conversation."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from novadesk.config import Settings
from novadesk.diagnostics.metrics import Metric, Unit

_OPEN_TEXTS = frozenset({"region", "model", "voice", "key", "llm_model"})
_ADDRESSES = frozenset({"bedrock_endpoint", "agent_runtime_endpoint", "gateway", "llm"})

_RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) +[\w.]+: ")
_GRAVE = frozenset({"WARNING", "ERROR", "CRITICAL"})
_FRAME = re.compile(r'( +)File "([^"]*)", (line \d+, in \S+)')
_LINK = re.compile(r"(Traceback \(most recent call last\):|During handling of|The above exception was)")
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Warning|Group|Timeout|Interrupt|Exit))(?::|$)")
_LEAST_HIDDEN = 3  # shorter names are parts of ordinary words
_FOLDERS = ("site-packages/", "novadesk/", "lib/python")

_SECRETS = re.compile(
    r"session_\d{13}_[0-9a-z]+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}"
    r"|arn:[\w:/+=,.@-]+"
    r"|(?<=://)[^/\s@]+@"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\b\d{12}\b"
    r"|[0-9A-Za-z+/=_-]{28,}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report is made of.

    Attributes:
        made_at: time of the report, as it is to be shown.
        program: (name, value) about version and system.
        state: (name, value) about the conversation: phase, backend, error; no text of it.
        settings: as in force.
        metrics: of the last 24 hours.
        log: lines of the log, oldest first.
        events: the newest entries of the recording, as JSON lines.
    """

    made_at: str
    program: Sequence[tuple[str, str]]
    state: Sequence[tuple[str, str]]
    settings: Settings
    metrics: Sequence[Metric]
    log: Sequence[str] = ()
    events: Sequence[str] = ()


def make_report(facts: Facts) -> str:
    """Return the report."""
    parts = {
        "Program": pairs(facts.program),
        "State": pairs(facts.state),
        "Settings": open_settings(facts.settings),
        "Last 24 hours": [_metric(metric) for metric in facts.metrics],
        "Warnings and errors": grave_lines(facts.log) or ["none"],
        "Protocol events, texts and audio as lengths": list(facts.events) or ["none"],
    }
    lines = [f"NovaDesk report, {facts.made_at}"]
    for title, content in parts.items():
        lines += ["", f"## {title}", *content]
    return "\n".join(lines) + "\n"


def pairs(values: Iterable[tuple[str, str]]) -> list[str]:
    """Return names and values as lines, without what could be a secret."""
    return [f"{name}: {scrub(value)}" for name, value in values]


def open_settings(settings: Settings) -> list[str]:
    """Return the settings as lines; of a text that could say anything, only whether it is set."""
    sections = ((section.name, getattr(settings, section.name)) for section in dataclasses.fields(settings))
    return [
        f"{section}.{entry.name} = {_open(entry.name, getattr(values, entry.name))}"
        for section, values in sections
        for entry in dataclasses.fields(values)
    ]


def _open(name: str, value: object) -> str:
    match value:
        case Enum():
            return str(value.value)
        case str() if not value:
            return "(not set)"
        case str() if name in _OPEN_TEXTS:
            return scrub(value)
        case str() if name in _ADDRESSES:
            return _address(value)
        case str():
            return "(set)"
        case _:
            return str(value)


def _address(text: str) -> str:
    """Return scheme, host and port of an address: the rest may hold a password or a token."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(set)"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "(set)"


def grave_lines(log: Iterable[str]) -> list[str]:
    """Return warnings and errors of a log with the frames of their tracebacks, never what an exception says."""
    found: list[str] = []
    grave = False
    for line in log:
        record = _RECORD.match(line)
        if record is not None:
            grave = record[1] in _GRAVE
            if grave:
                found.append(scrub(line.rstrip()))
        elif grave and (kept := traceback_line(line.rstrip())):
            found.append(kept)
    return found


def frame_line(indent: str, path: str, place: str) -> str:
    """Return a line of a traceback whose path begins at the package, not at the person's home."""
    path = path.replace("\\", "/")
    starts = [at for folder in _FOLDERS if (at := path.rfind(folder)) >= 0]
    return f'{indent}File "{path[min(starts) :] if starts else path.rsplit("/", 1)[-1]}", {place}'


def traceback_line(line: str) -> str:
    """Return what may be kept of a line of a traceback: frames, links and types, never a value; else nothing."""
    frame = _FRAME.match(line)
    if frame is not None:
        return frame_line(frame[1], frame[2], frame[3])
    if _LINK.match(line.strip(" +|")):
        return line
    exception = _EXCEPTION.match(line)
    return exception[1] if exception is not None else ""


def scrub(text: str) -> str:
    """Return a text without ids, keys, tokens, addresses of people and account numbers."""
    return _SECRETS.sub("…", text)


def hide(text: str, names: Iterable[str]) -> str:
    """Return a text without names, such as the person's; they are whole words there, in whatever case."""
    words = sorted({word for word in names if len(word) >= _LEAST_HIDDEN}, key=len, reverse=True)
    if not words:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", "…", text, flags=re.IGNORECASE)


def _metric(metric: Metric) -> str:
    value = "-" if metric.value is None else f"{metric.value:g}{_UNITS[metric.unit]}"
    return f"{metric.name}: {value} (n={metric.samples}){' ALERT' if metric.alert else ''}"


_UNITS = {unit: f" {unit.value}".rstrip() for unit in Unit}
