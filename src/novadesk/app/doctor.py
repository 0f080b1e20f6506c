"""`novadesk doctor`: tries everything that a conversation needs, one after another, and says what is wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from novadesk import permission
from novadesk.app.access import try_parts, try_store, try_voice
from novadesk.app.accounts import make_accounts
from novadesk.app.backend import make_practice
from novadesk.app.bundling import crash_parts, report_part, save_bundle
from novadesk.app.command import own_command
from novadesk.app.doctor_keys import examine_talk_key
from novadesk.app.facts import log_tail, program
from novadesk.app.gateway_erasure import examine_deletions
from novadesk.app.output import put, put_note
from novadesk.app.update_command import examine_updates
from novadesk.app.windowcheck import check_window
from novadesk.audio.client import EngineSound
from novadesk.catalogue import entry_of
from novadesk.config import Settings
from novadesk.conversation.view import BACKEND_NAMES
from novadesk.desktop.keychain import Keychain
from novadesk.diagnostics.bundle import BundlePart
from novadesk.diagnostics.crash import CrashFiles
from novadesk.diagnostics.report import Facts
from novadesk.errors import KnownError, Layer, Reason
from novadesk.models import BackendKind
from novadesk.paths import Folders, find_folders
from novadesk.settings_file import load_settings
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check. `needed` ones decide the exit code."""

    name: str
    ok: bool
    needed: bool
    what: str
    advice: str = ""
    code: str = ""


class _Check(Protocol):
    async def __call__(self, name: str, work: Callable[[], Awaitable[str]], *, needed: bool) -> None: ...


def run_doctor(*, profile: str, as_json: bool, bundle: Path | None = None) -> int:
    """Run every check and print the findings; return 0 when all that the chosen backend needs works, else 1.

    Args:
        profile: of the settings.
        as_json: print data.
        bundle: write a diagnostics bundle there too; nobody has read what is in it, so it says that it should be.

    Raises:
        KnownError: the bundle cannot be written; the findings were printed.
    """
    folders = find_folders(profile=profile)
    findings = asyncio.run(_examine(folders))
    healthy = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        put(json.dumps({"ok": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            mark = "ok" if finding.ok else ("BAD" if finding.needed else "note")
            code = f"({finding.code})" if finding.code else ""
            put(" ".join(filter(None, (f"{mark:>4}  {finding.name}: {finding.what}", finding.advice, code))))
    if bundle is not None:
        save_bundle(bundle, _parts(folders, findings))
        if not as_json:
            put(f"The bundle is {bundle}. Read it before you hand it on.")
    return 0 if healthy else 1


def print_policy(*, profile: str) -> int:
    """Print the IAM policy for the region and the key of the settings; return the exit code."""
    backend = load_settings(find_folders(profile=profile).settings_file).backend
    put(permission.policy(backend.region, backend.kms_key))
    put_note(Layer.CREDENTIALS, permission.NOT_VERIFIED)
    return 0


def _parts(folders: Folders, findings: list[Finding]) -> list[BundlePart]:
    try:
        settings = load_settings(folders.settings_file)
    except (KnownError, OSError):
        settings = Settings()
    facts = Facts(
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        program=program(),
        state=[
            (finding.name, f"{'ok' if finding.ok else 'BAD'} {finding.code} {finding.what}") for finding in findings
        ],
        settings=settings,
        metrics=(),
        log=log_tail(folders.log_file),
    )
    return [report_part(facts), *crash_parts(folders.state / "reports")]


async def _examine(folders: Folders) -> list[Finding]:
    findings: list[Finding] = []
    settings: Settings | None = None

    async def check(name: str, work: Callable[[], Awaitable[str]], *, needed: bool) -> None:
        try:
            findings.append(Finding(name=name, ok=True, needed=needed, what=await work()))
        except KnownError as error:
            code = entry_of(error.reason).code
            found = Finding(name=name, ok=False, needed=needed, what=error.what, advice=error.advice, code=code)
            findings.append(found)
        except OSError as error:
            what = f"{error.filename or 'A file'} cannot be used ({error.strerror})."
            advice, code = "Make it writable for you.", entry_of(Reason.STORE_LOCKED).code
            findings.append(Finding(name=name, ok=False, needed=needed, what=what, advice=advice, code=code))

    async def read_settings() -> str:
        nonlocal settings
        folders.make()
        settings = load_settings(folders.settings_file)
        return str(folders.settings_file) if folders.settings_file.exists() else "defaults, no file"

    window = asyncio.create_task(check_window(), name="window-check")  # beside the rest: it starts a process
    try:
        await check("settings", read_settings, needed=True)
        await check("store", lambda: _store(folders), needed=True)
        if findings[-1].ok and folders.database.exists():
            await check("deletions", lambda: _deletions(folders, settings or Settings()), needed=False)
        if settings is not None:  # without them it is not known what to connect to
            await _examine_backend(settings, folders, check)
        await check("sound", lambda: _sound(settings or Settings()), needed=False)
        await check("keyring", lambda: _keyring(folders), needed=False)
        await check("window", lambda: window, needed=False)
        await check("talk key", lambda: examine_talk_key((settings or Settings()).talk), needed=False)
        await check("crashes", lambda: _crashes(folders), needed=False)
        await check("updates", lambda: _updates(folders, settings or Settings()), needed=False)
    finally:
        window.cancel()
        await asyncio.gather(window, return_exceptions=True)
    return findings


async def _examine_backend(settings: Settings, folders: Folders, check: _Check) -> None:
    backend = settings.backend.kind
    if backend is BackendKind.PRACTICE:
        await check("practice parts", try_parts, needed=True)
    practice, accounts = make_practice(folders), make_accounts(folders)
    tokens = accounts.tokens(settings.backend)
    try:
        await check(BACKEND_NAMES[backend], lambda: try_voice(settings, practice, tokens), needed=True)
        if backend is not BackendKind.GATEWAY:  # which keeps them itself; without it conversations stay here
            await check("sync", lambda: try_store(settings, practice), needed=False)
    finally:
        await accounts.close()
        await practice.stop()


async def _store(folders: Folders) -> str:
    if not folders.database.exists():
        return "empty, made with the first turn"
    async with Database(folders.database, read_only=True) as database:
        count = len(await Conversations(database).conversations(limit=10_000))
    return f"{count} conversations"


async def _deletions(folders: Folders, settings: Settings) -> str:
    async with Database(folders.database, read_only=True) as database:
        return await examine_deletions(database, settings.backend.gateway)


async def _sound(settings: Settings) -> str:
    engine = EngineSound(own_command("engine"), settings.audio)
    try:
        microphones, speakers = await engine.devices()
    finally:
        await engine.shutdown()
    if not microphones:
        raise KnownError(Reason.NO_MICROPHONE, "There is no microphone.", "Plug one in; typing works without.")
    if not speakers:
        raise KnownError(Reason.NO_SPEAKER, "There is no speaker.", "Plug one in; answers are still written.")
    return f"{len(microphones)} microphones, {len(speakers)} speakers"


async def _keyring(folders: Folders) -> str:
    await Keychain(folders.keyring_service).get("doctor")
    return "reachable and unlocked"


async def _updates(folders: Folders, settings: Settings) -> str:
    return await asyncio.to_thread(examine_updates, folders, settings)


async def _crashes(folders: Folders) -> str:
    files = CrashFiles(folders.state / "reports")
    if unseen := files.unseen():
        return f"NovaDesk met a fault; the report is {unseen[-1]}"
    return f"the newest report is {files.newest(1)[0]}" if files.newest(1) else "none"
