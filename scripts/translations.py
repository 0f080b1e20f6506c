"""Bring the catalogues of translations up to date with the code, and make the files that the window reads.

    python scripts/translations.py [--check]

Finds the literals given to `tr`, `trn`, `Text`, `Text.counted` and `KnownError`, has Qt's lupdate merge them into
`resources/i18n/*.ts` (for Qt Linguist), and Qt's lrelease make the `.qm` files. Prints what is not translated yet, and
exits with 1 when a text cannot be found because it is put together while the program runs; `--check` only looks.
"""

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ROOT / "resources" / "i18n"
CONTEXT = "NovaDesk"

COMMAND_LINE = (
    "src/novadesk/cli.py",
    "src/novadesk/server/",
    *(
        f"src/novadesk/app/{name}.py"
        for name in (
            "argument",
            "doctor",
            "doctor_keys",
            "gateway",
            "gateway_commands",
            "gateway_token",
            "history_commands",
            "metrics",
            "output",
            "serve",
            "talk",
            "update_command",
            "windowcheck",
        )
    ),
    "src/novadesk/audio/formats.py",
    "src/novadesk/audio/nullio.py",
    "src/novadesk/ui/preview",
)
"""What never reaches the window: the command line and the server speak English."""


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A text to translate; `note` tells two meanings apart, or is the plural of `source`."""

    source: str
    note: str = ""
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A place of the code that shows a text; `message` is None where the text is put together at run time."""

    path: str
    line: int
    message: Message | None


def find_texts(path: str, code: str) -> Iterator[Found]:
    """Yield the texts of one module."""
    for call in (node for node in ast.walk(ast.parse(code, path)) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if name in ("trn", "counted"):
            yield from _plurals(path, call)
        elif name in ("tr", "Text"):
            notes = [part.value for part in call.args[1:2] if isinstance(part, ast.Constant)]
            yield from _singles(path, call.args[:1], str(notes[0]) if notes else "")
        elif name == "KnownError":
            yield from _singles(path, call.args[1:3], "")


def find_all(root: Path = ROOT) -> list[Found]:
    """Return the texts of the whole program, module by module."""
    found: list[Found] = []
    for file in sorted((root / "src").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if not path.startswith(COMMAND_LINE):
            found += find_texts(path, file.read_text(encoding="utf-8"))
    return found


def messages(found: Sequence[Found]) -> dict[Message, list[str]]:
    """Return what there is to translate, and the modules that show it."""
    places: dict[Message, list[str]] = {}
    for place in found:
        if place.message is not None and place.path not in places.setdefault(place.message, []):
            places[place.message].append(place.path)
    return dict(sorted(places.items()))


def read_catalogue(file: Path) -> dict[Message, tuple[str, ...]]:
    """Return the translations of a catalogue: one text, or one for each plural form; empty ones are unfinished."""
    known: dict[Message, tuple[str, ...]] = {}
    for entry in ElementTree.parse(file).iter("message"):
        plural = entry.get("numerus") == "yes"
        message = Message(entry.findtext("source") or "", entry.findtext("comment") or "", plural)
        translation = entry.find("translation")
        if translation is None or translation.get("type") == "unfinished":
            known[message] = ("",)
        elif plural:
            known[message] = tuple(form.text or "" for form in translation.iter("numerusform"))
        else:
            known[message] = (translation.text or "",)
    return known


def release(catalogue: Path, target: Path) -> None:
    """Make the file that the window reads.

    Raises:
        CalledProcessError: lrelease cannot.
    """
    _run("lrelease", "-silent", str(catalogue), "-qm", str(target))


def main(arguments: Sequence[str]) -> int:
    """Merge and release; return the exit status."""
    found = find_all()
    made = [place for place in found if place.message is None]
    for place in made:
        sys.stdout.write(f"{place.path}:{place.line}: put together at run time; give a literal with {{names}}\n")
    if "--check" not in arguments:
        _merge(messages(found))
    for file in sorted(CATALOGUES.glob("*.ts")):
        for message, forms in read_catalogue(file).items():
            if not all(forms):
                sys.stdout.write(f"{file.name}: not translated: {message.source}\n")
        if "--check" not in arguments:
            release(file, file.with_suffix(".qm"))
    return 1 if made else 0


def _merge(wanted: dict[Message, list[str]]) -> None:
    """Have lupdate bring every catalogue up to date; it reads the texts from a module written for it."""
    lines = []
    for message, paths in wanted.items():
        note = json.dumps(message.note, ensure_ascii=False) if message.note else "None"
        lines += [f"#: {path.removeprefix('src/novadesk/')}" for path in paths]
        source = json.dumps(message.source, ensure_ascii=False)
        lines.append(f'translate("{CONTEXT}", {source}, {note}{", n" if message.plural else ""})')
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "texts.py"
        module.write_text("\n".join(lines) + "\n", encoding="utf-8")
        for file in sorted(CATALOGUES.glob("*.ts")):
            _run("lupdate", "-silent", "-locations", "none", "-no-obsolete", str(module), "-ts", str(file))


def _run(tool: str, *arguments: str) -> None:
    import PySide6

    program = Path(PySide6.__file__).parent / (f"{tool}.exe" if sys.platform == "win32" else tool)
    subprocess.run([str(program), *arguments], check=True)


def _plurals(path: str, call: ast.Call) -> Iterator[Found]:
    forms = [part.value for part in call.args[:2] if isinstance(part, ast.Constant)]
    if len(forms) == 2:
        yield Found(path, call.lineno, Message(str(forms[0]), str(forms[1]), True))
    elif any(map(_is_made, call.args[:2])):
        yield Found(path, call.lineno, None)


def _singles(path: str, parts: Sequence[ast.expr], note: str) -> Iterator[Found]:
    for part in parts:
        if isinstance(part, ast.IfExp):
            yield from _singles(path, (part.body, part.orelse), note)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            if note or any(letter.isalpha() for letter in _without_holes(part.value)):
                yield Found(path, part.lineno, Message(part.value, note))
        elif _is_made(part):
            yield Found(path, part.lineno, None)


def _is_made(part: ast.expr) -> bool:
    formats = isinstance(part, ast.Call) and getattr(part.func, "attr", "") in ("format", "join")
    return isinstance(part, ast.JoinedStr | ast.BinOp) or formats


def _without_holes(text: str) -> str:
    outside = text.split("{")
    return outside[0] + "".join(part.partition("}")[2] for part in outside[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
