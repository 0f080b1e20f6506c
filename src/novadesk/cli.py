"""The commands: one table, one place. Standard output carries data only; an error is one sentence on standard error.

Exit codes: 0 ok, 1 internal error, 2 bad input or known error, 3 and 4 as for `talk`. Everything heavy is imported by
the command that needs it: `ctl` can be bound to a key.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from novadesk.app import argument
from novadesk.app.output import flush, put, put_error, put_row
from novadesk.errors import KnownError, Reason, unusable
from novadesk.stamp import describe_version

type Commands = "argparse._SubParsersAction[_Parser]"

OK = 0
INTERNAL = 1
KNOWN = 2
INTERRUPTED = 130

_HIDDEN = "--hidden"
_NO_STEPS = "--no-first-steps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in given
    try:
        return _run(given)
    except KnownError as error:
        return _report(error, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return OK
    except OSError as error:
        if error.filename is None:
            raise
        return _report(unusable(error), as_json=as_json)


def _run(given: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal lacks is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    if set(given) <= {_HIDDEN, _NO_STEPS}:  # a window does not wait for the words of all commands
        return _open_window(profile="", hidden=_HIDDEN in given, steps=_NO_STEPS not in given)
    try:
        parsed = _parser().parse_args(given)
    except SystemExit as over:  # --help and --version
        flush()
        return over.code if isinstance(over.code, int) else INTERNAL
    if parsed.home:
        os.environ["NOVADESK_HOME"] = parsed.home
    return int(parsed.run(parsed))


def _report(error: KnownError, *, as_json: bool) -> int:
    try:
        put_error(error, as_json=as_json)
        flush()
    except (OSError, KnownError):  # nobody there to tell
        _drop_output()
    return KNOWN


def _drop_output() -> None:
    """Let what is still buffered go nowhere: the interpreter flushes it at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Parser(argparse.ArgumentParser):
    """Reports bad arguments as every other bad input.

    Args:
        fill: adds what it takes, once that is to be parsed: a start does not wait for the words of all other commands.
    """

    def __init__(self, *names: Any, fill: "Callable[[_Parser], None] | None" = None, **values: Any) -> None:
        super().__init__(*names, **values)
        self._fill = fill

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise KnownError(Reason.BAD_INPUT, f"{message[:1].upper()}{message[1:]}.", f"See `{self.prog} --help`.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="novadesk",
        description="Desktop voice client for Amazon Nova Sonic whose conversations survive everything.",
    )
    parser.add_argument("--version", action="version", version=f"novadesk {describe_version()}")
    parser.add_argument(
        "--profile",
        default="",
        type=argument.profile,
        metavar="NAME",
        help="use a separate set of settings and conversations",
    )
    parser.add_argument("--home", default="", help="keep every file below this folder (as NOVADESK_HOME does)")
    parser.add_argument(_HIDDEN, action="store_true", help="start in the tray, without the window in front")
    parser.add_argument(_NO_STEPS, action="store_true", help="begin at once, also on the first start")
    parser.set_defaults(run=_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    window = commands.add_parser("window", help="open the window (the default)")
    window.set_defaults(run=_window)

    _add_talk(commands)
    _add_serve(commands)
    _add_stored(commands)
    _add_ctl(commands)

    _add_health(commands)

    logout = commands.add_parser("logout", help="forget the remote sessions: keyring entries and caches")
    logout.add_argument("--json", action="store_true", help="JSON on standard output")
    logout.set_defaults(run=_logout)

    devices = commands.add_parser("devices", help="list microphones and speakers")
    devices.add_argument("--json", action="store_true", help="JSON on standard output")
    devices.set_defaults(run=_devices)

    _add_hidden(commands)
    return parser


def _add_health(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="check all that the chosen backend needs")
    doctor.add_argument("--json", action="store_true", help="JSON on standard output")
    doctor.add_argument("--policy", action="store_true", help="print the IAM policy that Amazon Bedrock needs")
    doctor.add_argument(
        "--bundle", type=Path, metavar="FILE", help="write a diagnostics bundle (ZIP), to be read first"
    )
    doctor.set_defaults(run=_doctor)

    metrics = commands.add_parser("metrics", help="what the last 24 hours say about recovery, loading and sync")
    metrics.add_argument("--json", action="store_true", help="JSON on standard output")
    metrics.set_defaults(run=_metrics)

    update = commands.add_parser("update-check", help="ask now whether there is a newer version; nothing is replaced")
    update.add_argument("--json", action="store_true", help="JSON on standard output")
    update.set_defaults(run=_update_check)


def _add_stored(commands: Commands) -> None:
    from novadesk.app import gateway_commands, history_commands

    history_commands.add_history(commands)
    history_commands.add_scenarios(commands)
    gateway_commands.add_gateway(commands)


def _add_hidden(commands: Commands) -> None:
    """Add what NovaDesk runs of itself as processes beside it."""
    for name, run in {"engine": _engine, "soundwatch": _soundwatch, "windowcheck": _windowcheck}.items():
        commands.add_parser(name).set_defaults(run=run)


def _add_talk(commands: Commands) -> None:
    commands.add_parser("talk", help="hold one conversation without a window", fill=_fill_talk)


def _fill_talk(talk: _Parser) -> None:
    talk.add_argument("--in", dest="read", type=Path, required=True, metavar="WAV", help="16-bit PCM, 8-48 kHz")
    talk.add_argument("--out", dest="write", type=Path, metavar="WAV", help="the answer: 24 kHz mono")
    talk.add_argument("--backend", choices=("practice", "bedrock", "gateway"), help="else that of the settings")
    which = talk.add_mutually_exclusive_group()
    which.add_argument("--conversation", metavar="HANDLE", help="go on with this one")
    which.add_argument("--new", action="store_true", help="begin a new one")
    which.add_argument("--private", action="store_true", help="begin a new one of which nothing is ever written")
    talk.add_argument("--scenario", metavar="NAME", help="begin a new one with it, see `novadesk scenarios list`")
    talk.add_argument(
        "--set", dest="values", action="append", default=[], type=argument.value, metavar="FIELD=TEXT",
        help="fill in a field of the scenario",
    )  # fmt: skip
    talk.add_argument("--json", action="store_true", help="one JSON line per event")
    talk.set_defaults(run=_talk)


def _add_serve(commands: Commands) -> None:
    commands.add_parser("serve", help="run the local server in front, until SIGTERM", fill=_fill_serve)


def _fill_serve(serve: _Parser) -> None:
    serve.add_argument("--json", action="store_true", help="errors as JSON too; the first line is so in any case")
    serve.add_argument("--port", type=int, default=0, help="port of the HTTP/2 endpoint; 0 chooses one")
    serve.add_argument("--host", default="127.0.0.1", help="loopback unless you say otherwise")
    serve.add_argument("--san", action="append", default=[], metavar="NAME", help="a further name in the certificate")
    serve.add_argument("--persona", type=Path, metavar="FILE", help="play this script instead of the practice partner")
    serve.add_argument("--llm", default="", metavar="URL", help="OpenAI-compatible local endpoint for the answers")
    serve.add_argument("--llm-model", default="", metavar="NAME", help="its model")
    serve.add_argument("--gateway", action="store_true", help="and a gateway beside it, for this computer only")
    serve.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    serve.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    serve.set_defaults(run=_serve)


def _add_ctl(commands: Commands) -> None:
    commands.add_parser("ctl", help="drive the running NovaDesk", fill=_fill_ctl)


def _fill_ctl(ctl: _Parser) -> None:
    actions = ctl.add_subparsers(title="actions", metavar="ACTION", required=True)
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="JSON on standard output")
    common.add_argument("--deadline", type=argument.seconds, default=5.0, metavar="SECONDS",
                        help="how long to wait for what runs; else 5")  # fmt: skip
    for name, words in {
        "status": "what the window shows",
        "mute": "send silence",
        "unmute": "send the microphone again",
        "stop": "silence the answer",
        "pause": "take a break: nothing is sent or heard, and the conversation stays open",
        "resume": "go on after a break",
        "end": "end the conversation",
        "again": "begin a new conversation with the scenario of the open one",
        "report": "write a report about the present state, with the last protocol events and no word of what was said",
        "show": "bring the window to the front",
        "quit": "leave",
    }.items():
        actions.add_parser(name, help=words, parents=[common]).set_defaults(run=_ctl, request={"do": name})
    talk = actions.add_parser("talk", help="the talk key", parents=[common])
    talk.add_argument("what", choices=("start", "stop", "toggle"))
    talk.set_defaults(run=_ctl, request={"do": "talk"})
    new = actions.add_parser("new", help="begin a new conversation", parents=[common])
    new.add_argument("--private", action="store_true", help="write nothing of it anywhere")
    new.add_argument("--scenario", metavar="NAME", help="begin it with this one, see `novadesk scenarios list`")
    new.add_argument(
        "--set", dest="values", action="append", default=[], type=argument.value, metavar="FIELD=TEXT",
        help="fill in a field of the scenario",
    )  # fmt: skip
    new.set_defaults(run=_ctl, request={"do": "new"})
    say = actions.add_parser("say", help="send typed text", parents=[common])
    say.add_argument("text", type=argument.words)
    say.add_argument("--silent", action="store_true", help="have it answered in writing only")
    say.set_defaults(run=_ctl, request={"do": "say"})
    resume = actions.add_parser("open", help="resume a conversation", parents=[common])
    resume.add_argument("handle")
    resume.set_defaults(run=_ctl, request={"do": "open"})


