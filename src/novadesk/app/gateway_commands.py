"""The commands about a gateway, as `novadesk.cli` lists them; each imports what it needs."""

import argparse
from pathlib import Path
from typing import Any

from novadesk.app import argument

type Commands = "argparse._SubParsersAction[Any]"

_DAY_S = 86_400


def add_gateway(commands: Commands) -> None:
    """Add `novadesk gateway`."""
    commands.add_parser("gateway", help="voice for people without AWS keys, until SIGTERM", fill=_fill_gateway)


def _fill_gateway(gateway: argparse.ArgumentParser) -> None:
    gateway.set_defaults(run=_gateway)
    gateway.add_argument("--dev", action="store_true", help="for this computer only, with an issuer of its own")
    gateway.add_argument("--host", default="127.0.0.1", help="loopback unless you say otherwise")
    gateway.add_argument("--port", type=int, default=8001, help="0 chooses one")
    gateway.add_argument("--state", default="", metavar="STORE", help="sqlite:FILE or dynamodb:TABLE, shared")
    gateway.add_argument("--upstream", choices=("practice", "bedrock"), default="practice", help="who hears and speaks")
    gateway.add_argument("--issuer", default="", metavar="URL", help="whose tokens are taken (OpenID Connect)")
    gateway.add_argument("--audience", action="append", default=[], metavar="NAME", help="for whom they have to be")
    gateway.add_argument("--origin", action="append", default=[], metavar="URL", help="a web page that may ask")
    gateway.add_argument("--behind-proxy", action="store_true", help="believe its X-Forwarded-For who asks")
    gateway.add_argument("--cert", type=Path, metavar="PEM", help="serve TLS with this certificate")
    gateway.add_argument("--key", type=Path, metavar="PEM", help="and its key")
    _add_sign_in(gateway)
    gateway.add_argument("--json", action="store_true", help="errors as JSON too; the first line is so in any case")
    actions = gateway.add_subparsers(title="actions", metavar="ACTION")
    token = actions.add_parser("token", help="print a token that the gateway of this computer takes (development)")
    token.add_argument("--user", type=argument.words, metavar="NAME", help="for whom; else for you")
    token.add_argument("--valid-s", type=_life, default=3600, metavar="N", help="seconds that it lives; else an hour")
    token.set_defaults(run=_gateway_token)
    login = actions.add_parser("login", help="sign in to the gateway of your settings")
    login.add_argument("--device", action="store_true", help="with a code to enter elsewhere, without a browser here")
    logout = actions.add_parser("logout", help="forget that sign-in")
    for parser, run in ((login, _gateway_login), (logout, _gateway_logout)):
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
        parser.set_defaults(run=run)


def _add_sign_in(gateway: argparse.ArgumentParser) -> None:
    """Add what `protocol.signin.SignInTerms` says."""
    group = gateway.add_argument_group("how people sign in at the issuer; without --client-id that is said elsewhere")
    group.add_argument("--client-id", default="", metavar="ID", help="of NovaDesk at the issuer")
    group.add_argument("--scope", default="", metavar="WORDS", help="what is asked for; else openid")
    group.add_argument(
        "--redirect", action="append", default=[], metavar="URL", help="the only ways back that it knows"
    )
    group.add_argument(
        "--parameter", action="append", default=[], type=_parameter, metavar="NAME=TEXT", help="audience or resource"
    )


def _parameter(text: str) -> tuple[str, str]:
    from novadesk.protocol.signin import PARAMETERS

    name, _, said = text.partition("=")
    if name not in PARAMETERS or not said:
        raise argparse.ArgumentTypeError(f"must be {' or '.join(f'{one}=TEXT' for one in PARAMETERS)}")
    return name, said


def _life(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _DAY_S:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {_DAY_S:,}")
    return int(text)


def _gateway(parsed: argparse.Namespace) -> int:
    from novadesk.app.gateway import GatewayStart, make_terms, run_gateway
    from novadesk.models import BackendKind

    return run_gateway(
        GatewayStart(
            profile=parsed.profile,
            dev=parsed.dev,
            host=parsed.host,
            port=parsed.port,
            state=parsed.state,
            upstream=BackendKind(parsed.upstream),
            issuer=parsed.issuer,
            audiences=tuple(parsed.audience),
            terms=make_terms(
                issuer=parsed.issuer,
                client_id=parsed.client_id,
                scope=parsed.scope,
                parameters=dict(parsed.parameter),
                redirects=tuple(parsed.redirect),
            ),
            origins=tuple(parsed.origin),
            behind_proxy=parsed.behind_proxy,
            certificate=parsed.cert,
            key=parsed.key,
        )
    )


def _gateway_token(parsed: argparse.Namespace) -> int:
    from novadesk.app.gateway_token import print_token

    return print_token(profile=parsed.profile, user=parsed.user or "", valid_s=parsed.valid_s)


def _gateway_login(parsed: argparse.Namespace) -> int:
    from novadesk.app.gateway_sign_in import log_in

    return log_in(profile=parsed.profile, device=parsed.device, as_json=parsed.json)


def _gateway_logout(parsed: argparse.Namespace) -> int:
    from novadesk.app.gateway_sign_in import log_out

    return log_out(profile=parsed.profile, as_json=parsed.json)
