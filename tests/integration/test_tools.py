"""The built-in tool, offered by a setting and used by the practice partner over the real wire."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.config import Settings, VoiceSettings
from novadesk.models import Filter
from novadesk.paths import find_folders


class OtherTime:
    """A clock that only this process has: the server cannot know its time but through the tool."""

    @staticmethod
    def now() -> datetime:
        return datetime(2026, 11, 21, 3, 33, tzinfo=UTC)


@pytest.mark.parametrize("offered", [True, False])
async def test_the_practice_partner_asks_for_the_time_where_it_may(
    offered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path))
    monkeypatch.setattr("novadesk.app.core.datetime", OtherTime)
    core = Core(
        settings=Settings(voice=VoiceSettings(tools=offered)),
        folders=find_folders(home=str(tmp_path)).make(),
        publish=lambda _: None,
        on_quit=lambda: None,
    )
    await core.start(Start(role="test", sound=FileSound(None, pace=4.0)))
    try:
        core.controller.say("what time is it")
        async with asyncio.timeout(60):
            while len(turns := core.controller.snapshot().turns) < 2:
                await asyncio.sleep(0.02)
        choices = await core.choices()
        assert (choices.voices, choices.tools) == ((VoiceSettings().voice,), ("current_time",) if offered else ())
        assert [turn.tools for turn in await core.turns(turns[0].conversation)] == [(), choices.tools]
        for only, is_left in ((Filter(voice=choices.voices[0]), True), (Filter(tool="current_time"), offered)):
            assert len(await core.conversations(only=only)) == is_left
            assert bool(await core.search("what time", only=only)) is is_left
        in_local_time = OtherTime.now().astimezone().strftime(":%M")
        assert (in_local_time in turns[1].text) is offered or datetime.now().minute == OtherTime.now().minute
    finally:
        await core.stop()