def _ctl(parsed: argparse.Namespace) -> int:
    from novadesk.desktop.control import send
    from novadesk.paths import find_folders

    request = dict(parsed.request)
    request.update({name: getattr(parsed, name) for name in ("what", "text", "handle") if hasattr(parsed, name)})
    request |= {name: True for name in ("private", "silent") if getattr(parsed, name, False)}
    if getattr(parsed, "scenario", None) or getattr(parsed, "values", None):
        request |= {"scenario": parsed.scenario, "values": dict(parsed.values)}
    answer = send(find_folders(profile=parsed.profile).control_socket, request, deadline_s=parsed.deadline)
    if parsed.json:
        put_row(**answer)
    elif request["do"] in ("status", "report"):
        for name, value in answer.items():
            put(f"{name}: {'-' if value is None else value}")
    return OK


def _window(parsed: argparse.Namespace) -> int:
    return _open_window(profile=parsed.profile, hidden=parsed.hidden, steps=not parsed.no_first_steps)


def _open_window(*, profile: str, hidden: bool, steps: bool) -> int:
    from novadesk.app.raising import raise_running
    from novadesk.paths import find_folders

    folders = find_folders(profile=profile)
    if raise_running(folders, hidden=hidden):
        return OK
    from novadesk.app.haste import hurry

    try:
        keeper = hurry(folders.cache)
        from novadesk.app.window import run_window
    except ImportError as error:
        from novadesk.app.windowcheck import no_window

        raise no_window() from error
    return run_window(keeper, profile=profile, hidden=hidden, steps=steps)


