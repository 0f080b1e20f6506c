"""Check the rules that no linter knows. Each rule is a pattern or a measure, and the reason for it.

    python scripts/house_rules.py [ROOT]

Prints one line for each breach and exits with 1 when there is one.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_MODULE_LINES = 420  # "about 400"
MAX_TEST_MODULE_LINES = 650  # tests are flat lists of cases
MAX_FUNCTION_LINES = 50
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "common", "misc"})

_SOURCE = ("src/",)
_PYTHON = ("src/", "tests/", "packaging/", "scripts/", "benchmarks/")
# The command line speaks on standard output; nothing else does.
_SPEAKERS = ("src/novadesk/cli.py", "src/novadesk/app/", "src/novadesk/server/runner.py")
# This file and its tests have to name what they forbid.
_EXEMPT = ("scripts/house_rules.py", "tests/unit/test_house_rules.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern that may not appear in the lines of some files, and why."""

    name: str
    pattern: re.Pattern[str]
    reason: str
    where: tuple[str, ...] = _SOURCE
    but_not: tuple[str, ...] = ()
    ends: tuple[str, ...] = (".py",)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Breach:
    """One place that breaks a rule."""

    path: str
    line: int
    rule: str
    reason: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.reason}"


_DROPPED_TASK = "a task that nobody keeps can vanish and its error with it; keep, await and cancel it"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


RULES: tuple[Rule, ...] = (
    Rule(
        name="nested-loop",
        pattern=_pattern(r"\.exec_?\(|\bprocessEvents\(|\bqtbot\.wait\("),
        reason="a nested Qt loop hangs every asyncio task that becomes ready meanwhile; open() and await instead",
        but_not=(
            "src/novadesk/ui/preview.py",  # draws pictures in a process of its own, without asyncio
            "src/novadesk/app/firstpaint.py",  # asyncio is not loaded by then
        ),
    ),
    Rule(
        name="print",
        pattern=_pattern(r"(?<![\w.])print\("),
        reason="standard output belongs to the command line's data; log or raise instead",
        but_not=_SPEAKERS,
    ),
    Rule(
        name="sleep",
        pattern=_pattern(r"\btime\.sleep\(|\bfrom time import .*\bsleep\b"),
        reason="a thread that sleeps cannot be stopped; wait on an event with a deadline",
    ),
    Rule(
        name="bare-ignore",
        pattern=_pattern(r"#\s*type:\s*ignore(?!\[[\w, -]+\])"),
        reason="say which error is ignored: type: ignore[code]",
        where=_PYTHON,
    ),
    Rule(
        name="bare-noqa",
        # An override has the name, parameters and documentation of its base: these codes need no further word.
        pattern=_pattern(r"#\s*noqa(?!: ((D102|N80[23]|ARG002)(, )?)+$)(?!: ?[A-Z]+[0-9]+(, [A-Z]+[0-9]+)* +\S)"),
        reason="say which rule is set aside and why: noqa: CODE - reason",
        where=_PYTHON,
    ),
    Rule(
        name="unfinished",
        pattern=_pattern(r"\b(TODO|FIXME|XXX|HACK)\b"),
        reason="finish it or write it into the plan",
        where=(*_PYTHON, "Makefile", "docs/", "README.md"),
        ends=(".py", ".sh", ".md", "Makefile", ".spec"),
    ),
    Rule(
        name="told-in-log",
        pattern=_pattern(
            r"\b_?log(ger)?\.(debug|info|warning|error|exception|critical|log)\(.*,\s*[\w.]*"
            r"\b\w*(text|transcript|secret|token|password|handle|session_id|access_key)\w*\s*[,)]"
        ),
        reason="no transcript, token, key or session id is ever logged",
    ),
    Rule(
        name="index-host",
        pattern=_pattern(r"(?i)\b(pypi|pythonhosted|deb\.debian|registry\.npmjs)\.org\b|--(extra-)?index-url"),
        reason="it must install behind any mirror: name packages, never the host of an index",
        where=("",),
        ends=("",),
    ),
)  # fmt: skip


def check_lines(path: str, text: str) -> Iterator[Breach]:
    """Yield the breaches of the patterns in one file; `path` is relative to the root, with slashes."""
    rules = [
        rule
        for rule in RULES
        if path.startswith(rule.where) and path.endswith(rule.ends) and not path.startswith((*rule.but_not, *_EXEMPT))
    ]
    for number, line in enumerate(text.splitlines(), start=1):
        for rule in rules:
            if rule.pattern.search(line):
                yield Breach(path=path, line=number, rule=rule.name, reason=rule.reason)


def check_shape(path: str, text: str) -> Iterator[Breach]:
    """Yield the breaches of names and sizes in one Python file."""
    if PurePosixPath(path).stem in BANNED_NAMES or (BANNED_NAMES & set(PurePosixPath(path).parts)):
        yield Breach(path=path, line=1, rule="empty-name", reason="a module is named after what it is about")
    lines = len(text.splitlines())
    most = MAX_TEST_MODULE_LINES if path.startswith("tests/") else MAX_MODULE_LINES
    if lines > most:
        reason = f"{lines} lines, at most {most}: it is two things"
        yield Breach(path=path, line=1, rule="long-module", reason=reason)
    for node in ast.walk(ast.parse(text, filename=path)):
        if path.startswith(_SOURCE) and isinstance(node, ast.Expr) and _starts_task(node.value):
            yield Breach(path=path, line=node.lineno, rule="dropped-task", reason=_DROPPED_TASK)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                reason = f"{node.name} has {length} lines, at most {MAX_FUNCTION_LINES}: it is two things"
                yield Breach(path=path, line=node.lineno, rule="long-function", reason=reason)


def _starts_task(call: ast.expr) -> bool:
    """Say whether an expression starts a task that only its result would keep; a task group keeps its own."""
    if not isinstance(call, ast.Call):
        return False
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    group = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith("group")
    return name in {"create_task", "ensure_future"} and not group


def tracked_files(root: Path) -> list[str]:
    """Return the files of the project: those that git knows or would add."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return sorted(path for path in listed.split("\0") if path)


def check_tree(root: Path) -> list[Breach]:
    """Return every breach in the project below `root`."""
    breaches: list[Breach] = []
    for path in tracked_files(root):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture or a sound; or a file that has just gone
        breaches += check_lines(path, text)
        if path.endswith(".py") and path.startswith(_PYTHON) and path not in _EXEMPT:
            breaches += check_shape(path, text)
    return sorted(breaches)


def main(arguments: Sequence[str]) -> int:
    """Check the tree; return the exit status."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    breaches = check_tree(root)
    for breach in breaches:
        sys.stdout.write(f"{breach}\n")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
