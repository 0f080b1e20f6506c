"""Outside a conversation and a test no capture stream exists, however the conversation came to its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from novadesk.app.core import Core, Start
from novadesk.config import AudioSettings, BackendSettings, SessionSettings, Settings
from novadesk.conversation.api import Phase, SoundTest
from novadesk.errors import Reason
from novadesk.models import BackendKind
from novadesk.paths import find_folders
from tests.support.desk import Desk
from tests.support.ears import capture_streams
from tests.support.leaks import LogWatch
from tests.support.sound import Speaker

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

WITHIN_S = 60.0
CUE_LOUDNESS = 500
"""Of 32,767; a cue at half the volume has its peak at 3,600."""


async def streams(desk: Desk, count: int) -> None:
    """Wait until so many programs listen."""
    async with asyncio.timeout(WITHIN_S):
        while len(await asyncio.to_thread(capture_streams, desk)) != count:
            await asyncio.sleep(0.02)


@pytest.fixture
async def core(
    on_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch
) -> AsyncIterator[Core]:
    """Return a core that nobody has given credentials."""
    expected_logs.allow("put off")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path))
    made = Core(
        settings=Settings(backend=BackendSettings(kind=BackendKind.BEDROCK), session=SessionSettings(idle_s=0.0)),
        folders=find_folders(home=str(tmp_path)).make(),
        publish=lambda _: None,
        on_quit=lambda: None,
    )
    yield made
    await made.stop()


async def test_giving_up_is_heard_and_lets_go_of_the_microphone(on_desk: Desk, core: Core) -> None:
    with on_desk.recording(Speaker.A) as heard:
        await core.start(Start(role="test"))
        async with asyncio.timeout(WITHIN_S):
            while core.controller.snapshot().phase is not Phase.FAILED:
                await asyncio.sleep(0.01)
            while heard.loudest() < CUE_LOUDNESS:
                await asyncio.sleep(0.02)
    error = core.controller.snapshot().error
    assert error is not None
    assert error.reason == Reason.NO_CREDENTIALS.value
    await streams(on_desk, 0)
    await asyncio.sleep(1.0)
    assert await asyncio.to_thread(capture_streams, on_desk) == []


async def test_a_test_of_the_devices_listens_while_it_runs_only(on_desk: Desk, core: Core) -> None:
    await core.start(Start(role="test", connect=False))
    await core.devices()
    assert await asyncio.to_thread(capture_streams, on_desk) == []
    heard: list[SoundTest] = []
    testing = asyncio.create_task(core.try_sound(AudioSettings(), heard.append), name="sound-test")
    await streams(on_desk, 1)
    async with asyncio.timeout(WITHIN_S):
        while not heard or not heard[-1].microphone:
            await asyncio.sleep(0.02)
    testing.cancel()
    await asyncio.gather(testing, return_exceptions=True)
    await streams(on_desk, 0)
