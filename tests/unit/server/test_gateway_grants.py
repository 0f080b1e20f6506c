"""What the local issuer grants: once, in time, to whom it was granted."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.server.gateway.grants import (
    CODE_S,
    DEVICE_S,
    INTERVAL_S,
    LEEWAY_S,
    REFRESH_S,
    Device,
    Granted,
    GrantError,
    Grants,
    Wish,
)

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:40123/"
WISH = Wish(client_id="app", redirect_uri=REDIRECT, challenge=CHALLENGE, state="s", nonce="n")


@pytest.fixture
def grants(tmp_path: Path) -> Iterator[Grants]:
    made = Grants(tmp_path / "issuer.db")
    yield made
    made.close()


def allow(grants: Grants, now_s: float = 0.0) -> str:
    answered = grants.answer(grants.ask(WISH, now_s), "alice", now_s)
    assert answered is not None
    assert answered[0] == WISH
    return answered[1]


def exchange(grants: Grants, code: str, now_s: float = 0.0, **changes: str) -> Granted:
    given = {"client_id": "app", "redirect_uri": REDIRECT, "verifier": VERIFIER} | changes
    return grants.exchange(code, now_s=now_s, **given)


def refusal(call: object) -> str:
    assert callable(call)
    with pytest.raises(GrantError) as raised:
        call()
    return raised.value.error


class TestCodes:
    def test_a_code_gives_what_was_allowed(self, grants: Grants) -> None:
        granted = exchange(grants, allow(grants))
        assert (granted.subject, granted.client_id, granted.nonce) == ("alice", "app", "n")
        assert granted.refresh_token not in repr(granted)

    @pytest.mark.parametrize(
        "changes", [{"client_id": "other"}, {"redirect_uri": REDIRECT + "x"}, {"verifier": "w" * 43}, {"verifier": ""}]
    )
    def test_who_does_not_fit_gets_nothing_and_spoils_it(self, grants: Grants, changes: dict[str, str]) -> None:
        code = allow(grants)
        assert refusal(lambda: exchange(grants, code, **changes)) == "invalid_grant"
        assert refusal(lambda: exchange(grants, code)) == "invalid_grant"

    def test_a_code_that_comes_twice_takes_back_what_it_gave(self, grants: Grants) -> None:
        code = allow(grants)
        granted = exchange(grants, code)
        assert refusal(lambda: exchange(grants, code, 1.0)) == "invalid_grant"
        assert refusal(lambda: grants.refresh(granted.refresh_token, client_id="app", now_s=2.0)) == "invalid_grant"

    def test_a_code_is_good_for_a_minute(self, grants: Grants) -> None:
        code = allow(grants)
        assert refusal(lambda: exchange(grants, code, CODE_S)) == "invalid_grant"

    def test_a_refusal_gives_no_code_and_a_wish_is_answered_once_and_in_time(self, grants: Grants) -> None:
        assert grants.answer(name := grants.ask(WISH, 0.0), "", 0.0) == (WISH, "")
        assert grants.answer(name, "alice", 0.0) is None
        assert grants.answer(grants.ask(WISH, 0.0), "alice", DEVICE_S) is None

    def test_wishes_are_bounded_and_go_with_time(self, grants: Grants) -> None:
        for _ in range(200):
            grants.ask(WISH, 0.0)
        assert refusal(lambda: grants.ask(WISH, 1.0)) == "temporarily_unavailable"
        grants.ask(WISH, DEVICE_S)


class TestDevices:
    @pytest.fixture
    def device(self, grants: Grants) -> Device:
        return grants.begin_device("app", 0.0)

    def test_it_waits_and_gets_what_was_allowed_once(self, grants: Grants, device: Device) -> None:
        def poll(now_s: float) -> Granted:
            return grants.poll_device(device.device_code, client_id="app", now_s=now_s)

        assert refusal(lambda: poll(0.0)) == "authorization_pending"
        assert refusal(lambda: poll(INTERVAL_S - 0.1)) == "slow_down"
        assert refusal(lambda: poll(INTERVAL_S * 2)) == "slow_down"  # 5 s more are wanted now
        assert refusal(lambda: poll(INTERVAL_S * 6)) == "authorization_pending"
        assert grants.judge_device(f" {device.user_code.lower().replace('-', ' ')}", "alice", 31.0)
        assert poll(31.5).subject == "alice"
        assert refusal(lambda: poll(60.0)) == "invalid_grant"

    def test_a_refusal_is_told(self, grants: Grants, device: Device) -> None:
        assert grants.judge_device(device.user_code, "", 1.0)
        assert not grants.judge_device(device.user_code, "alice", 2.0)
        denied = refusal(lambda: grants.poll_device(device.device_code, client_id="app", now_s=3.0))
        assert denied == "access_denied"

    def test_it_ends(self, grants: Grants, device: Device) -> None:
        late = refusal(lambda: grants.poll_device(device.device_code, client_id="app", now_s=DEVICE_S))
        assert late == "expired_token"

    def test_another_client_gets_nothing(self, grants: Grants, device: Device) -> None:
        assert grants.judge_device(device.user_code, "alice", 1.0)
        other = refusal(lambda: grants.poll_device(device.device_code, client_id="other", now_s=2.0))
        assert other == "invalid_grant"

    def test_codes_cannot_be_guessed_for_long(self, grants: Grants, device: Device) -> None:
        for number in range(10):
            assert not grants.judge_device("BBBB-BBBB", "mallory", number)
        assert refusal(lambda: grants.judge_device(device.user_code, "mallory", 10.0)) == "slow_down"
        assert grants.judge_device(device.user_code, "alice", 70.0)

    def test_devices_are_bounded(self, grants: Grants) -> None:
        for _ in range(200):
            grants.begin_device("app", 0.0)
        assert refusal(lambda: grants.begin_device("app", 1.0)) == "temporarily_unavailable"


class TestRefreshing:
    def test_each_token_gives_the_next_one(self, grants: Grants) -> None:
        tokens = [exchange(grants, allow(grants)).refresh_token]
        for turn in range(1, 5):
            granted = grants.refresh(tokens[-1], client_id="app", now_s=turn * 1000.0)
            assert granted.subject == "alice"
            tokens.append(granted.refresh_token)
        assert len(set(tokens)) == 5

    def test_a_lost_answer_costs_nothing_and_an_old_token_ends_all(self, grants: Grants) -> None:
        first = exchange(grants, allow(grants)).refresh_token
        lost = grants.refresh(first, client_id="app", now_s=0.0).refresh_token
        again = grants.refresh(first, client_id="app", now_s=LEEWAY_S).refresh_token
        assert grants.refresh(lost, client_id="app", now_s=LEEWAY_S).subject == "alice"
        assert refusal(lambda: grants.refresh(first, client_id="app", now_s=LEEWAY_S + 1)) == "invalid_grant"
        assert refusal(lambda: grants.refresh(again, client_id="app", now_s=LEEWAY_S + 2)) == "invalid_grant"

    @pytest.mark.parametrize("token", ["", "x", "x.y"])
    def test_what_was_never_given_gives_nothing(self, grants: Grants, token: str) -> None:
        assert refusal(lambda: grants.refresh(token, client_id="app", now_s=0.0)) == "invalid_grant"

    def test_another_client_or_too_late(self, grants: Grants) -> None:
        token = exchange(grants, allow(grants)).refresh_token
        assert refusal(lambda: grants.refresh(token, client_id="other", now_s=1.0)) == "invalid_grant"
        assert refusal(lambda: grants.refresh(token, client_id="app", now_s=REFRESH_S)) == "invalid_grant"

    def test_it_is_taken_back(self, grants: Grants) -> None:
        token = exchange(grants, allow(grants)).refresh_token
        grants.revoke(token)
        grants.revoke(token)
        assert refusal(lambda: grants.refresh(token, client_id="app", now_s=1.0)) == "invalid_grant"

    def test_it_outlives_the_process_and_is_not_in_the_file(self, tmp_path: Path) -> None:
        first = Grants(tmp_path / "issuer.db")
        token = exchange(first, allow(first)).refresh_token
        first.close()
        second = Grants(tmp_path / "issuer.db")
        assert second.refresh(token, client_id="app", now_s=1.0).subject == "alice"
        second.close()
        assert token.encode() not in (tmp_path / "issuer.db").read_bytes()
        assert (tmp_path / "issuer.db").stat().st_mode & 0o777 == 0o600
