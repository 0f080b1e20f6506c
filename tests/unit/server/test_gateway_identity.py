"""Who is let into the gateway: good tokens of all kinds, and every bad one refused."""

import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.server.gateway.identity import SUBPROTOCOL, Identity, Refused, Verifier, bearer
from novadesk.server.gateway.keyset import KeySet, KeysUnavailable
from tests.support.leaks import LogWatch
from tests.support.tokens import AUDIENCE, ISSUER, NOW_S, SigningKey, by_hand, claims, encode, jwks, make_key, sign

RSA = make_key("RS256", "rsa-1")
EC = make_key("ES256", "ec-1")
ED = make_key("EdDSA", "ed-1")
STRANGER = make_key("ES256", "ec-1")


def make_verifier(*keys: SigningKey, audiences: tuple[str, ...] = (AUDIENCE,)) -> Verifier:
    async def fetch(address: str) -> bytes:
        assert address == "https://issuer.example/keys"
        return jwks(*keys)

    found = KeySet(issuer=ISSUER, keys_url="https://issuer.example/keys", fetch=fetch)
    return Verifier(found, issuer=ISSUER, audiences=audiences)


async def refusal(token: str, *, now_s: float = NOW_S) -> Refused:
    with pytest.raises(Refused) as raised:
        await make_verifier(RSA, EC, ED).verify(token, now_s=now_s)
    for part in token.split("."):
        assert len(part) < 4 or part not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=lambda key: key.algorithm)
async def test_a_good_token_names_its_person(key: SigningKey) -> None:
    found = await make_verifier(RSA, EC, ED).verify(sign(key), now_s=NOW_S)
    assert found == Identity(subject="alice", expires_at_s=NOW_S + 600, token_id=found.token_id)
    again = await make_verifier(RSA, EC, ED).verify(sign(key, claims(exp=NOW_S + 700)), now_s=NOW_S)
    other = await make_verifier(RSA, EC, ED).verify(sign(key, claims(jti="token-2")), now_s=NOW_S)
    assert again.token_id == found.token_id != other.token_id
    assert "alice" not in repr(found)


@pytest.mark.parametrize(
    "content",
    [
        claims(aud=["somebody", AUDIENCE]),
        claims(nbf=None, iat=None, jti=None),
        claims(exp=NOW_S + 0.5, iat=NOW_S - 0.5),
        claims(nbf=NOW_S + 59, iat=NOW_S + 59),
        claims(exp=NOW_S - 59),
        claims(aud=None, client_id=AUDIENCE, token_use="access"),
    ],
    ids=[
        "one of several audiences",
        "no times but the end",
        "broken seconds",
        "clock behind",
        "clock ahead",
        "cognito",
    ],
)
async def test_what_else_is_good(content: dict[str, Any]) -> None:
    assert (await make_verifier(EC).verify(sign(EC, content), now_s=NOW_S)).subject == "alice"


async def test_the_only_key_needs_no_name_and_one_of_two_does() -> None:
    token = sign(EC, kid=None)
    assert (await make_verifier(RSA, EC).verify(token, now_s=NOW_S)).subject == "alice"
    with pytest.raises(Refused):
        await make_verifier(EC, make_key("ES256", "ec-2")).verify(token, now_s=NOW_S)


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "other issuer": claims(iss="https://issuer.example/other"),
    "issuer with a slash more": claims(iss=f"{ISSUER}/"),
    "no issuer": claims(iss=None),
    "issuer is a list": claims(iss=[ISSUER]),
    "other audience": claims(aud="somebody"),
    "no audience": claims(aud=None),
    "empty audience": claims(aud=[]),
    "audience within an object": claims(aud={AUDIENCE: True}),
    "client_id without token_use": claims(aud=None, client_id=AUDIENCE),
    "client_id beside another audience": claims(aud="somebody", client_id=AUDIENCE, token_use="access"),
    "cognito's ID token": claims(token_use="id"),
    "token_use is no text": claims(token_use=["access"]),
    "never expires": claims(exp=None),
    "expires in a text": claims(exp=str(NOW_S + 600)),
    "expires true": claims(exp=True),
    "expires beyond all numbers": claims(exp=10**400),
    "not valid yet": claims(nbf=NOW_S + 61),
    "issued tomorrow": claims(iat=NOW_S + 86_400),
    "begins in a list": claims(nbf=[1]),
    "nobody": claims(sub=None),
    "empty name": claims(sub=""),
    "name is a number": claims(sub=7),
    "name with a line end": claims(sub="alice\r\nX-Admin: yes"),
    "endless name": claims(sub="a" * 256),
}


