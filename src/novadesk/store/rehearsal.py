"""A trial of the remote copy: every call that a conversation makes there in its life, with a session of its own."""

from contextlib import AsyncExitStack, suppress
from uuid import uuid4

from novadesk.errors import KnownError
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.metadata import APP, KEY_APP

_METADATA = {KEY_APP: APP}
"""Names no conversation, so that nobody takes the session for one."""


async def rehearse(remote: RemoteSessions, now_ms: int) -> int:
    """Make a session, fill, read, end and delete it; return how many sessions the account has besides.

    Args:
        remote: the store to try.
        now_ms: Unix milliseconds.

    Raises:
        KnownError: of the first call that fails, as of `RemoteSessions`; what can be deleted of the trial is deleted.
    """
    count = len(await remote.sessions())
    session_id, invocation, step = (await remote.create(_METADATA)).session_id, str(uuid4()), str(uuid4())
    async with AsyncExitStack() as otherwise:
        otherwise.push_async_callback(_forget, remote, session_id)
        await remote.update(session_id, _METADATA)
        await remote.session(session_id)
        await remote.open_invocation(session_id, invocation)
        await remote.put_step(session_id, invocation, step, now_ms, "trial")
        await remote.steps(session_id)
        await remote.step(session_id, invocation, step)
        otherwise.pop_all()
    await remote.delete(session_id)
    return count


async def _forget(remote: RemoteSessions, session_id: str) -> None:
    with suppress(KnownError):
        await remote.delete(session_id)
