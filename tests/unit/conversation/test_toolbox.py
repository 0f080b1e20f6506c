"""Tool answers are always the JSON text of an object."""

import json
import logging
import re
from datetime import UTC, datetime

import pytest

from novadesk.conversation.label import make_label
from novadesk.conversation.toolbox import CurrentTime, Toolbox
from novadesk.protocol.events import ToolSpec


class Scripted:
    def __init__(self, answer: str | Exception) -> None:
        self.spec = ToolSpec(name="scripted", description="", input_schema="{}")
        self.answer = answer

    async def call(self, arguments: str) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_an_unknown_tool_is_answered_at_once() -> None:
    assert json.loads(await Toolbox().call("weather", "{}")) == {"error": "not available"}


async def test_the_built_in_tool_tells_the_time() -> None:
    toolbox = Toolbox([CurrentTime(lambda: datetime(2026, 11, 21, 9, 5, tzinfo=UTC))])
    assert [spec.name for spec in toolbox.specs()] == ["current_time"]
    assert json.loads(toolbox.specs()[0].input_schema)["type"] == "object"
    answer = json.loads(await toolbox.call("current_time", "{}"))
    assert answer == {"iso": "2026-11-21T09:05:00+00:00", "spoken": "Saturday 21 November 2026, 09:05"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"result": [1]}),
        ("prose", {"error": "failed"}),
        (OSError(), {"error": "failed"}),
    ],
)
async def test_whatever_a_tool_does_the_answer_is_an_object(
    answer: str | Exception, expected: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, logger="novadesk.conversation.toolbox"):
        assert json.loads(await Toolbox([Scripted(answer)]).call("scripted", "{}")) == expected


def test_labels_read_like_names() -> None:
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[1-9][0-9]{2}", make_label()) for _ in range(200))
