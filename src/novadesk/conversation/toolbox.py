"""The tools that a conversation offers to the model, and the answers to those it does not."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from novadesk.conversation.ports import Tool
from novadesk.protocol.events import ToolSpec
from novadesk.protocol.session_events import ToolRequested

_log = logging.getLogger(__name__)

NOT_AVAILABLE = json.dumps({"error": "not available"})
CALL_S = 10.0


class CurrentTime:
    """The built-in tool that tells the time.

    Args:
        now: returns the local time with its zone.
    """

    spec = ToolSpec(
        name="current_time",
        description="Returns the user's local date and time.",
        input_schema=json.dumps({"type": "object", "properties": {}, "required": []}),
    )

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def call(self, arguments: str) -> str:
        """Return the JSON text of an object, given the JSON text of the arguments."""
        del arguments
        now = self._now()
        return json.dumps({"iso": now.isoformat(timespec="seconds"), "spoken": now.strftime("%A %d %B %Y, %H:%M")})


class Toolbox:
    """Answers the model's tool requests; always with the JSON text of an object, whatever happens."""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return what is offered at the start of a wire session."""
        return tuple(tool.spec for tool in self._tools.values())

    async def call(self, name: str, arguments: str) -> str:
        """Return a tool's answer within `CALL_S`, or an error object."""
        tool = self._tools.get(name)
        if tool is None:
            return NOT_AVAILABLE
        try:
            async with asyncio.timeout(CALL_S):
                answer = await tool.call(arguments)
            return answer if isinstance(json.loads(answer), dict) else json.dumps({"result": json.loads(answer)})
        except TimeoutError:
            return json.dumps({"error": "timed out"})
        except Exception:
            _log.exception("a tool failed")
            return json.dumps({"error": "failed"})


class ToolRuns:
    """Runs what the model asked for beside the conversation.

    Args:
        toolbox: the tools.
        deliver: takes the request, the generation of the wire session that it came on, the answer, and whether the
            person waits for what follows from it.
    """

    def __init__(self, toolbox: Toolbox, deliver: Callable[[ToolRequested, int | None, str, bool], None]) -> None:
        self._toolbox = toolbox
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted: set[asyncio.Task[None]] = set()

    def ask(self, request: ToolRequested, generation: int | None, *, wanted: bool) -> None:
        """Begin to answer a request; `wanted`: the person waits for what follows from it."""
        task = asyncio.create_task(self._answer(request, generation), name="tool")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if wanted:
            self._wanted.add(task)
            task.add_done_callback(self._wanted.discard)

    def forgo(self) -> None:
        """Note that the person waits for nothing of what runs."""
        self._wanted.clear()

    async def stop(self) -> None:
        """Break off what runs: nobody waits for the answers any more."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: ToolRequested, generation: int | None) -> None:
        result = await self._toolbox.call(request.name, request.arguments)
        self._deliver(request, generation, result, asyncio.current_task() in self._wanted)
