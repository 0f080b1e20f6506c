"""A complete core at a gateway: what it holds there is deleted with the conversation."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import Phase
from novadesk.models import BackendKind
from novadesk.paths import find_folders
from novadesk.transport.gateway_token import TOKEN_VARIABLE
from tests.support.gateway_host import hosted
from tests.support.store_rig import MemoryKeychain


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_conversation_is_deleted_at_the_gateway_by_the_core_that_held_it_or_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_logs: Any
) -> None:
    expected_logs.allow("is put off")
    async with hosted(tmp_path / "gateway") as host:
        monkeypatch.setenv(TOKEN_VARIABLE, host.token())
        folders, keychain = find_folders(home=str(tmp_path / "home")).make(), MemoryKeychain()
        settings = Settings(backend=BackendSettings(kind=BackendKind.GATEWAY, gateway=host.urls[0]))

        async def start() -> Core:
            core = Core(settings=settings, folders=folders, publish=lambda _: None, on_quit=lambda: None)
            await core.start(Start(role="test", sound=FileSound(None, pace=4.0), keychain=keychain))  # type: ignore[arg-type]
            await until(lambda: core.controller.snapshot().phase is Phase.READY)
            return core

        async def talk(core: Core, text: str) -> str:
            core.controller.say(text)
            await until(lambda: bool(host.linker.links) and host.linker.newest.typed() == [text])
            host.linker.newest.answer("Hello there.", 2_400)
            await until(lambda: len(core.controller.snapshot().turns) == 2)
            conversation = core.controller.snapshot().conversation
            assert conversation is not None
            return conversation.handle

        async def kept(handle: str) -> bool:
            return bool(await host.store.kept_of("ann", handle))

        async def gone(handle: str) -> None:
            async with asyncio.timeout(60):
                while await kept(handle) or handle in keychain.entries:
                    await asyncio.sleep(0.01)

        core = await start()
        first = await talk(core, "one")
        assert await kept(first)
        await core.delete(first)
        await gone(first)
        await until(lambda: core.controller.snapshot().phase is Phase.READY)
        second = await talk(core, "two")
        monkeypatch.setattr("novadesk.transport.signin_http.SignInHttp.delete", _offline)
        await core.delete(second)
        await core.stop()
        assert await kept(second)
        monkeypatch.undo()
        monkeypatch.setenv(TOKEN_VARIABLE, host.token())
        core = await start()
        await gone(second)
        await core.stop()


async def _offline(*_: object) -> int:
    return 503


async def test_of_a_private_conversation_nothing_is_left_at_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path / "gateway") as host:
        monkeypatch.setenv(TOKEN_VARIABLE, host.token())
        folders, keychain = find_folders(home=str(tmp_path / "home")).make(), MemoryKeychain()
        settings = Settings(backend=BackendSettings(kind=BackendKind.GATEWAY, gateway=host.urls[0]))
        core = Core(settings=settings, folders=folders, publish=lambda _: None, on_quit=lambda: None)
        start = Start(role="test", sound=FileSound(None, pace=4.0), keychain=keychain, private=True)  # type: ignore[arg-type]
        await core.start(start)
        await until(lambda: core.controller.snapshot().phase is Phase.READY)
        core.controller.say("a secret")
        await until(lambda: bool(host.linker.links) and host.linker.newest.typed() == ["a secret"])
        host.linker.newest.answer("I see.", 2_400)
        await until(lambda: len(core.controller.snapshot().turns) == 2)
        (session,) = host.gateways[0].sessions.here
        assert await host.store.turns(session.session_id)
        assert await host.store.waiting() == ()
        await core.stop()
        async with asyncio.timeout(60):
            while await host.store.turns(session.session_id):
                await asyncio.sleep(0.01)
        assert keychain.entries == {}
