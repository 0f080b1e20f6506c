"""Everything that goes wrong in the fault matrix: how it begins, how it ends, and what people should know of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from novadesk.conversation.supervisor import VERDICTS, Verdict
from novadesk.errors import KnownError, Reason
from novadesk.server.faults import Fault
from novadesk.store.agentruntime import RemoteStatus
from tests.support.fault_outcomes import STORE, VOICE, Outcome, Place
from tests.support.fault_service import question_of
from tests.support.fault_world import World
from tests.support.model_runtime import Fault as Miscall
from tests.support.model_runtime import Mishap

BOUND_S = 5.0
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        name: short and unique.
        what: what it is, for people.
        does: what NovaDesk does, for people.
        strike: begins it; may take virtual time.
        heal: ends it; None for what is over once it has befallen one link or request.
        lasts_s: how long it lasts when nobody fails because of it.
        bound_s: longest time until the conversation goes on, from its end or the person's wish to go on.
    """

    name: str
    what: str
    does: str
    strike: Callable[[World], Awaitable[None]]
    heal: Callable[[World], None] | None = None
    lasts_s: float = 0.0
    bound_s: float = BOUND_S


def _voice_strike(fault: Fault) -> Callable[[World], Awaitable[None]]:
    outcome = VOICE[fault]

    async def at_opening(world: World) -> None:
        """Befall the attempt in flight; without one, cut what is open so that there is a next one."""
        if (link := world.service.trying) is not None:
            link.befall(outcome, fault)
            return
        world.service.coming.append((outcome, fault))
        for link in world.service.live:
            link.befall(VOICE[Fault.RESET_TCP])
            link.break_off(VOICE[Fault.RESET_TCP])

    async def in_stream(world: World) -> None:
        link = world.service.carrier or world.service.trying
        if link is None:
            world.service.coming.append((outcome, fault))
        else:
            link.befall(outcome, fault)

    return at_opening if outcome.place is Place.BEFORE else in_stream


def _cut_all(world: World) -> None:
    """Break every connection there is, an attempt in flight included."""
    for link in world.service.links:
        link.break_off(VOICE[Fault.RESET_TCP])


def _out_of_reach(why: str) -> Outcome:
    return Outcome(
        place=Place.AT_OPENING,
        reason=Reason.UNREACHABLE,
        what=f"bedrock-runtime.us-east-1.amazonaws.com cannot be reached: {why}.",
        advice="Check the network; NovaDesk tries again by itself.",
    )


_UNREACHABLE_STORE = STORE[Fault.API_DOWN].error()


async def _no_network(world: World) -> None:
    world.service.out_of_reach = _out_of_reach("this computer is offline")
    world.runtime.down = _UNREACHABLE_STORE
    _cut_all(world)


async def _no_names(world: World) -> None:
    world.service.out_of_reach = _out_of_reach("its name is not known")
    world.runtime.down = _UNREACHABLE_STORE
    _cut_all(world)


def _network_back(world: World) -> None:
    world.service.out_of_reach = None
    world.runtime.heal()
    world.controller.on_network_up()


async def _service_down(world: World) -> None:
    world.service.out_of_reach = Outcome(
        place=Place.AT_OPENING, reason=Reason.UNAVAILABLE, what="The service is unavailable.", advice="Wait."
    )
    _cut_all(world)


def _service_back(world: World) -> None:
    world.service.out_of_reach = None


async def _keys_expired(world: World) -> None:
    world.service.keys = VOICE[Fault.HTTP_EXPIRED_TOKEN]
    world.runtime.down = STORE[Fault.API_EXPIRED_TOKEN].error()
    _cut_all(world)


def _keys_renewed(world: World) -> None:
    world.service.keys = None
    world.runtime.heal()
    world.store.sync.try_now()


def _jump(seconds: float) -> Callable[[World], Awaitable[None]]:
    async def strike(world: World) -> None:
        world.disk.wall_ahead_s += seconds

    return strike


