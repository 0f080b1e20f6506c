"""A core, a window's wishes and a command about newer versions, with a feed that a server on this computer signs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from novadesk.app import update_command, updates
from novadesk.app.core import Core, Start
from novadesk.app.update_command import examine_updates
from novadesk.audio.nullio import FileSound
from novadesk.cli import main
from novadesk.config import BackendSettings, Settings, UpdateSettings
from novadesk.conversation.api import Snapshot
from novadesk.conversation.updateapi import Unasked
from novadesk.errors import KnownError, Reason
from novadesk.feed import Place
from novadesk.models import BackendKind
from novadesk.paths import Folders, find_folders
from tests.support.feed_shop import Shop, opened
from tests.support.feeds import HERE, feed

PATIENCE_S = 60.0
GATEWAY = BackendSettings(kind=BackendKind.GATEWAY, gateway="ws://127.0.0.1:1")
"""Nobody is there; it starts no process."""


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    async with opened() as made:
        monkeypatch.setattr(updates, "KEYS", made.signer.keys)
        monkeypatch.setattr(update_command, "KEYS", made.signer.keys)
        yield made


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    return find_folders().make()


def be(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (updates, update_command):
        monkeypatch.setattr(module, "find_place", lambda: place)


def fresh(**other: object) -> bytes:
    now = datetime.now(UTC)
    return feed(published=now.isoformat(), expires=(now + timedelta(days=30)).isoformat(), **other)


@asynccontextmanager
async def running(
    folders: Folders, settings: Settings, role: str = "window"
) -> AsyncIterator[tuple[Core, list[Snapshot]]]:
    shown: list[Snapshot] = []
    core = Core(settings=settings, folders=folders, publish=shown.append, on_quit=lambda: None)
    await core.start(Start(role=role, sound=FileSound(None), connect=False))
    try:
        yield core, shown
    finally:
        await core.stop()


async def command(*words: str) -> int:
    return await asyncio.to_thread(main, words)


async def test_a_window_s_core_asks_by_itself_and_shows_what_there_is(
    shop: Shop, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(HERE, monkeypatch)
    monkeypatch.setattr(updates, "FIRST_S", 0.0)
    monkeypatch.setattr(updates, "HOUR_MS", -2 * updates.DAY_MS)  # due since yesterday
    shop.publish(fresh())
    settings = Settings(updates=UpdateSettings(feed=f"{shop.address}/{{channel}}.json"))
    async with asyncio.timeout(PATIENCE_S), running(folders, settings) as (core, shown):
        while not shown or shown[-1].update is None:
            await asyncio.sleep(0.01)
        assert shown[-1].update.version == "0.2.0"
        assert await command("update-check", "--json") == 0  # by the running core
        row = json.loads(capsys.readouterr().out)
        assert (row["version"], row["channel"], row["newest"]["version"]) == ("0.1.0", "stable", "0.2.0")
        assert "protocol" not in row
        shop.publish(fresh(channel="beta"))
        assert await command("update-check") == 2
        error = "novadesk: update: The update feed is for the channel “beta”, not for “stable”."
        assert capsys.readouterr().err.startswith(error)
        assert (await core.updates()).offer == shown[-1].update
        before = core.controller.snapshot().update
        monkeypatch.setattr(updates, "FIRST_S", 600.0)
        await core.use(replace(settings, backend=GATEWAY))
        assert core.controller.snapshot().update == before  # while the new build has asked nobody
        assert len(shop.asked) == 6
        await core.use_updates(replace(settings.updates, check=False))
        assert core.controller.snapshot().update is None
        assert (await core.updates()).unasked is Unasked.OFF
    assert shop.asked == ["/stable.json", "/stable.json.sig"] * 3


async def test_a_core_without_a_window_asks_only_when_it_is_told_to(
    shop: Shop, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(HERE, monkeypatch)
    monkeypatch.setattr(updates, "FIRST_S", 0.0)
    shop.publish(fresh())
    settings = Settings(updates=UpdateSettings(feed=f"{shop.address}/{{channel}}.json"))
    async with running(folders, settings, role="talk") as (core, _):
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "updates"]
        assert (await core.check_updates()).offer is not None


async def test_the_command_asks_where_nothing_runs_and_the_doctor_knows(
    shop: Shop, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(HERE, monkeypatch)
    address = f"{shop.address}/{{channel}}.json"
    folders.settings_file.write_text(f'[updates]\nfeed = "{address}"\n')
    settings = Settings(updates=UpdateSettings(feed=address))
    copy = "NovaDesk 0.1.0, stable channel, appimage"
    assert examine_updates(folders, settings) == f"{copy}, not checked yet"
    shop.publish(fresh())
    assert await command("update-check") == 0
    out = capsys.readouterr().out
    assert out == "NovaDesk 0.2.0 is there; this is 0.1.0.\nDownload it at https://example.com/novadesk/0.2.0\n"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert examine_updates(folders, settings) == f"{copy}, checked on {today}: 0.2.0 is there"
    shop.publish(fresh(version="0.1.0", serial=8))
    assert await command("update-check") == 0
    assert capsys.readouterr().out == "NovaDesk 0.1.0 is the newest of its channel, stable.\n"
    assert examine_updates(folders, settings) == f"{copy}, checked on {today}: the newest"
    shop.files.clear()
    assert await command("update-check") == 2
    assert "is not where it should be (status 404)" in capsys.readouterr().err
    with pytest.raises(KnownError) as raised:
        examine_updates(folders, settings)
    assert raised.value.what.startswith("The update feed is not where it should be (status 404).")


async def test_from_source_nobody_is_asked(shop: Shop, folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(updates=UpdateSettings(feed=f"{shop.address}/stable.json"))
    assert await command("update-check") == 2
    assert "runs from its source here" in capsys.readouterr().err
    assert "source. NovaDesk runs from its source here" in examine_updates(folders, settings)
    async with running(folders, settings) as (core, _):
        with pytest.raises(KnownError) as raised:
            await core.check_updates()
        assert raised.value.reason is Reason.BAD_INPUT
    assert shop.asked == []
    assert not folders.updates_file.exists()
