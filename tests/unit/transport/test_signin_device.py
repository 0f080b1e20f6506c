"""Signing in with a code: how often the sign-in service is asked, and when that ends (RFC 8628, section 3.5)."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import DeviceCode
from novadesk.protocol.signin import SignInTerms
from novadesk.transport.signin_device import sign_in_with_code
from novadesk.transport.signin_http import SignInHttp
from novadesk.transport.signin_provider import Provider, Tokens
from tests.support.virtual_loop import run_virtually

PROVIDER = Provider(
    terms=SignInTerms(issuer="https://id.example", client_id="novadesk"),
    token="https://id.example/token",
    device="https://id.example/device",
)
LIFE_S = 120.0
TOKENS = (200, {"access_token": "t", "token_type": "Bearer", "expires_in": 60})


class Service:
    """Fits `SignInHttp`: says these answers to the questions for tokens, the last one for ever.

    Attributes:
        asked_s: when it was asked for tokens, in seconds since the code was shown.
    """

    def __init__(self, *answers: object, interval_s: float | None = None) -> None:
        self._answers = list(answers)
        self._interval = {} if interval_s is None else {"interval": interval_s}
        self.asked_s: list[float] = []

    async def post(self, address: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if address == PROVIDER.device:
            code = {"device_code": "d", "user_code": "WDJB", "verification_uri": "https://id.example/activate"}
            return 200, {**code, "expires_in": LIFE_S, **self._interval}
        assert (form["device_code"], form["client_id"]) == ("d", "novadesk")
        self.asked_s.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        match answer:
            case KnownError():
                raise answer
            case str():
                return 400, {"error": answer}
            case _:
                return cast("tuple[int, dict[str, Any]]", answer)


def sign_in(service: Service) -> Tokens:
    shown: list[DeviceCode] = []
    tokens = run_virtually(
        sign_in_with_code(cast("SignInHttp", service), PROVIDER, shown.append, unix_s=lambda: 1_800_000_000.0)
    )
    assert [code.code for code in shown] == ["WDJB"]
    return tokens


def test_it_is_asked_every_five_seconds_where_the_service_names_no_time() -> None:
    service = Service("authorization_pending", "authorization_pending", TOKENS)
    assert sign_in(service).access.value == "t"
    assert service.asked_s == [5.0, 10.0, 15.0]


def test_who_is_told_to_slow_down_asks_five_seconds_later_from_then_on() -> None:
    service = Service("slow_down", "authorization_pending", "slow_down", TOKENS, interval_s=2.0)
    sign_in(service)
    assert service.asked_s == [2.0, 9.0, 16.0, 28.0]


def test_after_a_question_without_an_answer_it_asks_half_as_often() -> None:
    away = KnownError(Reason.TIMED_OUT, "id.example did not answer in time.", "Check the network.")
    service = Service(away, (503, {}), TOKENS, interval_s=1.0)
    sign_in(service)
    assert service.asked_s == [1.0, 3.0, 7.0]


@pytest.mark.parametrize("answer", ["expired_token", "authorization_pending"])
def test_a_code_that_nobody_entered_in_time_ends_it(answer: str) -> None:
    service = Service(answer, interval_s=50.0)
    with pytest.raises(KnownError, match="in time") as raised:
        sign_in(service)
    assert raised.value.reason is Reason.SIGN_IN_FAILED
    assert service.asked_s == ([50.0] if answer == "expired_token" else [50.0, 100.0])


def test_a_refusal_ends_it_at_once() -> None:
    service = Service("access_denied")
    with pytest.raises(KnownError) as raised:
        sign_in(service)
    assert raised.value.reason is Reason.SIGN_IN_FAILED
    assert len(service.asked_s) == 1
