"""Settings to carry elsewhere: an allow-list says what leaves this computer, whatever else there is or will be."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from novadesk.config import Settings
from novadesk.settings_file import Table, build_settings, plain_value, read_table, unknown_names, values

EXPORTED = frozenset({
    ("backend", "kind"), ("backend", "region"),
    ("voice", "voice"), ("voice", "prompt"), ("voice", "sensitivity"), ("voice", "max_tokens"),
    ("voice", "temperature"), ("voice", "top_p"), ("voice", "tools"),
    ("audio", "echo"), ("audio", "volume"), ("audio", "cue_volume"), ("audio", "messages_aloud"),
    ("talk", "mode"), ("talk", "key"), ("talk", "mute_key"), ("talk", "press"), ("talk", "release_tail_ms"),
    ("talk", "max_talk_s"),
    ("session", "idle_s"), ("session", "concurrent"),
    ("history", "private"), ("history", "keep_days"), ("history", "delete_remotely"),
    ("window", "scheme"), ("window", "language"), ("window", "high_contrast"), ("window", "font_scale"),
    ("window", "reduced_motion"),
    ("window", "tray"), ("window", "close_to_tray"), ("window", "notifications"),
    ("updates", "check"), ("practice", "llm_model"),
})  # fmt: skip
"""What an exported file holds, and all that an imported one may set."""

KEPT_HERE = frozenset({
    # Names of accounts and people, addresses that may hold a password, files and devices of this computer.
    ("backend", "profile"), ("backend", "model"), ("backend", "bedrock_endpoint"),
    ("backend", "agent_runtime_endpoint"), ("backend", "ca_bundle"), ("backend", "kms_key"),
    ("backend", "gateway"), ("audio", "microphone"), ("audio", "speaker"),
    ("window", "told_of_tray"), ("window", "first_step"),
    ("window", "told_of_keys"), ("updates", "feed"), ("updates", "skipped"), ("practice", "llm"),
    ("limits", "connection_s"), ("limits", "silence_s"), ("limits", "scale"),
})  # fmt: skip
"""What neither leaves this computer nor comes from another one."""

_HEAD = "NovaDesk settings. Devices, accounts, addresses and keys are not in this file."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting that an import would change."""

    section: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import would do.

    Attributes:
        settings: as they would be.
        changes: what is different then.
        left_out: names in the file that are kept as they are here, or not known to this version.
    """

    settings: Settings
    changes: tuple[Change, ...]
    left_out: tuple[str, ...]


def export_text(settings: Settings) -> str:
    """Return the text of a file with the settings that may leave this computer."""
    document = tomlkit.document()
    document.add(tomlkit.comment(_HEAD))
    for section, name, value, _ in values(settings):
        if (section, name) in EXPORTED:
            if section not in document:
                document[section] = tomlkit.table()
            document[section][name] = plain_value(value)
    return tomlkit.dumps(document)


def plan_import(content: bytes, file: Path, now: Settings) -> Plan:
    """Return what the import of a file would do.

    Raises:
        KnownError: `BAD_SETTINGS` or `BAD_REGION`, naming line or key.
    """
    found = read_table(content, file)
    table: Table = {section.name: {} for section in dataclasses.fields(Settings)}
    left_out = list(unknown_names(found))
    for section, name, value, _ in values(now):
        table[section][name] = plain_value(value)
        if name not in found.get(section, {}):
            continue
        if (section, name) in EXPORTED:
            table[section][name] = found[section][name]
        else:
            left_out.append(f"[{section}] {name}")
    settings = build_settings(table, file)
    return Plan(settings=settings, changes=changes(now, settings), left_out=tuple(left_out))


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Return what differs."""
    return tuple(
        Change(section=section, name=name, before=old, after=new)
        for (section, name, old, _), (_, _, new, _) in zip(values(before), values(after), strict=True)
        if old != new
    )
