"""What is not done for somebody, as an answer over HTTP: of every address, also of one where there is nothing."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from novadesk.protocol.envelope_values import ErrorCode
from novadesk.server.gateway.denial import Denied

_STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.MESSAGE_TOO_LARGE: 413,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.SESSION_NOT_FOUND: 404,
    ErrorCode.SESSION_TAKEN: 409,
    ErrorCode.SESSION_LIMIT: 429,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.UPSTREAM_FAILED: 503,
    ErrorCode.DRAINING: 503,
    ErrorCode.INTERNAL_ERROR: 500,
}
"""HTTP status of each code; 400 for what is not there."""

_CHALLENGE = "Bearer"
"""What a 401 has to say, RFC 6750, section 3."""


def refusal(denied: Denied, *, status: int | None = None) -> web.Response:
    """Return the answer to a request that is not carried out.

    Args:
        denied: why.
        status: of HTTP, where the code alone does not say it.
    """
    content = {"error": denied.message, "code": denied.code.value, "advice": denied.advice}
    answer = web.json_response(content, status=status or _STATUS.get(denied.code, 400))
    if denied.retry_after_s is not None:
        answer.headers["Retry-After"] = str(denied.retry_after_s)
    if answer.status == 401:
        answer.headers["WWW-Authenticate"] = _CHALLENGE
    return answer


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no address answers in the form of every refusal. The preflight alone is no address."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = sorted(error.allowed_methods - {"OPTIONS"})
        if not allowed:
            return refusal(_NOTHING, status=404)
        words = Denied(ErrorCode.INVALID_ACTION, f"This address takes {' and '.join(allowed)} only.", _DESCRIBED)
        answer = refusal(words, status=405)
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return answer
    except web.HTTPNotFound:
        return refusal(_NOTHING, status=404)


_DESCRIBED = "The addresses are in docs/gateway-openapi.yaml."
_NOTHING = Denied(ErrorCode.INVALID_ACTION, "There is nothing at this address.", _DESCRIBED)