def _talk(parsed: argparse.Namespace) -> int:
    from novadesk.app.talk import run_talk

    return run_talk(
        profile=parsed.profile,
        read=parsed.read,
        write=parsed.write,
        backend=parsed.backend,
        handle=parsed.conversation,
        fresh=parsed.new,
        private=parsed.private,
        scenario=parsed.scenario,
        values=dict(parsed.values),
        as_json=parsed.json,
    )


def _serve(parsed: argparse.Namespace) -> int:
    from novadesk.app.serve import run_serve

    return run_serve(
        profile=parsed.profile,
        folder=parsed.folder,
        host=parsed.host,
        port=parsed.port,
        names=tuple(parsed.san),
        persona=parsed.persona,
        llm=parsed.llm,
        llm_model=parsed.llm_model,
        until_stdin_closes=parsed.until_stdin_closes,
        gateway=parsed.gateway,
    )


def _logout(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import log_out

    return log_out(profile=parsed.profile, as_json=parsed.json)


def _devices(parsed: argparse.Namespace) -> int:
    from novadesk.app.device_listing import list_devices

    return list_devices(as_json=parsed.json)


def _doctor(parsed: argparse.Namespace) -> int:
    from novadesk.app.doctor import print_policy, run_doctor

    if parsed.policy:
        return print_policy(profile=parsed.profile)
    return run_doctor(profile=parsed.profile, as_json=parsed.json, bundle=parsed.bundle)


def _update_check(parsed: argparse.Namespace) -> int:
    from novadesk.app.update_command import run_update_check

    return run_update_check(profile=parsed.profile, as_json=parsed.json)


def _metrics(parsed: argparse.Namespace) -> int:
    from novadesk.app.metrics import run_metrics

    return run_metrics(profile=parsed.profile, as_json=parsed.json)


def _windowcheck(_parsed: argparse.Namespace) -> int:
    from novadesk.app.windowcheck import main as check_window

    return check_window()


def _engine(_parsed: argparse.Namespace) -> int:
    from novadesk.audio.engine import main as run_engine

    return run_engine()


def _soundwatch(_parsed: argparse.Namespace) -> int:
    from novadesk.audio.pulse import main as watch_sound

    return watch_sound()
