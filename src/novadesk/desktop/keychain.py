"""The system's keyring, asked on daemon threads with a time limit: a locked one may block for ever."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from novadesk.daemon import DaemonCall
from novadesk.errors import BugError, KnownError, Reason

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

# Windows: CRED_MAX_CREDENTIAL_BLOB_SIZE is 5 * 512 bytes, and text is stored as UTF-16.
MAX_VALUE_BYTES = 2560
_WINDOWS_ACCESS_DENIED = 5  # ERROR_ACCESS_DENIED
_DEFAULT_COLLECTION = "/org/freedesktop/secrets/aliases/default"


class Keychain:
    """Short secrets of one service name. Calls are made one after the other, on one event loop.

    A locked keyring is never asked for a password by `get`, `set` and `delete` where that can be told in advance;
    `unlock` asks.

    Args:
        service: name under which the keyring files the entries.
        deadline_s: longest wait for one call, in seconds.
        find_backend: returns the keyring to use; called on the thread, so it may be slow.
    """

    def __init__(
        self,
        service: str,
        *,
        deadline_s: float = 5.0,
        find_backend: "Callable[[], KeyringBackend] | None" = None,
    ) -> None:
        self._service = service
        self._deadline_s = deadline_s
        self._find_backend = find_backend or _find_backend
        self._one_at_a_time = asyncio.Lock()
        self._last: DaemonCall[str | None] | None = None

    async def get(self, name: str) -> str | None:
        """Return the value kept under `name`, or None.

        Raises:
            KnownError: `KEYRING_ABSENT`, `KEYRING_LOCKED`, `KEYRING_DENIED` or `KEYRING_TIMED_OUT`; also from the other
                methods.
        """
        return await self._call(lambda ring: ring.get_password(self._service, name))

    async def set(self, name: str, value: str) -> None:
        """Keep `value`, at most 1,280 UTF-16 units, under `name`."""
        if len(value.encode("utf-16-le")) > MAX_VALUE_BYTES:
            raise BugError(f"A keyring value may have {MAX_VALUE_BYTES // 2} characters.")

        def store(ring: "KeyringBackend") -> None:
            ring.set_password(self._service, name, value)

        await self._call(store)

    async def delete(self, name: str) -> None:
        """Forget `name`. Idempotent."""
        await self._call(lambda ring: _delete(ring, self._service, name))

    async def unlock(self, *, deadline_s: float = 120.0) -> None:
        """Let the desktop ask the person for the keyring's password, or for a new one when there is no keyring yet."""
        await self._call(lambda ring: ring.get_password(self._service, "unlock"), deadline_s=deadline_s, ask=True)

    async def _call(
        self, work: "Callable[[KeyringBackend], str | None]", *, deadline_s: float | None = None, ask: bool = False
    ) -> str | None:
        async with self._one_at_a_time:
            if self._last is not None and self._last.running:
                raise _timed_out()
            self._last = DaemonCall(lambda: self._work(work, ask), name="novadesk-keyring")
            try:
                return await self._last.result(deadline_s=deadline_s or self._deadline_s)
            except TimeoutError as error:
                raise _timed_out() from error

    def _work(self, work: "Callable[[KeyringBackend], str | None]", ask: bool) -> str | None:
        try:
            ring = self._find_backend()
            if not ask:
                _refuse_locked(ring)
            return work(ring)
        except KnownError:
            raise
        # Backends let the errors of their own libraries through, which differ by platform.
        except Exception as error:
            raise _translate(error) from error


def _find_backend() -> "KeyringBackend":
    import keyring
    import keyring.backends.fail
    import keyring.core

    ring = keyring.get_keyring()
    if isinstance(ring, keyring.backends.fail.Keyring):
        # The choice is kept from first use: a service that came up since is seen only this way.
        keyring.core.init_backend()
        ring = keyring.get_keyring()
    if isinstance(ring, keyring.backends.fail.Keyring):
        raise _absent("This system has no keyring service running.")
    return ring


def _refuse_locked(ring: "KeyringBackend") -> None:
    """Raise when the keyring is a Secret Service that would have to ask the person for a password."""
    if not sys.platform.startswith("linux") or type(ring).__module__ != "keyring.backends.SecretService":
        return
    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException

    connection = secretstorage.dbus_init()
    try:
        # get_default_collection() would offer to make a keyring; the alias alone asks nobody anything.
        locked = secretstorage.Collection(connection, _DEFAULT_COLLECTION).is_locked()
    except ItemNotFoundException as error:
        raise KnownError(
            Reason.KEYRING_LOCKED,
            "The desktop has no keyring yet.",
            "Choose “Unlock keyring” to make one, or create a default keyring in the desktop's password program.",
        ) from error
    finally:
        connection.close()
    if locked:
        raise _locked()


def _delete(ring: "KeyringBackend", service: str, name: str) -> None:
    from keyring.errors import PasswordDeleteError

    try:
        ring.delete_password(service, name)
    except PasswordDeleteError:
        if ring.get_password(service, name) is not None:
            raise


def _translate(error: Exception) -> KnownError:
    from keyring.errors import InitError, KeyringLocked, NoKeyringError

    kind = type(error).__name__
    if any(_is_denial(cause) for cause in _causes(error)):
        return _denied()
    if isinstance(error, NoKeyringError):
        return _absent("This system has no keyring service running.")
    if isinstance(error, KeyringLocked | InitError) or kind in ("LockedException", "PromptDismissedException"):
        return _locked()
    return _absent(f"The system's keyring failed ({kind}).")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_denial(error: BaseException) -> bool:
    """Tell whether a library of the system says that this program, or this person, may not use the keyring."""
    if type(error).__name__ == "DBusErrorResponse":  # jeepney's
        return getattr(error, "name", "") == "org.freedesktop.DBus.Error.AccessDenied"
    if type(error).__name__ in ("KeychainDenied", "SecAuthFailure"):  # of keyring's API of macOS
        return True
    return isinstance(error, PermissionError) or getattr(error, "winerror", None) == _WINDOWS_ACCESS_DENIED


def _denied() -> KnownError:
    advice = {
        "darwin": "Choose “Always Allow” when the keychain asks, or give NovaDesk access in Keychain Access.",
        "win32": "Let whoever looks after this computer allow you to use Credential Manager.",
    }
    return KnownError(
        Reason.KEYRING_DENIED,
        "The keyring does not let NovaDesk in.",
        advice.get(sys.platform, "Give NovaDesk the right to use the keyring service (org.freedesktop.secrets)."),
    )


def _absent(what: str) -> KnownError:
    return KnownError(
        Reason.KEYRING_ABSENT,
        what,
        "Start the desktop's keyring service; until then conversations are found again on this computer only.",
    )


def _locked() -> KnownError:
    return KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")


def _timed_out() -> KnownError:
    return KnownError(
        Reason.KEYRING_TIMED_OUT,
        "The keyring does not answer.",
        "Look for a window that asks for the keyring's password.",
    )
