"""What a fault of the remote session store means to a person."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from novadesk import permission
from novadesk.errors import KnownError, Reason
from novadesk.store.remoteclient import ClientFault

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_CHECK_RIGHTS = (
    "Give your AWS identity the bedrock session permissions; conversations stay on this computer until then."
)
_WAIT = "Nothing to do: NovaDesk tries again by itself, and conversations are safe on this computer."


class Gone(KnownError):
    """What was asked for does not exist."""


class Conflict(KnownError):
    """An id is taken, or the session takes no changes."""


def translated[T](work: Callable[[], T]) -> T:
    """Run `work`; what boto3 raises becomes a `KnownError`."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return work()
    except ClientError as error:
        known, name = _refused(error), str(error.response.get("Error", {}).get("Code"))
    except BotoCoreError as error:
        known, name = _failed(error), type(error).__name__
    except (ResponseParserError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        known = unreachable("The remote session store gave an unusable answer.")  # What parsing nonsense raises.
        name = type(error).__name__
    raise known from ClientFault(name)  # Outside the handlers, or the original would stay on as the context.


def _refused(error: "ClientError") -> KnownError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    match code:
        case "ConflictException":
            return Conflict(Reason.SYNC_CONFLICT, "The remote session store has this id already.", _WAIT)
        case "ResourceNotFoundException":
            return Gone(Reason.SYNC_SESSION_CLOSED, "The remote session is gone.", "NovaDesk starts a new one.")
        case "ThrottlingException" | "TooManyRequestsException":
            return KnownError(Reason.THROTTLED, "The remote session store asks to slow down.", _WAIT)
        case "ServiceQuotaExceededException":
            return KnownError(Reason.QUOTA, "A quota of the remote session store is used up.", _WAIT)
        case "ExpiredTokenException" | "ExpiredToken":
            return KnownError(
                Reason.CREDENTIALS_EXPIRED,
                "Your AWS credentials have expired.",
                "Sign in again, for example with `aws sso login`.",
            )
        case "ValidationException":
            return KnownError(
                Reason.BAD_REQUEST, "The remote session store refuses the request.", "Report this to the makers."
            )
    if status in (401, 403):
        told = permission.advice(error.response.get("Error", {}).get("Message", ""), _CHECK_RIGHTS)
        return KnownError(Reason.SYNC_DENIED, "You have no access to the remote session store.", told)
    return KnownError(Reason.UNAVAILABLE, "The remote session store has a fault of its own.", _WAIT)


def _failed(error: "BotoCoreError") -> KnownError:
    from botocore import exceptions

    match error:
        case exceptions.SSLError():
            return KnownError(
                Reason.TLS_REFUSED,
                "The remote session store shows a certificate that is not trusted.",
                "Set [backend] ca_bundle to your organisation's certificates.",
            )
        case exceptions.ProxyConnectionError():
            return KnownError(Reason.PROXY_REFUSED, "The proxy refuses the connection.", "Check HTTPS_PROXY.")
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return KnownError(Reason.NO_CREDENTIALS, "There are no AWS credentials.", "Sign in to AWS.")
        case exceptions.ParamValidationError():
            return KnownError(
                Reason.BAD_REQUEST, "The remote session store would refuse the request.", "Report this to the makers."
            )
    return unreachable("The remote session store cannot be reached.")


def unreachable(what: str) -> KnownError:
    """Return the error of a store that gives no answer to go by."""
    return KnownError(Reason.SYNC_UNREACHABLE, what, _WAIT)