def _sleep(*, clock_runs: bool) -> Callable[[World], Awaitable[None]]:
    async def strike(world: World) -> None:
        """Freeze the program for an hour: every connection is dead when it wakes."""
        if clock_runs:
            asyncio.get_running_loop()._jumping.now += HOUR_S  # type: ignore[attr-defined]  # the loop is virtual
        else:
            world.disk.wall_ahead_s += HOUR_S
        for link in world.service.links:
            if link.is_open or link.trying:
                link.befall(VOICE[Fault.HALF_OPEN], Fault.HALF_OPEN)
        world.controller.on_resumed()

    return strike


def _store_strike(error: KnownError) -> Callable[[World], Awaitable[None]]:
    async def strike(world: World) -> None:
        world.runtime.down = error

    return strike


def _miscall(fault: Miscall, times: int = 2) -> Callable[[World], Awaitable[None]]:
    async def strike(world: World) -> None:
        world.runtime.mishaps.extend([Mishap(fault)] * times)

    return strike


def _store_back(world: World) -> None:
    world.runtime.heal()
    world.store.sync.try_now()


def _close_sessions(status: RemoteStatus | None) -> Callable[[World], Awaitable[None]]:
    async def strike(world: World) -> None:
        for session in list(world.runtime.sessions.values()):
            if status is not None:
                session.status = status
            else:
                del world.runtime.sessions[session.session_id]

    return strike


async def _lock_keyring(world: World) -> None:
    world.disk.keyring_fault = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")


def _unlock_keyring(world: World) -> None:
    world.disk.keyring_fault = None


async def _fill_disk(world: World) -> None:
    world.disk.full = True


def _free_disk(world: World) -> None:
    world.disk.full = False


async def _lose_successor(world: World) -> None:
    """Break the wire session that is prepared beside the live one, if there is one."""
    if world.service.carrier is not None:
        for link in world.service.links:
            if (link.is_open or link.trying) and not link.listening:
                link.break_off(VOICE[Fault.RESET_TCP])


async def _late_answer(world: World) -> None:
    """Lose the link; when the next one is there, the old one's network delivers what it still had."""
    old = world.service.carrier
    _cut_all(world)

    async def deliver() -> None:
        await world.until(world.well)
        if old is not None:
            old.say_late(question_of(7))

    world.in_background(deliver())


_RETRY = "connects again by itself, after a short wait"
_RENEW = "opens the next wire session at once"
_SAY = "stops and says what is wrong and what to do; goes on after Try now"
_SYNC = "the conversation goes on; turns wait in the outbox and are delivered when it is over"
_NOTHING = "goes on, nobody notices"

