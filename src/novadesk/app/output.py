"""What a command says: data on standard output, an error as one sentence on standard error."""

import contextlib
import json
import sys
from collections.abc import Iterator

from novadesk.errors import KnownError, Layer, Reason


def put(text: str) -> None:
    """Print data and a line end at once.

    Raises:
        BrokenPipeError: nobody reads it any more.
        KnownError: `BAD_INPUT` when it cannot be written.
    """
    with _words_for_faults():
        print(text, flush=True)


def flush() -> None:
    """Let out what was printed in other ways; see `put`."""
    if sys.stdout is not None:
        with _words_for_faults():
            sys.stdout.flush()


def put_row(**fields: object) -> None:
    """Print one JSON line at once; see `put`."""
    put(json.dumps(fields))


def put_error(error: KnownError, *, as_json: bool) -> None:
    """Print an error as one sentence with layer and code, and with `as_json` also as a line of data; see `put`."""
    from novadesk.catalogue import entry_of

    layer, code = error.layer.value, entry_of(error.reason).code
    sentence = " ".join(f"novadesk: {layer}: {error.what} {error.advice} ({code})".split())
    print(sentence, file=sys.stderr)
    if as_json:
        reason = error.reason.value
        put_row(type="error", code=code, layer=layer, reason=reason, what=error.what, advice=error.advice)


def put_note(layer: Layer, words: str) -> None:
    """Print a sentence that is no error beside the data; whether somebody reads it does not matter."""
    with contextlib.suppress(OSError):
        print(f"novadesk: {layer.value}: {words}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _words_for_faults() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or "input/output error"
        raise KnownError(
            Reason.BAD_INPUT, f"Standard output cannot be written ({why}).", "Send it to another place."
        ) from error
