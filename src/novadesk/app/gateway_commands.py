"""The commands about a gateway, as `novadesk.cli` lists them; each imports what it needs."""

import argparse
from typing import Any

from novadesk.app import argument

type Commands = "argparse._SubParsersAction[Any]"

_DAY_S = 86_400


def add_gateway(commands: Commands) -> None:
    """Add `novadesk gateway`."""
    commands.add_parser("gateway", help="tokens for the gateway of this computer", fill=_fill_gateway)


def _fill_gateway(gateway: argparse.ArgumentParser) -> None:
    actions = gateway.add_subparsers(title="actions", metavar="ACTION", required=True)
    token = actions.add_parser("token", help="print a token that the gateway of this computer takes (development)")
    token.add_argument("--user", type=argument.words, metavar="NAME", help="for whom; else for you")
    token.add_argument("--valid-s", type=_life, default=3600, metavar="N", help="seconds that it lives; else an hour")
    token.set_defaults(run=_gateway_token)


def _life(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _DAY_S:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {_DAY_S:,}")
    return int(text)


def _gateway_token(parsed: argparse.Namespace) -> int:
    from novadesk.app.gateway_token import print_token

    return print_token(profile=parsed.profile, user=parsed.user or "", valid_s=parsed.valid_s)
