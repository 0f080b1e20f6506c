"""What a gateway session is resumed with lies in the keyring, in the entry of its conversation, and nowhere else."""

from pathlib import Path

from novadesk.app.gateway_keys import GatewayKeys
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.transport.gateway_talk import SessionKey
from tests.support.store_rig import MemoryKeychain

AT = "wss://gateway.example"
KEY, OTHER = SessionKey("session-1", "secret-1"), SessionKey("session-2", "secret-2")


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_a_key_outlives_the_program_until_it_is_dropped(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    async with Database(tmp_path / "a.db") as database:
        keys = GatewayKeys(Registry(database, keychain), AT)
        assert await keys.find("h") is None
        await keys.note("h")
        await keys.keep("h", KEY)
        await keys.keep("h", OTHER)
        later = GatewayKeys(Registry(database, keychain), AT)
        assert await later.find("h") == OTHER
        await later.drop("h")
        assert keychain.entries == {}
        assert await GatewayKeys(Registry(database, keychain), AT).find("h") is None
    content = contents(tmp_path)
    assert b"secret-" not in content
    assert b"session-1" not in content


async def test_signing_out_forgets_the_keys_too(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    async with Database(tmp_path / "a.db") as database:
        registry = Registry(database, keychain)
        keys = GatewayKeys(registry, AT)
        await keys.note("h")
        await keys.keep("h", KEY)
        assert await registry.forget_all() == 1
    assert keychain.entries == {}


async def test_without_a_registry_nothing_is_kept() -> None:
    keys = GatewayKeys(None, AT)
    await keys.note("h")
    await keys.keep("h", KEY)
    assert await keys.find("h") is None
    await keys.drop("h")
