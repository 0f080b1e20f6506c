"""The keys of one link: found by boto3 as everywhere on this computer, then frozen.

A refresh in mid-stream would change the signatures of the events, so a link keeps the keys that it began with.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenCredentials:
    """Keys that do not change any more; `expires_at_ms` is in Unix milliseconds, None when unknown or never."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at_ms: int | None = None


class CredentialSource(Protocol):
    """Where keys come from."""

    async def freeze(self) -> FrozenCredentials:
        """Return keys for a new link.

        Raises:
            KnownError: `NO_CREDENTIALS`, `CREDENTIALS_EXPIRED`, `UNREACHABLE` or `TIMED_OUT`.
        """
        ...


class StaticCredentials:
    """Keys given once, such as those of the local server."""

    def __init__(self, credentials: FrozenCredentials) -> None:
        self._credentials = credentials

    async def freeze(self) -> FrozenCredentials:
        """Return the keys."""
        return self._credentials


class ProfileCredentials:
    """Keys of an AWS profile or of the environment, in boto3's own order: SSO, roles and processes included.

    Args:
        profile: name of the profile; empty for the environment and the default profile.
        deadline_s: longest wait; finding keys may ask a server or run a program.
        make_session: makes the boto3 session; called on a thread of its own.
    """

    def __init__(
        self, profile: str, *, deadline_s: float = 15.0, make_session: Callable[[str], Any] | None = None
    ) -> None:
        self._profile = profile
        self._deadline_s = deadline_s
        self._make_session = make_session or _make_session
        self._last: DaemonCall[FrozenCredentials] | None = None

    async def freeze(self) -> FrozenCredentials:
        """Return keys for a new link, see `CredentialSource`. After a time-out a later call joins the same search."""
        if self._last is None or not self._last.running:
            self._last = DaemonCall(self._find, name="novadesk-credentials")
        try:
            return await self._last.result(deadline_s=self._deadline_s)
        except TimeoutError as error:
            raise KnownError(
                Reason.TIMED_OUT,
                "The AWS keys were not found within {s} seconds.",
                "Check the network, or the program that your profile gets its keys from.",
                s=self._deadline_s,
            ) from error

    def _find(self) -> FrozenCredentials:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            credentials = self._make_session(self._profile).get_credentials()
            frozen = None if credentials is None else credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise _translate(error, self._profile) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise KnownError(
                Reason.NO_CREDENTIALS,
                "There are no AWS keys on this computer.",
                "Run `aws configure sso` or `aws configure`, or set AWS_PROFILE.",
            )
        # botocore keeps the time to itself; without it the service says so when the keys are over.
        expires = getattr(credentials, "_expiry_time", None)
        return FrozenCredentials(
            access_key_id=frozen.access_key,
            secret_access_key=frozen.secret_key,
            session_token=frozen.token,
            expires_at_ms=None if expires is None else int(expires.timestamp() * 1000),
        )


def expired(profile: str) -> KnownError:
    """Return the error for keys that are over."""
    name = f" --profile {profile}" if profile else ""
    return KnownError(
        Reason.CREDENTIALS_EXPIRED,
        "The AWS keys have expired.",
        "Run `aws sso login{name}`, or renew the keys.",
        name=name,
    )


def _make_session(profile: str) -> Any:
    import boto3

    session = boto3.Session(profile_name=profile or None)
    resolver = session._session.get_component("credential_provider")
    for provider in resolver.providers:
        if hasattr(provider, "_prompter"):
            provider._prompter = _refuse_to_ask  # it would read from a terminal that may not be there
    return session


def _refuse_to_ask(_text: str) -> str:
    from botocore.exceptions import CredentialRetrievalError

    raise CredentialRetrievalError(provider="assume-role", error_msg="a code of the person is needed")


def _translate(error: Exception, profile: str) -> KnownError:
    name = f" --profile {profile}" if profile else ""
    kind = type(error).__name__
    service_code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
    if kind in _EXPIRED or service_code in _EXPIRED_CODES:
        return expired(profile)
    if kind == "ProfileNotFound":
        return KnownError(
            Reason.NO_CREDENTIALS,
            "There is no AWS profile named “{profile}”." if profile else "The AWS profile in use does not exist.",
            "Run `aws configure list-profiles` to see the names, then set AWS_PROFILE or [backend] profile.",
            profile=profile,
        )
    if kind in _NETWORK:
        return KnownError(
            Reason.UNREACHABLE,
            "AWS cannot be reached to renew the keys.",
            "Check the network; NovaDesk tries again by itself.",
        )
    _log.info("AWS keys could not be had: %s %s", kind, service_code)
    if service_code.startswith("AccessDenied"):
        return KnownError(
            Reason.ACCESS_DENIED,
            "AWS does not let this profile take on its role.",
            "Ask whoever manages the account for the permission sts:AssumeRole.",
        )
    return KnownError(
        Reason.NO_CREDENTIALS,
        "The AWS keys could not be had ({code}).",
        "Check them with `aws sts get-caller-identity{name}`.",
        code=service_code or kind,
        name=name,
    )


_EXPIRED = frozenset(
    {"UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError", "LoginTokenLoadError",
     "LoginRefreshRequired", "RefreshUnauthorizedError"}
)  # fmt: skip
_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "UnauthorizedException"})
_NETWORK = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError",
     "ProxyConnectionError", "SSLError", "HTTPClientError"}
)  # fmt: skip
