"""The account's list of sessions with their metadata, read again only where something changed."""

from novadesk.errors import KnownError, Reason
from novadesk.store.agentruntime import RemoteSession, RemoteSessions
from novadesk.store.metadata import handle_of
from novadesk.store.together import together


class Account:
    """All conversations of ours behind one set of credentials.

    The service lists sessions without metadata, so each one costs a call; one whose time of change is the same as
    before is not asked for again.
    """

    def __init__(self, remote: RemoteSessions) -> None:
        self._remote = remote
        self._seen: dict[str, RemoteSession] = {}

    async def sessions(self, *, fresh: bool = False) -> dict[str, list[RemoteSession]]:
        """Return our sessions by handle.

        Args:
            fresh: ask for every session, whatever its time of change says.

        Raises:
            KnownError: from the remote side; `SYNC_DENIED` when no session at all may be read.
        """
        listed = await self._remote.sessions()
        old = {} if fresh else self._seen
        known = {one.session_id: old[one.session_id] for one in listed if _is_same(old.get(one.session_id), one)}
        missing = [one for one in listed if one.session_id not in known]
        answers = await together(*(self._read(one.session_id) for one in missing))
        denied = [answer for answer in answers if isinstance(answer, KnownError)]
        if denied and len(denied) == len(listed):
            raise denied[0]
        known |= {answer.session_id: answer for answer in answers if isinstance(answer, RemoteSession)}
        self._seen = known
        ours: dict[str, list[RemoteSession]] = {}
        for session in known.values():
            if (handle := handle_of(session.metadata)) is not None:
                ours.setdefault(handle, []).append(session)
        return ours

    async def _read(self, session_id: str) -> RemoteSession | KnownError | None:
        """Return a session, None when it is gone, the error when it is somebody else's."""
        try:
            return await self._remote.session(session_id)
        except KnownError as error:
            if error.reason is Reason.SYNC_SESSION_CLOSED:
                return None
            if error.reason is Reason.SYNC_DENIED:
                return error
            raise


def _is_same(before: RemoteSession | None, now: RemoteSession) -> bool:
    return before is not None and (before.updated_ms, before.status) == (now.updated_ms, now.status)
