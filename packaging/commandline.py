"""Manual page and shell completions, made of the one table of commands in `novadesk.cli`.

python packaging/commandline.py FOLDER    write all of them, to be looked at
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from novadesk import __version__
from novadesk.cli import _parser as make_parser

_TAIL = Path(__file__).resolve().parent / "deb" / "manual_tail.man"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of a command.

    Attributes:
        flags: as typed.
        takes: name of its value; empty for a switch.
        words: what it does.
        choices: values that it may have.
        file: its value is a file or a folder.
    """

    flags: tuple[str, ...]
    takes: str
    words: str
    choices: tuple[str, ...] = ()
    file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command; that of the program itself has no name."""

    name: tuple[str, ...]
    words: str
    options: tuple[Option, ...]
    operands: tuple[str, ...]
    choices: tuple[str, ...]
    commands: "tuple[Command, ...]"

    def walk(self) -> "Iterator[Command]":
        """Yield this and all below it."""
        yield self
        for one in self.commands:
            yield from one.walk()


def read_commands() -> Command:
    """Return the program with all that it says of itself; what has no help is not for people."""
    return _read(make_parser(), (), "")


def _read(parser: argparse.ArgumentParser, name: tuple[str, ...], words: str) -> Command:
    if (fill := getattr(parser, "_fill", None)) is not None:  # what it takes is added when it is asked for
        parser._fill = None  # type: ignore[attr-defined]
        fill(parser)
    options, operands, choices, commands = [], [], [], []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            told = {one.dest: one.help or "" for one in action._choices_actions}
            commands += [_read(action.choices[key], (*name, key), told[key]) for key in action.choices if key in told]
        elif action.option_strings:
            options.append(_option(action))
        else:
            operands.append(str(action.metavar or action.dest))
            choices += [str(one) for one in action.choices or ()]
    return Command(
        name=name, words=words, options=tuple(options), operands=tuple(operands), choices=tuple(choices),
        commands=tuple(commands),
    )  # fmt: skip


def _option(action: argparse.Action) -> Option:
    takes = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    return Option(
        flags=tuple(action.option_strings), takes=takes, words=(action.help or "").replace("%%", "%"),
        choices=tuple(map(str, action.choices or ())), file=action.type is Path or takes in ("WAV", "FILE", "HOME"),
    )  # fmt: skip


# ---------------------------------------------------------------- manual page


def manual_page(program: Command, *, version: str, date: str, tail: str) -> str:
    """Return novadesk(1) in the man macros.

    Args:
        program: as `read_commands` returned it.
        version: of NovaDesk.
        date: YYYY-MM-DD.
        tail: further sections, in the same macros.
    """
    lines = [
        f'.TH NOVADESK 1 "{date}" "NovaDesk {version}" "User Commands"',
        ".SH NAME",
        r"novadesk \- voice conversations with Amazon Nova Sonic, or with an offline practice partner",
        ".SH SYNOPSIS",
        ".B novadesk",
        r"[\fIOPTION\fR]...",
        r"[\fICOMMAND\fR ...]",
        ".SH DESCRIPTION",
        "Without a command, NovaDesk opens its window. The others work beside a running one, or without any.",
        ".SH OPTIONS",
        *_roff_options(program.options),
        ".SH COMMANDS",
    ]
    for one in list(program.walk())[1:]:
        inner = [option for option in one.options if "--help" not in option.flags]
        if one.commands and not inner:
            continue  # it does nothing by itself
        operands = "".join(f" {'|'.join(one.choices) or word.upper()}" for word in one.operands)
        lines += [
            ".TP",
            rf"\fBnovadesk {_roff(' '.join(one.name))}\fR\fI{_roff(operands)}\fR",
            _sentence(one.words),
            *([".RS", *_roff_options(inner), ".RE"] if inner else []),
        ]
    return "\n".join([*lines, tail.rstrip(), ""])


def _roff_options(options: "Iterator[Option] | tuple[Option, ...] | list[Option]") -> list[str]:
    lines = []
    for one in options:
        value = rf" \fI{_roff(one.takes)}\fR" if one.takes else ""
        flags = ", ".join(rf"\fB{_roff(flag)}\fR" for flag in one.flags)
        choices = f" One of {', '.join(one.choices)}." if one.choices else ""
        lines += [".TP", flags + value, _sentence(one.words) + _roff(choices)]
    return lines


def _sentence(words: str) -> str:
    return _roff(words[:1].upper() + words[1:].rstrip(".") + ".") if words else ""


def _roff(words: str) -> str:
    plain = words.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


# ---------------------------------------------------------------- completions


def complete_bash(program: Command) -> str:
    """Return the completion for Bash."""
    rows, takers = [], {}
    for one in program.walk():
        words = [command.name[-1] for command in one.commands] + list(one.choices)
        words += [flag for option in one.options for flag in option.flags]
        rows.append(f'    "{" ".join(one.name)}") words="{" ".join(words)}" ;;')
        for option in one.options:
            if option.takes:
                takers |= dict.fromkeys(option.flags, option)
    files = [flag for flag, option in takers.items() if option.file]
    others = [
        f'    {flag}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word")); return ;;'
        for flag, option in takers.items()
        if not option.file
    ]
    return "\n".join([
        "# bash completion for novadesk, made of its table of commands",
        "_novadesk() {",
        '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path="" words="" i',
        "  case $before in",
        f"    {'|'.join(files)}) compopt -o default; COMPREPLY=(); return ;;",
        *others,
        "  esac",
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        f'    case ${{COMP_WORDS[i]}} in {"|".join(takers)}) ((i++)) ;; -*) ;;',
        '      *) path="${path:+$path }${COMP_WORDS[i]}" ;;',
        "    esac",
        "  done",
        "  case $path in",
        *rows,
        "    *) compopt -o default ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -F _novadesk novadesk",
        "",
    ])  # fmt: skip


def complete_fish(program: Command) -> str:
    """Return the completion for fish."""
    takers = [flag for one in program.walk() for option in one.options if option.takes for flag in option.flags]
    is_value = f'contains -- "$before" {" ".join(dict.fromkeys(takers))}'
    lines = [
        "# fish completion for novadesk, made of its table of commands",
        "function __novadesk_at",
        "    set -l path",
        "    set -l before",
        "    for word in (commandline -opc)[2..-1]",
        f"        if not {is_value}; and not string match -q -- '-*' $word",
        "            set -a path $word",
        "        end",
        "        set before $word",
        "    end",
        '    test "$path" = "$argv[1]"',
        "end",
    ]
    for one in program.walk():
        when = f"complete -c novadesk -n '__novadesk_at \"{' '.join(one.name)}\"'"
        lines += [f"{when} -f -a {command.name[-1]} -d {_quoted(command.words)}" for command in one.commands]
        lines += [f"{when} -f -a {choice}" for choice in one.choices]
        lines += [f"{when} {_fish_option(option)}" for option in one.options]
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
    value = (" -r" if option.file else " -x") if option.takes else ""
    value += f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
    return f"{flags}{value} -d {_quoted(option.words)}"


def complete_zsh(program: Command) -> str:
    """Return the completion for zsh."""
    lines = ["#compdef novadesk", "# made of novadesk's table of commands"]
    for one in program.walk():
        function = "_".join(["_novadesk", *one.name])
        specs = [_zsh_option(option) for option in one.options]
        lines += ["", f"{function}() {{"]
        if one.commands:
            rows = [_quoted(f"{command.name[-1]}:{command.words}") for command in one.commands]
            cases = [
                f"      {command.name[-1]}) {'_'.join(['_novadesk', *command.name])} ;;" for command in one.commands
            ]
            lines += [
                "  local state line", "  local -a commands", f"  commands=({' '.join(rows)})",
                f"  _arguments -C {' '.join(specs)} '1:command:->command' '*::argument:->argument'",
                "  case $state in", "    command) _describe command commands ;;", "    argument) case $line[1] in",
                *cases, "    esac ;;", "  esac",
            ]  # fmt: skip
        else:
            operands = [_quoted(f"1:{one.operands[0]}:({' '.join(one.choices)})")] if one.choices else []
            lines += [f"  _arguments {' '.join([*specs, *operands])}"]
        lines += ["}"]
    return "\n".join([*lines, "", '_novadesk "$@"', ""])


def _zsh_option(option: Option) -> str:
    words = option.words.replace("[", "(").replace("]", ")").replace(":", " ")
    value = ""
    if option.takes:
        value = f":{option.takes}:" + (
            f"({' '.join(option.choices)})" if option.choices else "_files" if option.file else ""
        )
    return " ".join(_quoted(f"{flag}[{words}]{value}") for flag in option.flags)


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "'\\''") + "'"


def main() -> int:
    """Write all of them into a folder, under the names that a package gives them; return the exit status."""
    folder, program = Path(sys.argv[1]), read_commands()
    folder.mkdir(parents=True, exist_ok=True)
    page = manual_page(program, version=__version__, date="1980-01-01", tail=_TAIL.read_text(encoding="utf-8"))
    texts = {"novadesk.1": page, "novadesk": complete_bash(program), "_novadesk": complete_zsh(program),
             "novadesk.fish": complete_fish(program)}  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