_VOICE_WORDS: dict[Fault, str] = {
    Fault.HTTP_VALIDATION: "HTTP 400 ValidationException",
    Fault.HTTP_QUOTA: "HTTP 400 ServiceQuotaExceededException",
    Fault.HTTP_DENIED: "HTTP 403 AccessDeniedException",
    Fault.HTTP_EXPIRED_TOKEN: "HTTP 403 ExpiredTokenException",
    Fault.HTTP_NOT_FOUND: "HTTP 404 ResourceNotFoundException",
    Fault.HTTP_TIMED_OUT: "HTTP 408 ModelTimeoutException",
    Fault.HTTP_MODEL_ERROR: "HTTP 424 ModelErrorException",
    Fault.HTTP_THROTTLED: "HTTP 429 ThrottlingException",
    Fault.HTTP_NOT_READY: "HTTP 429 ModelNotReadyException",
    Fault.HTTP_INTERNAL: "HTTP 500 InternalServerException",
    Fault.HTTP_UNAVAILABLE: "HTTP 503 ServiceUnavailableException",
    Fault.HTTP_UNKNOWN: "HTTP 418, an error of an unknown name",
    Fault.RESET_TCP_EARLY: "connection reset before the answer's headers",
    Fault.RESET_STREAM_EARLY: "stream reset before the answer's headers",
    Fault.MUTE: "the service takes the connection and never answers",
    Fault.STREAM_VALIDATION: "validationException in mid-stream",
    Fault.STREAM_UNSTABLE: "“System instability detected” in mid-stream",
    Fault.STREAM_CLOSED_531: "“InternalErrorCode=531” in mid-stream",
    Fault.STREAM_MODEL_ERROR: "modelStreamErrorException in mid-stream",
    Fault.STREAM_THROTTLED: "throttlingException in mid-stream",
    Fault.STREAM_INTERNAL: "internalServerException in mid-stream",
    Fault.STREAM_UNAVAILABLE: "serviceUnavailableException in mid-stream",
    Fault.STREAM_TIMED_OUT: "modelTimeoutException in mid-stream (the 8-minute limit, come early)",
    Fault.STREAM_EXPIRED_TOKEN: "expired keys noticed in mid-stream",
    Fault.STREAM_UNKNOWN_EXCEPTION: "an exception of an unknown name in mid-stream",
    Fault.STREAM_ERROR_MESSAGE: "an error message in mid-stream",
    Fault.RESET_TCP: "connection reset (RST)",
    Fault.FIN: "connection closed (FIN)",
    Fault.RESET_STREAM: "HTTP/2 stream reset",
    Fault.GOAWAY_ABRUPT: "HTTP/2 GOAWAY that drops the stream",
    Fault.EARLY_END: "the service ends the stream without a word",
    Fault.TRUNCATED_EVENT: "an event cut in half",
    Fault.BAD_CHECKSUM: "an event with a wrong checksum",
    Fault.HALF_OPEN: "half-open: the connection is dead and nobody says so",
    Fault.SLOW_READER: "the service stops reading",
    Fault.SLOW_LINK: "a slow link: every answer arrives a quarter of a second late",
    Fault.GOAWAY_GRACEFUL: "HTTP/2 GOAWAY that lets the stream go on",
    Fault.UNKNOWN_EVENT: "an event that this version does not know",
    Fault.UNKNOWN_EVENT_TYPE: "an event-stream message of an unknown type",
}


def _does(outcome: Outcome) -> str:
    if outcome.reason is None:
        return _NOTHING
    return {Verdict.RENEW: _RENEW, Verdict.RETRY: _RETRY, Verdict.FAIL: _SAY}[VERDICTS[outcome.reason]]


_VOICE_TROUBLES = tuple(
    Trouble(
        name=fault.name,
        what=_VOICE_WORDS[fault],
        does=_does(outcome),
        strike=_voice_strike(fault),
        bound_s=BOUND_S + outcome.after_s,
    )
    for fault, outcome in VOICE.items()
)

_STORE_WORDS: dict[Fault, str] = {
    Fault.API_DOWN: "session store down for 10 s",
    Fault.API_DENIED: "session store: access denied for 10 s",
    Fault.API_THROTTLED: "session store: throttled for 10 s",
    Fault.API_INTERNAL: "session store: internal errors for 10 s",
    Fault.API_QUOTA: "session store: quota used up for 10 s",
    Fault.API_EXPIRED_TOKEN: "session store: expired keys for 10 s",
}

