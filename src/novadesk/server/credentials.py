"""The keys of the local server: made once per folder, kept in a file that only the user can read."""

import json
import secrets
from pathlib import Path

from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file
from novadesk.server.signature import AccessKey

_FILE = "credentials.json"
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def load_access_key(folder: Path) -> AccessKey:
    """Return the access key of a folder; it is made when there is none.

    Raises:
        KnownError: `PRACTICE_FAILED` when the file cannot be read or written.
    """
    file = folder / _FILE
    try:
        if file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            return AccessKey(access_key_id=str(kept["access_key_id"]), secret_access_key=str(kept["secret_access_key"]))
        key = _make()
        text = json.dumps({"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key})
        replace_file(file, text.encode())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KnownError(
            Reason.PRACTICE_FAILED,
            "The keys of the local server cannot be read or written.",
            f"Delete {file} and start again.",
        ) from error
    return key


def _make() -> AccessKey:
    return AccessKey(
        access_key_id="AKIA" + "".join(secrets.choice(_ID_LETTERS) for _ in range(16)),
        secret_access_key="".join(secrets.choice(_SECRET_LETTERS) for _ in range(40)),
    )
