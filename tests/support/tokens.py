"""Tokens to test the gateway's sign-in with: keys of an issuer, and whatever may be signed with them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example/pool"
AUDIENCE = "novadesk-gateway"
NOW_S = 1_800_000_000.0

_READERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of the issuer."""

    key_id: str
    algorithm: str
    private: Any

    @property
    def public_jwk(self) -> dict[str, Any]:
        """Return what the JWKS says of it."""
        members = json.loads(_READERS[self.algorithm].to_jwk(self.private.public_key()))
        return {**members, "kid": self.key_id, "alg": self.algorithm, "use": "sig"}


def make_key(algorithm: str, key_id: str) -> SigningKey:
    """Return a new key."""
    private: Any
    if algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return SigningKey(key_id=key_id, algorithm=algorithm, private=private)


def jwks(*keys: SigningKey) -> bytes:
    """Return the document of keys."""
    return json.dumps({"keys": [key.public_jwk for key in keys]}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims, changed; a claim given as None is left out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": int(NOW_S) - 10,
        "nbf": int(NOW_S) - 10,
        "exp": int(NOW_S) + 600,
        "jti": "token-1",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(key: SigningKey, content: Mapping[str, Any] | None = None, **header: Any) -> str:
    """Return a signed token; a header member given as None is left out."""
    names = {"kid": key.key_id, "typ": "at+jwt"} | header
    return by_hand(key, {"alg": key.algorithm, **names}, claims() if content is None else content)


def by_hand(key: SigningKey, header: Mapping[str, Any] | str, content: object) -> str:
    """Return a token with a header and claims that no library would write; texts are taken as they are."""
    if not isinstance(header, str):
        header = json.dumps({name: value for name, value in header.items() if value is not None})
    body = content if isinstance(content, str) else json.dumps(content)
    signed = f"{encode(header.encode())}.{encode(body.encode())}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{signed}.{encode(algorithm.sign(signed.encode(), key.private))}"


def encode(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
