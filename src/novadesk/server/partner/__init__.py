"""The practice partner: listens, thinks, speaks, with no account."""

from novadesk.server.partner.echo import EchoPartner
from novadesk.server.partner.factory import check_parts, make_partner, practice_parts
from novadesk.server.partner.practice import PracticePartner, PracticeParts
from novadesk.server.partner.script import Script, ScriptedPartner, load_script, parse_script

__all__ = [
    "EchoPartner",
    "PracticePartner",
    "PracticeParts",
    "Script",
    "ScriptedPartner",
    "check_parts",
    "load_script",
    "make_partner",
    "parse_script",
    "practice_parts",
]
