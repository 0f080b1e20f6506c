"""Tokens for a link to the gateway: when they are renewed, and those that nobody can renew."""

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.transport.gateway_token import AccessToken, GivenToken


@pytest.mark.parametrize(
    ("life_s", "renew_after_s"), [(3600, 3300), (86_400, 86_100), (600, 540), (60, 54), (0, 0), (-5, -5)]
)
def test_a_token_is_renewed_five_minutes_before_its_end_or_at_nine_tenths(life_s: float, renew_after_s: float) -> None:
    token = AccessToken(value="secret", begins_at_s=1000.0, expires_at_s=1000.0 + life_s)
    assert token.renew_at_s == pytest.approx(1000.0 + renew_after_s)
    assert "secret" not in repr(token)


def test_a_token_whose_end_nobody_knows_is_not_renewed_in_time() -> None:
    assert AccessToken(value="secret", begins_at_s=1000.0, expires_at_s=None).renew_at_s is None


async def test_where_none_is_given_nobody_is_signed_in() -> None:
    with pytest.raises(KnownError) as raised:
        await GivenToken("").token()
    assert raised.value.reason is Reason.NO_CREDENTIALS


async def test_a_given_token_is_good_until_it_is_refused() -> None:
    source = GivenToken("secret")
    source.refused("another")
    assert await source.token() == "secret"
    assert [token async for token in source.renewals()] == []
    source.refused("secret")
    with pytest.raises(KnownError) as raised:
        await source.token()
    assert raised.value.reason is Reason.CREDENTIALS_EXPIRED
    assert "secret" not in str(raised.value)
