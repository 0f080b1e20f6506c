"""Signing in to AWS with a stand-in for its program: what is run, told and left behind."""

import asyncio
import os
from pathlib import Path

import pytest

from novadesk.app.signin import sign_in
from novadesk.errors import KnownError, Reason

POSIX = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")


def stand_in(folder: Path, script: str) -> dict[str, str]:
    """Put an `aws` into a folder; return the variables under which only it is found."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "aws"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "OUT": str(folder / "out")}


async def test_without_the_program_nothing_is_run(tmp_path: Path) -> None:
    told: list[str] = []
    assert await sign_in("work", told.append, environment={"PATH": str(tmp_path)}) is False
    assert told == []


@POSIX
async def test_the_person_s_profile_is_signed_in_and_the_page_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    script = 'echo "$@" > "$OUT"; echo "Open https://device.sso.eu-west-1.amazonaws.com/ and enter ABCD-EFGH"'
    assert await sign_in("my work", told.append, environment=stand_in(tmp_path, script)) is True
    assert (tmp_path / "out").read_text() == "sso login --profile my work\n"
    assert told == ["https://device.sso.eu-west-1.amazonaws.com/"]


@POSIX
@pytest.mark.parametrize(("script", "deadline_s"), [("echo no; exit 255", 60.0), ("exec sleep 60", 0.05)])
async def test_no_sign_in_is_said(tmp_path: Path, script: str, deadline_s: float) -> None:
    with pytest.raises(KnownError) as told:
        await sign_in("", print, environment=stand_in(tmp_path, script), deadline_s=deadline_s)
    assert told.value.reason is Reason.SIGN_IN_FAILED
    assert told.value.advice


@POSIX
async def test_giving_up_leaves_no_program_behind(tmp_path: Path) -> None:
    reached = asyncio.Event()
    environment = stand_in(tmp_path, "echo https://sign.in/; exec sleep 60")
    running = asyncio.create_task(sign_in("", lambda _address: reached.set(), environment=environment))
    async with asyncio.timeout(60):
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
