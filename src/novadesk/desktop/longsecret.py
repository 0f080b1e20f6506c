"""A secret that is longer than a keyring's entry: in pieces, replaced as a whole or not at all."""

import hashlib
import json
from typing import Protocol

PIECE_CHARS = 1000
"""A Windows entry holds 1,280 characters."""

_MOST_PIECES = 32
_SLOTS = ("a", "b")


class Entries(Protocol):
    """What is needed of the keyring; every method may raise `KnownError`, reason `KEYRING_…`."""

    async def get(self, name: str) -> str | None:
        """Return the value kept under `name`, or None."""
        ...

    async def set(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        ...

    async def delete(self, name: str) -> None:
        """Forget `name`. Idempotent."""
        ...


class LongSecret:
    """One secret in several entries of the keyring.

    The pieces of a new value are written beside those of the old one; then one entry is changed that says which ones
    count. Whoever is killed in between leaves the old value or the new one.

    Args:
        entries: the keyring.
        name: of the entry that says which pieces count; theirs begin with it.
    """

    def __init__(self, entries: Entries, name: str) -> None:
        self._entries, self._name = entries, name

    async def get(self) -> str | None:
        """Return the secret, or None when there is none, or not all of it.

        Raises:
            KnownError: `KEYRING_…`; also from the other methods.
        """
        index = await self._index()
        if index is None:
            return None
        slot, count, digest = index
        pieces = [await self._entries.get(self._piece(slot, number)) for number in range(count)]
        whole = "".join(piece or "" for piece in pieces)
        return whole if None not in pieces and _digest(whole) == digest else None

    async def set(self, value: str) -> None:
        """Keep a secret in place of the one before."""
        before = await self._index()
        slot = _SLOTS[0] if before is None else _other(before[0])
        pieces = [value[begin : begin + PIECE_CHARS] for begin in range(0, len(value), PIECE_CHARS)]
        if len(pieces) > _MOST_PIECES:
            raise ValueError("the secret is too long for the keyring")
        for number, piece in enumerate(pieces):
            await self._entries.set(self._piece(slot, number), piece)
        await self._entries.set(self._name, json.dumps([slot, len(pieces), _digest(value)]))
        await self._sweep(_other(slot))

    async def delete(self) -> bool:
        """Forget the secret, and what writers left that were killed; return whether there was one."""
        existed = await self._index() is not None
        if await self._entries.get(self._name) is not None:
            await self._entries.delete(self._name)
        for slot in _SLOTS:
            await self._sweep(slot)
        return existed

    async def _index(self) -> tuple[str, int, str] | None:
        """Return which slot counts, how many pieces it has, and the digest of the whole."""
        kept = await self._entries.get(self._name)
        try:
            slot, count, digest = json.loads(kept or "")
        except (ValueError, TypeError):
            return None
        good = slot in _SLOTS and type(count) is int and 0 <= count <= _MOST_PIECES and isinstance(digest, str)
        return (slot, count, digest) if good else None

    async def _sweep(self, slot: str) -> None:
        """Delete the pieces of a slot, the last one first: whoever is killed leaves no gap that hides the rest."""
        count = 0
        while count < _MOST_PIECES and await self._entries.get(self._piece(slot, count)) is not None:
            count += 1
        for number in reversed(range(count)):
            await self._entries.delete(self._piece(slot, number))

    def _piece(self, slot: str, number: int) -> str:
        return f"{self._name}.{slot}{number}"


def _other(slot: str) -> str:
    return _SLOTS[1 - _SLOTS.index(slot)]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
