"""A long secret in the keyring: whole or as before, whoever is killed when."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.desktop.longsecret import PIECE_CHARS, LongSecret
from novadesk.errors import KnownError, Reason


class Killed(Exception):
    """The process ends here."""


class Ring:
    """A keyring in memory that may end its user after so many changes."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.left = 1000

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def set(self, name: str, value: str) -> None:
        self._change()
        self.kept[name] = value

    async def delete(self, name: str) -> None:
        self._change()
        self.kept.pop(name, None)

    def _change(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


@given(st.lists(st.text(max_size=3500), max_size=4))
async def test_what_is_kept_last_is_there(values: list[str]) -> None:
    ring = Ring()
    secret = LongSecret(ring, "gateway")
    for value in values:
        await secret.set(value)
        assert await LongSecret(ring, "gateway").get() == value
        assert all(len(entry) <= PIECE_CHARS for entry in ring.kept.values())
    assert await secret.delete() is bool(values)
    assert ring.kept == {}
    assert await secret.get() is None


@pytest.mark.parametrize("old", [None, "o" * 10, "o" * 2500])
@pytest.mark.parametrize("new", ["n" * 10, "n" * 3500])
async def test_who_is_killed_leaves_the_old_or_the_new(old: str | None, new: str) -> None:
    outcomes = set()
    for killed_after in range(20):
        ring = Ring()
        if old is not None:
            await LongSecret(ring, "gateway").set(old)
        ring.left = killed_after
        with contextlib.suppress(Killed):
            await LongSecret(ring, "gateway").set(new)
        ring.left = 1000
        outcomes.add(found := await LongSecret(ring, "gateway").get())
        assert found in (old, new)
        await LongSecret(ring, "gateway").set("next")
        assert await LongSecret(ring, "gateway").get() == "next"
        await LongSecret(ring, "gateway").delete()
        assert ring.kept == {}
    assert outcomes == {old, new}


async def test_a_piece_that_is_gone_or_changed_spoils_the_whole() -> None:
    for change in ("", "x", None):
        ring = Ring()
        secret = LongSecret(ring, "gateway")
        await secret.set("s" * 1500)
        if change is None:
            del ring.kept["gateway.a1"]
        else:
            ring.kept["gateway.a1"] = change
        assert await secret.get() is None


@pytest.mark.parametrize("index", ["", "no JSON", "[]", '["c", 1, "x"]', '["a", -1, "x"]', '["a", true, "x"]', "7"])
async def test_an_index_that_is_none(index: str) -> None:
    ring = Ring()
    ring.kept["gateway"] = index
    secret = LongSecret(ring, "gateway")
    assert await secret.get() is None
    await secret.set("new")
    assert await secret.get() == "new"


async def test_what_no_keyring_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        await LongSecret(Ring(), "gateway").set("x" * 40_000)


async def test_what_the_keyring_says_is_passed_on() -> None:
    class Locked(Ring):
        async def get(self, name: str) -> str | None:
            raise KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")

    with pytest.raises(KnownError):
        await LongSecret(Locked(), "gateway").get()
