"""Signing in to AWS again: with AWS's own program, in the person's browser."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

from novadesk.awscli import sign_in_command
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

SIGN_IN_S = 600.0
"""Longest wait for the person; AWS's device code is good for ten minutes (AWS SDKs Reference Guide, IAM Identity
Center authentication)."""

_END_S = 2.0
_ADDRESS = re.compile(r"https://\S+")
_CREATION_FLAGS: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows only


async def sign_in(
    profile: str,
    tell: Callable[[str], None],
    *,
    environment: Mapping[str, str] = os.environ,
    deadline_s: float = SIGN_IN_S,
) -> bool:
    """Run the AWS program until the person has signed in; return False when it is not installed.

    Args:
        profile: name of the AWS profile, empty for the default.
        tell: takes the address of the sign-in page, for when no browser opens by itself.
        environment: the program's variables.
        deadline_s: longest wait.

    Raises:
        KnownError: `SIGN_IN_FAILED`.
    """
    command = sign_in_command(profile)
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *command[1:],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_foreign(environment),
            creationflags=_CREATION_FLAGS,
        )
    except OSError as error:
        raise _failed(Text("The AWS program does not start.")) from error
    try:
        async with asyncio.timeout(deadline_s):
            await _follow(process, tell)
            status = await process.wait()
    except TimeoutError as error:
        raise _failed(Text("Nobody signed in within ten minutes.")) from error
    finally:
        await _end(process)
    if status != 0:
        raise _failed(Text("The sign-in to AWS did not work."))
    return True


async def _follow(process: asyncio.subprocess.Process, tell: Callable[[str], None]) -> None:
    """Read what the program says to its end; nothing of it is kept, for a code stands in it."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if address := _ADDRESS.search(line.decode("utf-8", "replace")):
            tell(address[0])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
            return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _foreign(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program that is not part of ours: a frozen program's own libraries break it."""
    found = dict(environment)
    if getattr(sys, "frozen", False):
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            before = found.pop(f"{name}_ORIG", "")
            found.pop(name, None)
            if before:
                found[name] = before
    return found


def _failed(what: Text) -> KnownError:
    return KnownError(Reason.SIGN_IN_FAILED, what, "Try again, or run `aws sso login` in a terminal to see why.")
