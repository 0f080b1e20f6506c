"""How a gateway runs: limits and times, all of them options."""

from dataclasses import dataclass, field

from novadesk.server.gateway.limits import Rate

SESSIONS = 10
"""Sessions at once: document 001's SESSION_MAX_CONCURRENT."""

IDLE_S = 3_600.0
"""Time without a turn after which a session ends: document 001's SESSION_TIMEOUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Times in seconds.

    Attributes:
        idle_s: without a turn after which a session ends.
        keep_s: for which a session without a client can be resumed.
        grace_s: for which a session without a connection goes on as if it had one.
        touch_s: between two signs in the store that a session is alive.
        heartbeat_s: between two heartbeats of a client; without a message for `HEARTBEATS` of them, it is gone.
        warning_s: before the end of a token at which the client is told.
        rest_s: longest time for which a process that is about to stop lets an answer end before its client is to move.
        drain_s: longest time that clients have to move to another process, and sessions to end.
        stop_s: longest time that sessions have to end.
    """

    idle_s: float = IDLE_S
    keep_s: float = 900.0
    grace_s: float = 60.0
    touch_s: float = 5.0
    heartbeat_s: float = 15.0
    warning_s: float = 60.0
    rest_s: float = 5.0
    drain_s: float = 20.0
    stop_s: float = 10.0


HEARTBEATS = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """What people may have, and how often.

    Attributes:
        sessions: at once, of all.
        sessions_per_owner: at once, of one.
        connections: of one address.
        creations: sessions that one owner may begin.
        messages: text messages on one connection.
        requests: of one address.
    """

    sessions: int = SESSIONS
    sessions_per_owner: int = SESSIONS
    connections: Rate = field(default_factory=lambda: Rate(most=60, span_s=60.0))
    creations: Rate = field(default_factory=lambda: Rate(most=120, span_s=3_600.0))
    messages: Rate = field(default_factory=lambda: Rate(most=600, span_s=10.0))
    requests: Rate = field(default_factory=lambda: Rate(most=1_200, span_s=10.0))
