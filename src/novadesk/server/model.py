"""Which voice models the local server stands for, and their voices."""

from urllib.parse import unquote

from novadesk.server.refusal import validation
from novadesk.voices import VOICES


def parse_target(target: str) -> str | None:
    """Return the model id of the path of a voice stream, or None when the path is of no operation.

    The id is percent-encoded on the wire; an empty query may follow it.
    """
    path, _, _ = target.partition("?")
    parts = path.split("/")
    if len(parts) != 4 or parts[:2] != ["", "model"] or parts[3] != "invoke-with-bidirectional-stream":
        return None
    return unquote(parts[2])


def check_model(model: str) -> str:
    """Return the bare id of a model; an ARN of a foundation model is taken too.

    Raises:
        Refusal: ValidationException in the service's words.
    """
    bare = model.rpartition("::foundation-model/")[2] if model.startswith("arn:aws") else model
    if bare not in VOICES:
        raise validation("The provided model identifier is invalid.")
    return bare


def is_voice(model: str, voice: str) -> bool:
    """Return whether a model has a voice."""
    return voice in VOICES[model]
