"""What a gateway says about signing in, so that a person has to know no more than its address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

TERMS_PATH = "/.well-known/novadesk-gateway"
MAX_TERMS_BYTES = 16_384
PARAMETERS = ("audience", "resource")
"""What an issuer may want to be told beyond the standard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTerms:
    """Where a gateway's people sign in.

    Attributes:
        issuer: OpenID Connect issuer; its discovery document names the endpoints.
        client_id: of NovaDesk at that issuer: a public client, without a secret.
        scope: what is asked for, separated by spaces.
        parameters: what else the issuer wants to be told: `audience` or `resource` (RFC 8707), where it does.
        redirects: addresses of this computer that the issuer leads back to, such as "http://localhost:8976/", where it
            wants to know them beforehand, as Amazon Cognito does; else any port will do (RFC 8252, section 7.3).
    """

    issuer: str
    client_id: str
    scope: str = "openid"
    parameters: Mapping[str, str] = field(default_factory=dict)
    redirects: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the terms as the gateway answers them."""
        return json.dumps(
            {
                "issuer": self.issuer,
                "clientId": self.client_id,
                "scope": self.scope,
                "parameters": dict(self.parameters),
                "redirects": list(self.redirects),
            }
        )


def read_terms(document: bytes) -> SignInTerms | None:
    """Return the terms in a gateway's answer, or None when it holds none. What is unknown is passed over."""
    try:
        found = json.loads(document.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    issuer, client_id, scope = (found.get(name) for name in ("issuer", "clientId", "scope"))
    if not all(isinstance(value, str) and value.isprintable() for value in (issuer, client_id, scope)):
        return None
    if not (issuer and client_id and scope):
        return None
    given = found.get("parameters")
    parameters = {
        name: given[name] for name in PARAMETERS if isinstance(given, dict) and isinstance(given.get(name), str)
    }
    listed = found.get("redirects")
    redirects = tuple(entry for entry in listed if isinstance(entry, str)) if isinstance(listed, list) else ()
    return SignInTerms(issuer=issuer, client_id=client_id, scope=scope, parameters=parameters, redirects=redirects)
