"""`novadesk serve`: the local server in front, until SIGTERM."""

import asyncio
import logging
from pathlib import Path

from novadesk.app.output import put_note
from novadesk.errors import KnownError, Layer, Reason
from novadesk.logs import start_logs, stop_logs
from novadesk.paths import find_folders
from novadesk.protocol.limits import Limits
from novadesk.server.runner import ServerOptions, serve
from novadesk.settings_file import open_settings

_log = logging.getLogger(__name__)


def run_serve(
    *,
    profile: str,
    folder: Path | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    persona: Path | None,
    llm: str,
    llm_model: str,
    until_stdin_closes: bool,
    gateway: bool = False,
) -> int:
    """Serve until told to stop; return the exit code.

    Raises:
        KnownError: the server cannot start, or nobody can read its address.
    """
    folders = find_folders(profile=profile).make()
    opened = open_settings(folders.settings_file)
    if opened.note:  # the window goes on with a broken file, too
        put_note(Layer.SETTINGS, opened.note)
        if not until_stdin_closes:  # else who started this server keeps the log of it
            _note_in_log(folders.log_file, opened.note)
    settings = opened.settings
    scale = settings.limits.scale
    options = ServerOptions(
        folder=folder or folders.practice,
        host=host,
        port=port,
        names=names,
        limits=Limits(connection_s=settings.limits.connection_s * scale, silence_s=settings.limits.silence_s * scale),
        persona=persona,
        llm=llm or settings.practice.llm,
        llm_model=llm_model or settings.practice.llm_model,
        until_stdin_closes=until_stdin_closes,
        gateway=folders.gateway if gateway else None,
    )
    try:
        asyncio.run(serve(options))
    except OSError as error:
        raise KnownError(
            Reason.BAD_INPUT, "The server's address cannot be written.", "Check where standard output goes."
        ) from error
    return 0


def _note_in_log(file: Path, words: str) -> None:
    logs = start_logs(file)
    try:
        _log.warning("%s", words)
    finally:
        stop_logs(logs)
