"""What a link to the gateway shows who is speaking with: an access token, renewed before it ends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from novadesk.errors import KnownError, Reason

TOKEN_VARIABLE = "NOVADESK_GATEWAY_TOKEN"
"""A token for programs without a person; it is not renewed."""

EARLY_S = 300.0
EARLY_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token and its life in Unix seconds; `expires_at_s` is None where it is not known."""

    value: str = field(repr=False)
    begins_at_s: float
    expires_at_s: float | None

    @property
    def renew_at_s(self) -> float | None:
        """Return when to have the next one: 5 minutes before the end, of a short life a tenth of it."""
        if self.expires_at_s is None:
            return None
        early_s = min(EARLY_S, EARLY_SHARE * (self.expires_at_s - self.begins_at_s))
        return self.expires_at_s - max(early_s, 0.0)


class TokenSource(Protocol):
    """Where a link has its tokens from."""

    async def token(self) -> str:
        """Return a token that is good for a while yet; many may ask at once.

        Raises:
            KnownError: `NO_CREDENTIALS` when nobody is signed in, `CREDENTIALS_EXPIRED` when the person has to sign in
                again, `KEYRING_…`, or why the sign-in service cannot be reached.
        """
        ...

    def renewals(self) -> AsyncIterator[str]:
        """Yield each token that is newer than what `token` gave last, as soon as there is one; it raises nothing.

        A link that iterates over it in a task of its own sends each as `refreshToken`. Where no newer token can be had
        it goes on trying while the old one lives.
        """
        ...

    def refused(self, token: str) -> None:
        """Take note that the gateway does not accept this token: the next `token()` is another one."""
        ...


class GivenToken:
    """A token from elsewhere, which nobody here can renew."""

    def __init__(self, value: str) -> None:
        self._value, self._had = value, bool(value)

    async def token(self) -> str:
        """Return the token.

        Raises:
            KnownError: `NO_CREDENTIALS` for an empty one, `CREDENTIALS_EXPIRED` once the gateway has refused it.
        """
        if not self._value and not self._had:
            raise not_signed_in()
        if not self._value:
            raise KnownError(
                Reason.CREDENTIALS_EXPIRED,
                "The gateway does not accept the token that was given.",
                "Set {variable} to a new one, or run `novadesk gateway login`.",
                variable=TOKEN_VARIABLE,
            )
        return self._value

    async def renewals(self) -> AsyncIterator[str]:
        """Yield nothing."""
        return
        yield

    def refused(self, token: str) -> None:
        """Hand this token out no more."""
        if token == self._value:
            self._value = ""


def not_signed_in() -> KnownError:
    """Return the error for a gateway that nobody has signed in to."""
    return KnownError(
        Reason.NO_CREDENTIALS,
        "You are not signed in to the gateway.",
        "Sign in to it in the settings, or run `novadesk gateway login`.",
    )