_STORE_TROUBLES = (
    *(
        Trouble(
            name=fault.name,
            what=words,
            does=_SYNC,
            strike=_store_strike(STORE[fault].error()),
            heal=_store_back,
            lasts_s=10.0,
        )
        for fault, words in _STORE_WORDS.items()
    ),
    Trouble(
        name="API_SLOW",
        what="session store: two answers come after 9 s",
        does=_SYNC,
        strike=_miscall(Miscall.SLOW),
    ),
    Trouble(
        name="API_TORN",
        what="session store: half an answer, though the request was carried out",
        does="looks the session up by what is written on it, and adopts it; a turn is found under its own id",
        strike=_miscall(Miscall.LOST_ANSWER, 1),
    ),
    Trouble(
        name="API_LOST_ANSWER",
        what="session store: two answers are lost, though the requests were carried out",
        does="asks again under the same id, finds it there, counts it as delivered",
        strike=_miscall(Miscall.LOST_ANSWER),
    ),
    Trouble(
        name="API_SESSION_EXPIRED",
        what="the remote session has expired",
        does="begins a successor session; what is stored stays",
        strike=_close_sessions(RemoteStatus.EXPIRED),
    ),
    Trouble(
        name="API_SESSION_ENDED",
        what="somebody ended the remote session",
        does="begins a successor session; what is stored stays",
        strike=_close_sessions(RemoteStatus.ENDED),
    ),
    Trouble(
        name="API_SESSION_DELETED",
        what="somebody deleted the remote session",
        does="begins a successor session and delivers all local turns anew; nothing local is deleted",
        strike=_close_sessions(None),
    ),
)

_WORLD_TROUBLES = (
    Trouble(
        name="NO_NETWORK",
        what="no network for 20 s",
        does="tries again with growing pauses, and at once when the network is up",
        strike=_no_network,
        heal=_network_back,
        lasts_s=20.0,
    ),
    Trouble(
        name="NO_NAMES",
        what="no name service for 20 s",
        does="tries again with growing pauses, and at once when the network changes",
        strike=_no_names,
        heal=_network_back,
        lasts_s=20.0,
    ),
    Trouble(
        name="SERVICE_DOWN",
        what="the voice service is down for 60 s, and nobody tells when it is back",
        does="tries again with growing pauses of at most 30 s",
        strike=_service_down,
        heal=_service_back,
        lasts_s=60.0,
        bound_s=35.0,
    ),
    Trouble(
        name="KEYS_EXPIRED",
        what="the AWS keys expire and every connection breaks",
        does=_SAY,
        strike=_keys_expired,
        heal=_keys_renewed,
        lasts_s=20.0,
    ),
    Trouble(name="CLOCK_FORWARD", what="the clock jumps an hour forward", does=_NOTHING, strike=_jump(HOUR_S)),
    Trouble(name="CLOCK_BACK", what="the clock jumps an hour back", does=_NOTHING, strike=_jump(-HOUR_S)),
    Trouble(
        name="SLEEP",
        what="the computer sleeps for an hour, its timers with it",
        does="gives up every connection on waking and opens a new one at once",
        strike=_sleep(clock_runs=False),
    ),
    Trouble(
        name="SLEEP_CLOCK_RUNS",
        what="the computer sleeps for an hour, and timers count the hour",
        does="gives up every connection on waking and opens a new one at once",
        strike=_sleep(clock_runs=True),
    ),
    Trouble(
        name="KEYRING_LOCKED",
        what="the keyring is locked for 10 s",
        does="keeps session ids for this run, says so, goes on",
        strike=_lock_keyring,
        heal=_unlock_keyring,
        lasts_s=10.0,
    ),
    Trouble(
        name="DISK_FULL",
        what="the disk is full for 8 s",
        does="says so, keeps the turns in memory, writes them when there is room",
        strike=_fill_disk,
        heal=_free_disk,
        lasts_s=8.0,
    ),
    Trouble(
        name="SUCCESSOR_LOST",
        what="the wire session that is prepared for the renewal breaks",
        does="the live one goes on; another one is prepared after a short wait",
        strike=_lose_successor,
    ),
    Trouble(
        name="LATE_ANSWER",
        what="the link is lost, and its answer arrives after its successor is live",
        does="connects again; what comes from the dead link changes nothing",
        strike=_late_answer,
    ),
)

TROUBLES: tuple[Trouble, ...] = _VOICE_TROUBLES + _STORE_TROUBLES + _WORLD_TROUBLES
