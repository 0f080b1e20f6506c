import threading

import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordDeleteError, PasswordSetError

from novadesk.desktop.keychain import Keychain
from novadesk.errors import BugError, KnownError, Reason


class Ring(keyring.backends.null.Keyring):
    """A keyring in memory that can fail or block as told."""

    priority = -1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def _meet(self) -> None:
        self.gate.wait(30)
        if self.failure is not None:
            raise self.failure

    def get_password(self, service: str, username: str) -> str | None:
        self._meet()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._meet()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._meet()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")


class KeychainDenied(Exception):
    """As keyring's API of macOS raises it when the person chooses Deny."""


class SecAuthFailure(Exception):
    """As keyring's API of macOS raises it for a program that is not trusted."""


class DBusErrorResponse(Exception):
    """As jeepney raises it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class WindowsError(Exception):
    """As pywin32 raises it."""

    def __init__(self, winerror: int) -> None:
        super().__init__(winerror)
        self.winerror = winerror


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.fixture
def ring() -> Ring:
    return Ring()


def chain(ring: KeyringBackend, deadline_s: float = 5.0) -> Keychain:
    return Keychain("novadesk-test", deadline_s=deadline_s, find_backend=lambda: ring)


async def test_what_is_set_is_got_until_deleted(ring: Ring) -> None:
    keychain = chain(ring)
    assert await keychain.get("a") is None
    await keychain.set("a", "wört")
    assert ring.kept == {("novadesk-test", "a"): "wört"}
    assert await keychain.get("a") == "wört"
    await keychain.delete("a")
    await keychain.delete("a")
    assert await keychain.get("a") is None


async def test_values_past_the_smallest_platforms_limit_are_a_bug(ring: Ring) -> None:
    await chain(ring).set("a", "x" * 1280)
    with pytest.raises(BugError):
        await chain(ring).set("a", "x" * 1281)
    with pytest.raises(BugError):
        await chain(ring).set("a", "🎤" * 641)
    assert ring.kept["novadesk-test", "a"] == "x" * 1280


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (NoKeyringError("none"), Reason.KEYRING_ABSENT),
        (KeyringLocked("locked"), Reason.KEYRING_LOCKED),
        (InitError("dismissed"), Reason.KEYRING_LOCKED),
        (OSError("secret-value-in-text"), Reason.KEYRING_ABSENT),
        (RuntimeError("anything"), Reason.KEYRING_ABSENT),
        (PasswordSetError("no room"), Reason.KEYRING_ABSENT),
        (caused(KeyringLocked("denied"), KeychainDenied(-128)), Reason.KEYRING_DENIED),
        (caused(PasswordSetError("denied"), SecAuthFailure(-25293)), Reason.KEYRING_DENIED),
        (DBusErrorResponse("org.freedesktop.DBus.Error.AccessDenied"), Reason.KEYRING_DENIED),
        (DBusErrorResponse("org.freedesktop.DBus.Error.NoReply"), Reason.KEYRING_ABSENT),
        (caused(NoKeyringError("no bus"), PermissionError(13, "refused")), Reason.KEYRING_DENIED),
        (WindowsError(5), Reason.KEYRING_DENIED),
        (WindowsError(1168), Reason.KEYRING_ABSENT),
    ],
)
async def test_every_failure_has_its_reason(ring: Ring, failure: Exception, reason: Reason) -> None:
    ring.failure = failure
    for call in (chain(ring).get("a"), chain(ring).set("a", "b"), chain(ring).delete("a")):
        with pytest.raises(KnownError) as caught:
            await call
        assert caught.value.reason is reason
        assert "secret-value" not in str(caught.value)


async def test_a_stuck_keyring_is_given_up_and_left_alone_until_it_returns(ring: Ring) -> None:
    keychain = chain(ring, deadline_s=0.1)
    ring.gate.clear()
    with pytest.raises(KnownError) as caught:
        await keychain.set("a", "b")
    assert caught.value.reason is Reason.KEYRING_TIMED_OUT
    stuck = [thread for thread in threading.enumerate() if thread.name == "novadesk-keyring"]
    assert [thread.daemon for thread in stuck] == [True]
    for _ in range(3):
        with pytest.raises(KnownError) as caught:
            await keychain.get("a")
        assert caught.value.reason is Reason.KEYRING_TIMED_OUT
    assert len([thread for thread in threading.enumerate() if thread.name == "novadesk-keyring"]) == 1
    ring.gate.set()
    stuck[0].join(10)
    assert await keychain.get("a") == "b", "the answer to the password came late, and counts"
