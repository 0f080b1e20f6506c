"""One story, whichever backend carries it: what a person hears, reads and finds again is the same."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, exchange, spoken

STORY = [*exchange("hello there", "Hello yourself."), *exchange("how are you", "Very well.")]
TOLD = [
    ("user", "hello there", False),
    ("assistant", "Hello yourself.", False),
    ("user", "how are you", False),
    ("assistant", "Very well.", False),
]


@contextmanager
def practice(line: CommandLine, _server: CommandLine) -> Iterator[dict[str, str]]:
    """Run the partner beside the person."""
    with line.partner(*STORY):
        yield {}


@contextmanager
def gateway(_line: CommandLine, server: CommandLine) -> Iterator[dict[str, str]]:
    """Run the partner behind a gateway of somebody else."""
    with server.partner(*STORY), server.started("gateway", "--dev", "--port", "0") as running:
        address = json.loads(running.wait_for_line("gateway"))
        token = server.run("gateway", "token").out.strip()
        yield {"NOVADESK_GATEWAY": address["gateway"], "NOVADESK_GATEWAY_TOKEN": token}
        running.process.terminate()
        assert running.end().code == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("backend", [practice, gateway], ids=["practice", "gateway"])
def test_two_exchanges_and_what_is_left_of_them(
    tmp_path: Path, backend: Callable[[CommandLine, CommandLine], AbstractContextManager[dict[str, str]]]
) -> None:
    line, server = CommandLine(tmp_path / "home"), CommandLine(tmp_path / "server")
    wav = spoken(tmp_path / "two.wav", "hello there", "how are you today", pause_ms=4_500)
    out = tmp_path / "out.wav"
    with backend(line, server) as env:
        kind = "gateway" if env else "practice"
        result = line.run("talk", "--in", wav, "--out", out, "--backend", kind, "--json", env=env)
    assert (result.code, result.err) == (0, "")
    assert [(turn["role"], turn["text"], turn["interrupted"]) for turn in result.turns] == TOLD
    assert out.stat().st_size > 10_000
    kept = line.run("history", "show", result.turns[0]["conversation"], "--json")
    assert [turn["text"] for turn in json.loads(kept.out)] == [text for _, text, _ in TOLD]
