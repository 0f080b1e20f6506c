"""A second start asks the first for its window."""

from pathlib import Path
from typing import Any, cast

import pytest

from novadesk.app.control import ControlHandler
from novadesk.app.raising import raise_running
from novadesk.daemon import DaemonCall
from novadesk.desktop.instance import ControlServer
from novadesk.errors import KnownError, Reason
from novadesk.paths import Folders, find_folders


async def second_start(folders: Folders, *, hidden: bool = False) -> bool:
    return await DaemonCall(lambda: raise_running(folders, hidden=hidden)).result(deadline_s=10.0)


async def test_the_window_comes_forward_with_the_right_to_do_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {}

    folders = find_folders(home=str(tmp_path)).make()
    server = ControlServer(folders.control_socket, answer)
    await server.start()
    monkeypatch.setenv("XDG_ACTIVATION_TOKEN", "t1")
    try:
        assert await second_start(folders)
        assert await second_start(folders, hidden=True)
    finally:
        await server.stop()
    assert asked == [{"do": "show", "activation": "t1"}, {"do": "status"}]
    assert not await second_start(folders)


async def test_a_core_without_a_window_cannot_be_shown(tmp_path: Path) -> None:
    unused = cast(Any, None)
    shown: list[str] = []
    with pytest.raises(KnownError) as caught:
        await ControlHandler(unused, unused, unused, unused, unused)({"do": "show"})
    assert caught.value.reason is Reason.NO_DISPLAY
    await ControlHandler(unused, unused, unused, unused, unused, shown.append)({"do": "show", "activation": "t1"})
    assert shown == ["t1"]
