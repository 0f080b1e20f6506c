"""What is still to be deleted at gateways, as the doctor tells it."""

from pathlib import Path

import pytest

from novadesk.app.gateway_erasure import examine_deletions
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.links import gateway_mark
from novadesk.store.registry import Registry
from tests.support.store_rig import START_MS, MemoryKeychain, make_conversation, make_turn

HERE, ELSEWHERE = "wss://gateway.example", "wss://other.example"


async def test_a_deletion_owed_at_a_gateway_that_the_settings_do_not_name_is_a_finding(tmp_path: Path) -> None:
    async with Database(tmp_path / "a.db") as database:
        archive, registry = Conversations(database), Registry(database, MemoryKeychain(), rest_s=0.0)
        conversation = make_conversation(backend=BackendKind.GATEWAY)
        await archive.create(conversation)
        await archive.append(make_turn(conversation.handle))
        await registry.note_gateway(conversation.handle, gateway_mark(HERE))
        assert await examine_deletions(database, "") == "none is owed"
        await archive.delete(conversation.handle, START_MS)
        assert await examine_deletions(database, f"{HERE} ") == "still to be deleted at the gateway: 1"
        for settings in ("", ELSEWHERE):
            with pytest.raises(KnownError, match="do not name: 1") as caught:
                await examine_deletions(database, settings)
            assert caught.value.reason is Reason.SYNC_UNREACHABLE
            assert "[backend] gateway" in caught.value.advice
