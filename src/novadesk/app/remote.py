"""Where the remote session store is and with which credentials, for each backend."""

from collections.abc import Awaitable, Callable
from typing import Any

from novadesk.config import Settings
from novadesk.models import BackendKind
from novadesk.store.remoteclient import AccessSource, RemoteAccess
from novadesk.text import Text
from novadesk.transport.credentials import ProfileCredentials
from novadesk.transport.endpoint import parse_endpoint

_ADVICE = Text(
    "Set AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME or [backend] agent_runtime_endpoint to https://HOST, or leave it empty."
)


def make_access(settings: Settings, practice: Callable[[], Awaitable[dict[str, Any]]]) -> AccessSource:
    """Return how to reach the session store that belongs to the chosen backend.

    What is returned raises `KnownError` (`BAD_SETTINGS`) for an unencrypted address of another computer.
    """
    backend = settings.backend
    credentials = ProfileCredentials(backend.profile)

    async def of_practice() -> RemoteAccess:
        address = await practice()
        return RemoteAccess(
            access_key_id=address["access_key_id"],
            secret_access_key=address["secret_access_key"],
            region=address["region"],
            endpoint=address["agent_runtime"],
        )

    async def of_bedrock() -> RemoteAccess:
        named = backend.agent_runtime_endpoint
        endpoint = parse_endpoint(named, _ADVICE).uri if named else ""
        frozen = await credentials.freeze()
        return RemoteAccess(
            access_key_id=frozen.access_key_id,
            secret_access_key=frozen.secret_access_key,
            session_token=frozen.session_token,
            region=backend.region,
            endpoint=endpoint,
            ca_bundle=backend.ca_bundle,
        )

    return of_practice if backend.kind is BackendKind.PRACTICE else of_bedrock