@pytest.mark.parametrize("content", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
async def test_claims_that_do_not_fit_are_refused(content: dict[str, Any]) -> None:
    assert (await refusal(sign(EC, content))).code == "UNAUTHORIZED"


@pytest.mark.parametrize("late_s", [60, 3600, 10**9])
async def test_an_expired_token_is_told_apart(late_s: float) -> None:
    assert (await refusal(sign(EC, claims(exp=NOW_S)), now_s=NOW_S + late_s)).code == "TOKEN_EXPIRED"


def public_key_as_secret() -> str:
    """Return a token whose HMAC has the issuer's public key for a secret: the classic confusion of algorithms."""
    secret = RSA.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{encode(json.dumps({'alg': 'HS256', 'kid': 'rsa-1'}).encode())}.{encode(json.dumps(claims()).encode())}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _head(**changes: Any) -> dict[str, Any]:
    return {"alg": "ES256", "kid": "ec-1", **changes}


GOOD = sign(EC)
BAD_TOKENS: dict[str, str] = {
    "empty": "",
    "only dots": "..",
    "two parts": GOOD.rsplit(".", 1)[0],
    "no signature": GOOD.rsplit(".", 1)[0] + ".",
    "four parts": GOOD + ".x",
    "none": f"{encode(json.dumps({'alg': 'none'}).encode())}.{GOOD.split('.')[1]}.",
    "none, signed": by_hand(EC, _head(alg="none"), claims()),
    "None in capitals": by_hand(EC, _head(alg="NONE"), claims()),
    "HS256 with the public key": public_key_as_secret(),
    "no algorithm": by_hand(EC, {"kid": "ec-1"}, claims()),
    "algorithm is a list": by_hand(EC, _head(alg=["ES256"]), claims()),
    "algorithm of another kind of key": by_hand(EC, _head(alg="RS256", kid="rsa-1"), claims()),
    "algorithm not allowed": by_hand(EC, _head(alg="ES384"), claims()),
    "key of another kind under the name": by_hand(EC, _head(kid="rsa-1"), claims()),
    "forged": sign(STRANGER),
    "unknown key": sign(EC, kid="ec-9"),
    "name of the key is a number": sign(EC, kid=1),
    "key in the header": sign(STRANGER, jwk=STRANGER.public_jwk),
    "keys elsewhere": sign(STRANGER, kid="evil", jku="https://evil.example/keys", x5u="https://evil.example/x"),
    "something critical": sign(EC, crit=["exp"]),
    "critical nothing": sign(EC, crit=[]),
    "payload not encoded": sign(EC, b64=False),
    "another kind": sign(EC, typ="logout+jwt"),
    "kind is no text": sign(EC, typ=1),
    "a header member twice": by_hand(EC, '{"alg":"ES256","kid":"ec-1","alg":"ES256"}', claims()),
    "a claim twice": by_hand(EC, _head(), json.dumps(claims())[:-1] + ',"sub":"bob"}'),
    "no JSON": by_hand(EC, _head(), "alice"),
    "claims are a list": by_hand(EC, _head(), [claims()]),
    "a time that is none": by_hand(EC, _head(), json.dumps(claims()).replace(str(int(NOW_S) + 600), "Infinity")),
    "header is a list": by_hand(EC, "[]", claims()),
    "header nested deep": by_hand(EC, "[" * 5000, claims()),
    "header is not UTF-8": f"{encode(bytes([0xFF]))}.{GOOD.split('.', 1)[1]}",
    "huge": sign(EC, claims(extra="x" * 8192)),
    "padded": GOOD + "=",
    "something between": GOOD[:-3] + "!" + GOOD[-3:],
    "white space": f" {GOOD}",
    "a line end": f"{GOOD}\n",
    "not ASCII": GOOD.replace(".", "．", 1),
    "a NUL": GOOD + "\x00",
}  # fmt: skip


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_tokens_that_are_not_good_are_refused(token: str) -> None:
    assert (await refusal(token)).code == "UNAUTHORIZED"


async def test_without_keys_nobody_is_let_in_and_told_so(expected_logs: LogWatch) -> None:
    expected_logs.allow("were not renewed")

    async def fetch(_: str) -> bytes:
        raise KeysUnavailable("The sign-in service answered 500.")

    keys = KeySet(issuer=ISSUER, keys_url="https://issuer.example/keys", fetch=fetch)
    with pytest.raises(Refused) as raised:
        await Verifier(keys, issuer=ISSUER, audiences=[AUDIENCE]).verify(GOOD, now_s=NOW_S)
    assert raised.value.code == "UPSTREAM_FAILED"


@settings(max_examples=300)
@given(data=st.data())
async def test_a_mangled_token_is_always_refused(data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(GOOD) - 1))
    length = data.draw(st.integers(0, 40))
    between = data.draw(st.text(max_size=40) | st.text(alphabet="ABCdef012-_.=", max_size=40))
    mangled = GOOD[:begin] + between + GOOD[begin + length :]
    if mangled != GOOD:
        await refusal(mangled)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jku"]), _JSON, max_size=4),
    content=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "token_use"]), _JSON),
)
async def test_whatever_a_signed_token_says_it_is_taken_or_refused(
    header: dict[str, Any], content: dict[str, Any]
) -> None:
    token = by_hand(EC, _head() | header, claims() | content)
    try:
        found = await make_verifier(RSA, EC, ED).verify(token, now_s=NOW_S)
    except Refused:
        return
    assert found.subject == (claims() | content)["sub"]
    assert found.expires_at_s + 60 > NOW_S


class TestBearer:
    def test_a_token_comes_in_the_header_or_as_the_second_subprotocol(self) -> None:
        assert bearer(["Bearer a.b.c"]) == bearer(["bearer  a.b.c"]) == "a.b.c"
        assert bearer([], [SUBPROTOCOL, "a.b.c"]) == "a.b.c"

    @pytest.mark.parametrize(
        ("headers", "offered"),
        [
            ([], []),
            (["Bearer a.b.c", "Bearer a.b.c"], []),
            (["Bearer a.b.c"], [SUBPROTOCOL, "a.b.c"]),
            ([], [SUBPROTOCOL]),
            ([], [SUBPROTOCOL, "a.b.c", "d.e.f"]),
            ([], ["a.b.c"]),
            (["Basic YTpi"], []),
            (["Bearer"], []),
            (["Bearer  "], []),
        ],
    )
    def test_none_or_more_than_one_is_refused(self, headers: list[str], offered: list[str]) -> None:
        with pytest.raises(Refused):
            bearer(headers, offered)
