"""What the local issuer has granted and to whom: codes, devices in waiting, and refresh tokens that rotate.

Rules: RFC 6749 (codes and refresh tokens), RFC 7636 (PKCE), RFC 8628 (devices), RFC 9700 section 4.14 (rotation).
"""

import base64
import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

CODE_S = 60.0
DEVICE_S = 600.0
INTERVAL_S = 5.0
SLOWER_S = 5.0  # RFC 8628, section 3.5
REFRESH_S = 30 * 86_400.0
LEEWAY_S = 60.0
"""How long a used refresh token still counts: the answer with its successor may have been lost."""

_MOST_WAITING = 200
_USER_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, section 6.1
_MOST_GUESSES = 10


class GrantError(Exception):
    """A grant that is refused; `error` is the name of RFC 6749 section 5.2 or RFC 8628 section 3.5."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Verdict(Enum):
    """What the person said of a device."""

    WAITING = "waiting"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks a person to allow in the browser."""

    client_id: str
    redirect_uri: str
    challenge: str
    state: str = ""
    nonce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Who allowed what: tokens are made of it."""

    subject: str
    client_id: str
    nonce: str = ""
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that waits until somebody enters its code elsewhere."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    client_id: str
    expires_s: float
    interval_s: float
    asked_s: float | None = None
    verdict: Verdict = Verdict.WAITING
    subject: str = ""


@dataclass(frozen=True, slots=True)
class _Pending:
    wish: Wish
    expires_s: float


@dataclass(frozen=True, slots=True)
class _Code:
    wish: Wish
    subject: str
    expires_s: float
    family: str = ""  # of the refresh tokens it was exchanged for


class Grants:
    """Everything that is granted. Wishes, codes and devices live as long as this object; refresh tokens in a file.

    Args:
        file: SQLite file of the refresh tokens, of which hashes are kept; several processes may share it.
        interval_s: shortest time between two questions of a device.
    """

    def __init__(self, file: Path, *, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._wishes: dict[str, _Pending] = {}
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, Device] = {}
        self._guesses: list[float] = []
        self._families = _Families(file)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._families.close()

    def ask(self, wish: Wish, now_s: float) -> str:
        """Keep a wish while the person looks at it; return the name to answer it by."""
        self._forget(now_s)
        if len(self._wishes) >= _MOST_WAITING:
            raise GrantError("temporarily_unavailable")
        name = secrets.token_urlsafe(24)
        self._wishes[name] = _Pending(wish, now_s + DEVICE_S)
        return name

    def answer(self, name: str, subject: str, now_s: float) -> tuple[Wish, str] | None:
        """Take the person's answer, empty for no; return the wish and its code, or None for a wish that is gone."""
        self._forget(now_s)
        pending = self._wishes.pop(name, None)
        if pending is None:
            return None
        if not subject:
            return pending.wish, ""
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(pending.wish, subject, now_s + CODE_S)
        return pending.wish, code

    def exchange(self, code: str, *, client_id: str, redirect_uri: str, verifier: str, now_s: float) -> Granted:
        """Return what a code stands for, once. One that comes twice was stolen: what it gave is taken back.

        Raises:
            GrantError: `invalid_grant`.
        """
        kept = self._codes.get(code)
        if kept is None or kept.expires_s <= now_s:
            raise GrantError("invalid_grant")
        if kept.family:
            self._families.drop(kept.family)
            raise GrantError("invalid_grant")
        wish = kept.wish
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")
        fits = wish.client_id == client_id and wish.redirect_uri == redirect_uri
        if not (fits and hmac.compare_digest(digest.encode(), wish.challenge.encode())):
            del self._codes[code]
            raise GrantError("invalid_grant")
        granted, family = self._begin(kept.subject, client_id, wish.nonce, now_s)
        self._codes[code] = replace(kept, family=family)
        return granted

    def begin_device(self, client_id: str, now_s: float) -> Device:
        """Return a device in waiting.

        Raises:
            GrantError: too many wait.
        """
        self._forget(now_s)
        if len(self._devices) >= _MOST_WAITING:
            raise GrantError("temporarily_unavailable")
        letters = "".join(secrets.choice(_USER_LETTERS) for _ in range(8))
        device = Device(
            device_code=secrets.token_urlsafe(32),
            user_code=f"{letters[:4]}-{letters[4:]}",
            client_id=client_id,
            expires_s=now_s + DEVICE_S,
            interval_s=self._interval_s,
        )
        self._devices[device.device_code] = device
        return device

    def judge_device(self, user_code: str, subject: str, now_s: float) -> bool:
        """Take the person's verdict, an empty subject for no; return False for a code that nobody waits with.

        Raises:
            GrantError: `slow_down` after too many codes that were wrong.
        """
        self._forget(now_s)
        self._guesses = [guess_s for guess_s in self._guesses if now_s - guess_s < 60]
        if len(self._guesses) >= _MOST_GUESSES:
            raise GrantError("slow_down")
        typed = "".join(letter for letter in user_code.upper() if letter in _USER_LETTERS)
        for code, device in self._devices.items():
            if device.user_code.replace("-", "") == typed and device.verdict is Verdict.WAITING:
                verdict = Verdict.ALLOWED if subject else Verdict.DENIED
                self._devices[code] = replace(device, verdict=verdict, subject=subject)
                return True
        self._guesses.append(now_s)
        return False

    def poll_device(self, device_code: str, *, client_id: str, now_s: float) -> Granted:
        """Return what a device was granted, once.

        Raises:
            GrantError: `authorization_pending`, `slow_down`, `access_denied`, `expired_token` or `invalid_grant`.
        """
        device = self._devices.get(device_code)
        if device is None or device.client_id != client_id:
            raise GrantError("invalid_grant")
        if device.expires_s <= now_s:
            del self._devices[device_code]
            raise GrantError("expired_token")
        if device.verdict is Verdict.WAITING:
            early = device.asked_s is not None and now_s - device.asked_s < device.interval_s
            interval_s = device.interval_s + SLOWER_S * early
            self._devices[device_code] = replace(device, asked_s=now_s, interval_s=interval_s)
            raise GrantError("slow_down" if early else "authorization_pending")
        del self._devices[device_code]
        if device.verdict is Verdict.DENIED:
            raise GrantError("access_denied")
        return self._begin(device.subject, client_id, "", now_s)[0]

    def refresh(self, token: str, *, client_id: str, now_s: float) -> Granted:
        """Return what a refresh token stands for, and the next one.

        Raises:
            GrantError: `invalid_grant`; when the token was used up long ago, its successors end, too.
        """
        return self._families.rotate(token, client_id, now_s)

    def revoke(self, token: str) -> None:
        """End a refresh token and its successors. Idempotent."""
        self._families.drop_of(token)

    def _begin(self, subject: str, client_id: str, nonce: str, now_s: float) -> tuple[Granted, str]:
        family, token = self._families.begin(subject, client_id, now_s)
        return Granted(subject=subject, client_id=client_id, nonce=nonce, refresh_token=token), family

    def _forget(self, now_s: float) -> None:
        """Drop what has ended. A device is kept a while longer, so that it is told so."""
        self._wishes = {name: kept for name, kept in self._wishes.items() if kept.expires_s > now_s}
        self._codes = {code: kept for code, kept in self._codes.items() if kept.expires_s > now_s}
        self._devices = {code: kept for code, kept in self._devices.items() if kept.expires_s + DEVICE_S > now_s}


