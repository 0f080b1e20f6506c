"""Where the copies of conversations go: encrypted, or nowhere but to this computer."""

from dataclasses import replace
from typing import Any

import pytest

from novadesk.app.remote import make_access
from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind


async def no_practice() -> dict[str, Any]:
    raise AssertionError("the practice server is not asked with Bedrock")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings = Settings()
    return replace(settings, backend=replace(settings.backend, kind=BackendKind.BEDROCK))


@pytest.mark.parametrize(
    ("named", "found"),
    [("", ""), ("https://vpce.example", "https://vpce.example"), ("http://127.0.0.1:8001", "http://127.0.0.1:8001")],
)
async def test_an_address_that_may_be_used(settings: Settings, named: str, found: str) -> None:
    backend = replace(settings.backend, agent_runtime_endpoint=named)
    access = await make_access(replace(settings, backend=backend), no_practice)()
    assert access.endpoint == found


async def test_no_conversation_leaves_this_computer_unencrypted(settings: Settings) -> None:
    backend = replace(settings.backend, agent_runtime_endpoint="http://example.com")
    with pytest.raises(KnownError, match=r"not encrypted.*agent_runtime_endpoint") as caught:
        await make_access(replace(settings, backend=backend), no_practice)()
    assert caught.value.reason is Reason.BAD_SETTINGS
