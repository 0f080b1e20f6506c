"""The app's process of a kill test: a real core that says on standard output what it does, and may kill itself.

    python -m tests.support.kill_host CONFIG

CONFIG is JSON: `home`; `sound` ("file" with `wav`, or "engine"); `own_server`: start a server as the app does;
`limit_s`, `server_limit_s`: life of a wire session as the app knows it, and as that server does; `arm`: [moment, how
many of them to let pass, seconds after it] at which the process gets SIGKILL, from itself, or null. Every line that was
written before is out by then: nothing is buffered.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any


class Told:
    """Says what happens and strikes at the armed moment."""

    def __init__(self, arm: list[Any] | None) -> None:
        self._armed, self._passes, self._delay_s = arm or (None, 0, 0.0)

    def say(self, type: str, **more: Any) -> None:
        """Write one line; when this is the armed moment, die a little later."""
        line = json.dumps({"type": type, "at": time.monotonic(), **more}) + "\n"
        os.write(1, line.encode())
        self.moment(type)

    def moment(self, name: str) -> None:
        """Die after the armed time if this is the armed moment."""
        if name != self._armed:
            return
        if self._passes:
            self._passes -= 1
            return
        self._armed = None
        threading.Thread(target=_die, args=(self._delay_s,), daemon=True).start()


def _die(delay_s: float) -> None:
    time.sleep(delay_s)
    os.kill(os.getpid(), signal.SIGKILL)


def around[**P, T](told: Told, name: str, work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Return `work` with a line before it and one after it."""

    @wraps(work)
    async def surrounded(*given: P.args, **named: P.kwargs) -> T:
        told.say(name)
        try:
            return await work(*given, **named)
        finally:
            told.say(f"{name} over")

    return surrounded


def live(config: dict[str, Any]) -> None:
    """Run the core until told to quit over the control socket, or dead."""
    told = Told(config["arm"])
    told.say("start")
    os.environ["NOVADESK_HOME"] = config["home"]

    from novadesk.logs import start_logs
    from novadesk.paths import find_folders
    from novadesk.store.agentruntime import RemoteSessions
    from novadesk.store.conversations import Conversations
    from novadesk.transport.bedrock import PracticeLinker

    Conversations.append = around(told, "saving", Conversations.append)  # type: ignore[method-assign]
    for name in ("create", "open_invocation", "put_step"):
        setattr(RemoteSessions, name, around(told, "syncing", getattr(RemoteSessions, name)))
    PracticeLinker.link = _counted(told, PracticeLinker.link)  # type: ignore[method-assign]
    folders = find_folders(home=config["home"]).make()
    start_logs(folders.log_file)
    asyncio.run(_run(config, told))
    told.say("left")


def _counted[**P, T](told: Told, link: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    count = 0

    @wraps(link)
    async def counted(*given: P.args, **named: P.kwargs) -> T:
        nonlocal count
        count += 1
        told.say("connecting" if count == 1 else "renewing")
        return await link(*given, **named)

    return counted


async def _run(config: dict[str, Any], told: Told) -> None:
    from novadesk.app import core as app
    from novadesk.app.practice import PracticeServer
    from novadesk.audio.nullio import FileSound
    from novadesk.config import LimitSettings, SessionSettings, Settings
    from novadesk.conversation.api import Snapshot
    from novadesk.paths import Folders, find_folders

    if config["own_server"]:

        def make_practice(folders: Folders) -> PracticeServer:
            command = (
                sys.executable,
                "-m",
                "tests.support.kill_server",
                str(folders.practice),
                str(config["server_limit_s"]),
            )
            return PracticeServer(command, folders.practice)

        app.make_practice = make_practice  # the same server, with a partner that answers at once

    quit_asked = asyncio.Event()
    seen: dict[str, str] = {}
    before: Snapshot | None = None

    def take(snapshot: Snapshot) -> None:
        nonlocal before
        if before is None or snapshot.phase is not before.phase:
            told.say("phase", phase=snapshot.phase.value)
            told.moment(snapshot.phase.value)
        if before is None or snapshot.microphone is not before.microphone:
            told.say("microphone", state=snapshot.microphone.value)
        before = snapshot
        for turn in snapshot.turns:
            if seen.get(turn.turn_id) != turn.heard_text:
                seen[turn.turn_id] = turn.heard_text
                told.say("turn", id=turn.turn_id, role=turn.role.value, text=turn.heard_text)

    settings = Settings(limits=LimitSettings(connection_s=config["limit_s"]), session=SessionSettings(idle_s=0.0))
    folders = find_folders(home=config["home"]).make()
    core = app.Core(settings=settings, folders=folders, publish=take, on_quit=quit_asked.set)
    sound = FileSound(Path(config["wav"])) if config["sound"] == "file" else None
    await core.start(app.Start(role="test", sound=sound))
    snapshot = core.controller.snapshot()
    handle = snapshot.conversation.handle if snapshot.conversation is not None else None
    told.say("started", recovered=snapshot.recovered_turns, handle=handle)
    await quit_asked.wait()
    await core.stop()


if __name__ == "__main__":
    live(json.loads(sys.argv[1]))
