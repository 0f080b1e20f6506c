"""The app's process of a renewal test: a real core with numbered sound; what happens goes to a log of JSON lines.

python -m tests.support.renewal_host CONFIG.json
"""

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from novadesk.app.core import Core, Start
from novadesk.app.heap import settled_heap
from novadesk.config import BackendSettings, LimitSettings, SessionSettings, Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.logs import start_logs, stop_logs
from novadesk.models import BackendKind, Role
from novadesk.paths import find_folders
from tests.support.renewal_frames import MicFrame
from tests.support.renewal_person import Acts, Manner, Person
from tests.support.renewal_runqueue import RunQueue
from tests.support.renewal_sound import NumberedSound

_RSS_EVERY_FRAMES = 63
_DELIVERY_S = 60.0


class Host:
    """One conversation from start to end."""

    def __init__(self, config: dict[str, Any], log: TextIO) -> None:
        self._config, self._log = config, log
        self._manner = Manner(config["manner"])
        self._person = Person(
            self._manner,
            config["seed"],
            Acts(
                press=lambda: self._core.controller.press_talk(),
                release=lambda: self._core.controller.release_talk(),
                say=lambda text: self._core.controller.say(text),
                note=self._note,
            ),
            utterance_frames=tuple(config["utterance_frames"]),
            typed_share=config["typed_share"],
        )
        self._person.answered = self._is_answered
        self._answered = 0
        self._seen: dict[str, str] = {}
        self._last: Snapshot | None = None
        self._sound = NumberedSound(self._next_frame)
        self._queue = RunQueue()
        self._core = Core(
            settings=_settings(config),
            folders=find_folders(home=config["home"]).make(),
            publish=self._take,
            on_quit=lambda: None,
        )

    async def run(self) -> None:
        """Talk for the configured time, let the last answer come, let everything be delivered, leave."""
        await self._core.start(Start(role="test", sound=self._sound))
        while self._core.controller.snapshot().phase is not Phase.READY:
            await asyncio.sleep(0.05)
        self._person.stopped = False
        await asyncio.sleep(self._config["duration_s"])
        self._person.stopped = True
        while not self._person.resting:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        captured, until = self._sound.captured, time.monotonic() + _DELIVERY_S
        await asyncio.sleep(0.5)
        while self._core.controller.snapshot().pending_sync and time.monotonic() < until:
            await asyncio.sleep(0.05)
        last = self._core.controller.snapshot()
        for playing in self._sound.speaker.all():
            self._note("played", **playing.row())
        figures = {name: getattr(last, name, None) for name in ("renewals", "reconnects", "lost_s", "pending_sync")}
        await self._core.stop()
        self._note("end", captured=captured, opened=self._sound.opened, cpu_s=time.process_time(), **figures)

    def _is_answered(self, utterance: int) -> bool:
        """Return whether the answer is there, and has been heard: after a pause of the computer both come at once."""
        return self._answered >= utterance and not self._sound.speaker.busy(time.monotonic())

    def _note(self, type: str, **more: Any) -> None:
        self._log.write(json.dumps({"at": time.monotonic(), "type": type, **more}) + "\n")

    def _next_frame(self, number: int) -> MicFrame:
        if (starved := self._queue.look()) is not None:
            self._note("starved", starved=starved)
        if number % _RSS_EVERY_FRAMES == 0:
            self._note("memory", rss_kb=_rss_kb())
            for playing in self._sound.speaker.finished():
                self._note("played", **playing.row())
        return self._person.frame(number)

    def _take(self, snapshot: Snapshot) -> None:
        last, self._last = self._last, snapshot
        if last is None or last.phase is not snapshot.phase:
            self._note("phase", phase=snapshot.phase.value)
        if last is None or last.notices != snapshot.notices:
            self._note("notices", notices=snapshot.notices)
        if snapshot.phase is Phase.FAILED and snapshot.error is not None:
            self._note("failed", reason=snapshot.error.reason)
        if last is not None and last.turns is snapshot.turns:
            return
        seen, self._seen = self._seen, {turn.turn_id: turn.text for turn in snapshot.turns}
        for turn in snapshot.turns:
            if seen.get(turn.turn_id) != turn.text:
                self._note(
                    "turn",
                    id=turn.turn_id,
                    role=turn.role.value,
                    text=turn.text,
                    interrupted=turn.interrupted,
                    unconfirmed=turn.unconfirmed,
                    wire_session=turn.wire_session,
                )
                if turn.role is Role.ASSISTANT:
                    self._answered = max(self._answered, self._person.utterance)


def _settings(config: dict[str, Any]) -> Settings:
    hands_free = Manner(config["manner"]) is Manner.HANDS_FREE
    settings = Settings(
        backend=BackendSettings(
            kind=BackendKind.BEDROCK,
            region=config["region"],
            bedrock_endpoint=config["bedrock"],
            agent_runtime_endpoint=config["agent_runtime"],
        ),
        limits=LimitSettings(connection_s=config["limit_s"]),
        session=SessionSettings(idle_s=0.0),
    )
    mode = TalkModeSetting.HANDS_FREE if hands_free else TalkModeSetting.HOLD
    return replace(settings, talk=TalkSettings(mode=mode))


def _rss_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


async def _talk(host: Host) -> None:
    with settled_heap(asyncio.get_running_loop()):
        await host.run()


def main() -> None:
    """Run the conversation that the file describes."""
    config = json.loads(Path(sys.argv[1]).read_text())
    logs = start_logs(find_folders(home=config["home"]).make().log_file)
    try:
        with Path(config["log"]).open("w", buffering=1) as log:
            asyncio.run(_talk(Host(config, log)))
    finally:
        stop_logs(logs)


if __name__ == "__main__":
    main()
