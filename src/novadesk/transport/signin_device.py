"""Signing in with a code that the person enters elsewhere (RFC 8628)."""

import asyncio
from collections.abc import Callable

from novadesk.errors import KnownError, Reason
from novadesk.models import DeviceCode
from novadesk.text import Text
from novadesk.transport.signin_browser import refused
from novadesk.transport.signin_http import SignInHttp, failed, safe_endpoint
from novadesk.transport.signin_provider import Provider, Rejected, Tokens, redeem

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S = 5.0  # RFC 8628, section 3.2: where none is given
_SLOWER_S = 5.0  # section 3.5
_LONGEST_S = 1800.0


async def sign_in_with_code(
    http: SignInHttp, provider: Provider, show: Callable[[DeviceCode], None], *, unix_s: Callable[[], float]
) -> Tokens:
    """Show a code, and wait until the person has entered it; return what that gave.

    Args:
        http: asks.
        provider: has the endpoints.
        show: takes code and address; must return at once.
        unix_s: returns Unix seconds.

    Raises:
        KnownError: `SIGN_IN_FAILED`: refused, or too late.
    """
    if not provider.device:
        raise failed(Text("This sign-in service has no codes to enter elsewhere."), Text("Sign in with the browser."))
    terms = provider.terms
    status, found = await http.post(
        provider.device, {**terms.parameters, "client_id": terms.client_id, "scope": terms.scope}
    )
    code, shown, address = (found.get(name) for name in ("device_code", "user_code", "verification_uri"))
    if status != 200 or not (isinstance(code, str) and isinstance(shown, str) and isinstance(address, str)):
        error = found.get("error")
        raise refused(error if isinstance(error, str) else "invalid_response")
    complete = found.get("verification_uri_complete")
    complete = complete if isinstance(complete, str) else address
    for shown_address in (address, complete):
        safe_endpoint(shown_address)
    life_s = min(_seconds(found.get("expires_in"), _LONGEST_S), _LONGEST_S)
    interval_s = _seconds(found.get("interval"), _INTERVAL_S)
    show(DeviceCode(code=shown, address=address, whole_address=complete, life_s=life_s))
    try:
        async with asyncio.timeout(life_s):
            return await _wait(http, provider, code, interval_s, unix_s)
    except TimeoutError as error:
        raise _too_late() from error


async def _wait(
    http: SignInHttp, provider: Provider, code: str, interval_s: float, unix_s: Callable[[], float]
) -> Tokens:
    while True:
        await asyncio.sleep(interval_s)
        try:
            return await redeem(http, provider, {"grant_type": _GRANT, "device_code": code}, now_s=unix_s())
        except Rejected as rejected:
            match rejected.error:
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval_s += _SLOWER_S
                case "expired_token":
                    raise _too_late() from rejected
                case error:
                    raise refused(error) from rejected
        except KnownError as error:
            # Section 3.5: after a connection that timed out, ask half as often.
            if error.reason not in (Reason.UNREACHABLE, Reason.TIMED_OUT, Reason.UNAVAILABLE):
                raise
            interval_s *= 2


def _too_late() -> KnownError:
    return failed(Text("Nobody entered the code in time."), Text("Try again."))


def _seconds(value: object, usual_s: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6
    return float(value) if good and isinstance(value, int | float) else usual_s
