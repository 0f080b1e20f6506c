"""The few HTTP questions of a sign-in: small JSON documents over TLS, in full or not at all, redirected never."""

import json
import os
from collections.abc import Mapping
from typing import Any

from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.transport.endpoint import Endpoint
from novadesk.transport.https import Answer, Https, TooMuch, find_endpoint

_MAX_BYTES = 256 * 1024
_ASK_HELP = "Ask the people who run the gateway."
_WANTED = {"Accept": "application/json"}


class SignInHttp:
    """Asks gateway and sign-in service.

    Args:
        ca_bundle: PEM file trusted besides the system's store, or empty.
        environment: names the proxy.
        timeout_s: longest time for one question, in seconds.
    """

    def __init__(
        self, *, ca_bundle: str = "", environment: Mapping[str, str] = os.environ, timeout_s: float = 15.0
    ) -> None:
        self._https = Https(ca_bundle=ca_bundle, environment=environment, timeout_s=timeout_s)

    async def get(self, address: str) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            KnownError: `BAD_SETTINGS` for an address that is not safe, `UNREACHABLE`, `TIMED_OUT`, `TLS_REFUSED`,
                `PROXY_REFUSED`, or `SIGN_IN_FAILED` for an answer that is too long; also from `post`.
        """
        answer = await self._ask("GET", address, None)
        return answer.status, answer.body

    async def post(self, address: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Return status and JSON object; one that is none is empty."""
        answer = await self._ask("POST", address, form)
        return answer.status, json_object(answer.body)

    async def delete(self, address: str, token: str) -> int:
        """Delete something that belongs to the owner of a token; return the status."""
        return (await self._ask("DELETE", address, None, _WANTED | {"Authorization": f"Bearer {token}"})).status

    async def _ask(
        self, method: str, address: str, form: Mapping[str, str] | None, headers: Mapping[str, str] = _WANTED
    ) -> Answer:
        endpoint = safe_endpoint(address)
        try:
            return await self._https.ask(method, address, endpoint, headers=headers, most_bytes=_MAX_BYTES, form=form)
        except TooMuch as error:
            raise failed(Text("The sign-in service answered with too much.")) from error


def safe_endpoint(address: str) -> Endpoint:
    """Return where an https address leads, or an http address of this computer.

    Raises:
        KnownError: `BAD_SETTINGS` for anything else; tokens never leave the computer unencrypted.
    """
    if (endpoint := find_endpoint(address)) is None:
        raise KnownError(
            Reason.BAD_SETTINGS, "The address of the sign-in service is not one of an encrypted server.", _ASK_HELP
        )
    return endpoint


def json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object, an empty one for everything else."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def failed(what: str, advice: str = _ASK_HELP, **values: str) -> KnownError:
    """Return the error for a sign-in that does not work."""
    return KnownError(Reason.SIGN_IN_FAILED, what, advice, **values)