_SCHEMA = """
CREATE TABLE IF NOT EXISTS refresh (
  hash TEXT PRIMARY KEY, family TEXT NOT NULL, subject TEXT NOT NULL, client_id TEXT NOT NULL,
  expires_s REAL NOT NULL, used_s REAL
) STRICT
"""


class _Families:
    """Refresh tokens: those of a family descend from one sign-in, and each is good for one use."""

    def __init__(self, file: Path) -> None:
        file.touch(mode=0o600)
        self._connection = sqlite3.connect(file, isolation_level=None, timeout=5.0, check_same_thread=False)
        self._connection.execute(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def begin(self, subject: str, client_id: str, now_s: float) -> tuple[str, str]:
        self._connection.execute("DELETE FROM refresh WHERE expires_s <= ?", (now_s,))
        family = secrets.token_urlsafe(18)
        return family, self._add(family, subject, client_id, now_s)

    def rotate(self, token: str, client_id: str, now_s: float) -> Granted:
        self._connection.execute("BEGIN IMMEDIATE")  # two that use it at once come one after the other
        try:
            row = self._connection.execute(
                "SELECT family, subject, used_s FROM refresh WHERE hash = ? AND client_id = ? AND expires_s > ?",
                (_hash(token), client_id, now_s),
            ).fetchone()
            if row is None:
                raise GrantError("invalid_grant")
            family, subject, used_s = row
            if used_s is not None and now_s - used_s > LEEWAY_S:
                self.drop(family)
                raise GrantError("invalid_grant")
            self._connection.execute(
                "UPDATE refresh SET used_s = coalesce(used_s, ?) WHERE hash = ?", (now_s, _hash(token))
            )
            successor = self._add(family, subject, client_id, now_s)
        finally:
            self._connection.execute("COMMIT")
        return Granted(subject=subject, client_id=client_id, refresh_token=successor)

    def drop(self, family: str) -> None:
        self._connection.execute("DELETE FROM refresh WHERE family = ?", (family,))

    def drop_of(self, token: str) -> None:
        self._connection.execute(
            "DELETE FROM refresh WHERE family = (SELECT family FROM refresh WHERE hash = ?)", (_hash(token),)
        )

    def _add(self, family: str, subject: str, client_id: str, now_s: float) -> str:
        token = secrets.token_urlsafe(48)
        self._connection.execute(
            "INSERT INTO refresh VALUES (?, ?, ?, ?, ?, NULL)",
            (_hash(token), family, subject, client_id, now_s + REFRESH_S),
        )
        return token


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
