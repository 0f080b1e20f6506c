"""Requests about the store: what makes no sense is refused, what does is done on a real store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from novadesk.app.accounts import ENTRY, Accounts
from novadesk.app.upkeep import MAX_TITLE_CHARS, StoredShelf, Upkeep, empty
from novadesk.desktop.longsecret import LongSecret
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation
from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies, check
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from tests.support.store_rig import START_MS, MemoryKeychain, make_conversation, make_turn


class Rig:
    """A store with one conversation, and what answers requests about it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.archive = Conversations(database)
        self.keychain = MemoryKeychain()
        self.registry = Registry(database, self.keychain)
        self.cache = folder / "cache"
        self.upkeep = Upkeep(StoredShelf(database), database, self.registry, self.cache, Accounts(self.keychain))
        self.made = make_conversation(backend=BackendKind.BEDROCK)

    async def stored(self) -> Conversation | None:
        return await self.archive.find(self.made.handle)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Database(tmp_path / "novadesk.db") as database:
        rig = Rig(database, tmp_path)
        await rig.archive.create(rig.made)
        await rig.archive.append(make_turn(rig.made.handle, "a secret"))
        yield rig


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "request_",
    [
        {"do": "delete"},
        {"do": "delete", "handle": 7},
        {"do": "set_aside"},
        {"do": "bring_back", "handle": None},
        {"do": "clear"},
        {"do": "clear", "keep_starred": 1},
        {"do": "rename", "handle": "x"},
        {"do": "rename", "handle": "x", "title": None},
        {"do": "star", "handle": "x", "on": 1},
        {"do": "backup"},
        {"do": "backup", "file": "relative.db"},
        {"do": "dance"},
        {},
    ],
)
async def test_a_request_that_makes_no_sense_is_not_one_of_these(rig: Rig, request_: dict[str, Any]) -> None:
    assert await rig.upkeep.answer(request_) is None
    assert await rig.stored() is not None


async def test_a_handle_that_is_none_is_refused_before_anything_is_looked_up(rig: Rig) -> None:
    for do in (
        {"do": "delete"},
        {"do": "set_aside"},
        {"do": "bring_back"},
        {"do": "rename", "title": "x"},
        {"do": "star", "on": True},
    ):
        with pytest.raises(KnownError) as error:
            await rig.upkeep.answer({**do, "handle": "' OR 1=1"})
        assert error.value.reason is Reason.UNKNOWN_CONVERSATION


async def test_a_title_is_one_line_of_bounded_length(rig: Rig) -> None:
    for title, kept in (("  two\n lines ", "two lines"), ("x" * 1_000, "x" * MAX_TITLE_CHARS), ("", "")):
        assert await rig.upkeep.answer({"do": "rename", "handle": rig.made.handle, "title": title}) == {}
        found = await rig.stored()
        assert found is not None
        assert found.title == kept


async def test_a_deletion_leaves_no_copy_with_what_was_deleted(rig: Rig, tmp_path: Path) -> None:
    copies = RecoveryCopies(tmp_path / "novadesk.db")
    assert copies.make(START_MS) is Health.WHOLE
    assert await rig.upkeep.answer({"do": "delete", "handle": rig.made.handle}) == {}
    (copy,) = copies.files()
    assert check(copy) is Health.WHOLE
    assert b"a secret" not in everything(tmp_path)


async def test_a_logout_forgets_entries_and_caches(rig: Rig, tmp_path: Path) -> None:
    (rig.cache / "deep").mkdir(parents=True)
    (rig.cache / "deep" / "file").touch()
    (rig.cache / "link").symlink_to(tmp_path)
    assert await rig.upkeep.answer({"do": "logout"}) == {"entries": 0}
    assert list(rig.cache.iterdir()) == []
    assert (tmp_path / "novadesk.db").exists(), "a link is not followed"
    empty(tmp_path / "none")


async def test_a_logout_forgets_the_sign_in_to_a_gateway(rig: Rig) -> None:
    await LongSecret(rig.keychain, ENTRY).set("x" * 2500)
    assert len(rig.keychain.entries) == 4
    assert await rig.upkeep.answer({"do": "logout"}) == {"entries": 1}
    assert rig.keychain.entries == {}


async def test_a_deletion_can_be_undone(rig: Rig) -> None:
    handle = rig.made.handle
    assert await rig.upkeep.answer({"do": "set_aside", "handle": handle}) == {}
    assert await rig.stored() is None
    with pytest.raises(KnownError, match="no such conversation"):
        await rig.upkeep.answer({"do": "set_aside", "handle": handle})
    assert await rig.upkeep.answer({"do": "bring_back", "handle": handle}) == {}
    assert await rig.stored() is not None
    with pytest.raises(KnownError, match="no such conversation"):
        await rig.upkeep.answer({"do": "bring_back", "handle": handle})


@pytest.mark.parametrize("do", [{"do": "delete"}, {"do": "clear", "keep_starred": False}])
@pytest.mark.parametrize("asked", [{}, {"here_only": True}])
async def test_the_remote_copy_goes_unless_it_is_asked_to_stay(
    rig: Rig, tmp_path: Path, do: dict[str, Any], asked: dict[str, Any]
) -> None:
    await rig.database.run(
        lambda db: (
            db.execute(
                "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, 0, 'bound', 0)",
                (rig.made.handle,),
            ).rowcount
        )
    )
    copies = RecoveryCopies(tmp_path / "novadesk.db")
    assert copies.make(START_MS) is Health.WHOLE
    given = {"handle": rig.made.handle} if do["do"] == "delete" else {}
    assert await rig.upkeep.answer({**do, **asked, **given}) == ({} if given else {"deleted": 1})
    assert await rig.stored() is None
    waiting = await rig.database.read(lambda db: [row["kind"] for row in db.execute("SELECT kind FROM outbox")])
    assert waiting == ([] if asked else ["delete"])
    assert b"a secret" not in everything(tmp_path)


async def test_those_with_a_star_are_cleared_only_when_asked(rig: Rig) -> None:
    await rig.archive.star(rig.made.handle, True, START_MS)
    assert await rig.upkeep.answer({"do": "clear", "keep_starred": True}) == {"deleted": 0}
    assert await rig.upkeep.answer({"do": "clear", "keep_starred": False}) == {"deleted": 1}
