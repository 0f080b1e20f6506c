"""The diagnostics bundle: planted secrets of every kind, and none of them in it; saved whole or not at all."""

import getpass
import platform
import stat
import zipfile
from pathlib import Path

import pytest

from novadesk.app.bundling import save_bundle
from novadesk.app.crash import CrashKeeper
from novadesk.app.diagnosis import Diagnosis
from novadesk.config import BackendSettings, Settings, TalkSettings, VoiceSettings
from novadesk.conversation.api import ErrorNote, Phase, Snapshot
from novadesk.diagnostics.bundle import BundlePart
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Role, Turn
from novadesk.paths import find_folders
from novadesk.store.database import Database
from tests.support.store_rig import START_MS

HANDLE = "session_1790000000000_abcdefghij0123456789abcdef"
SECRETS = {
    "what was said": "Zugspitze",
    "what was answered": "Watzmann",
    "the instructions": "Karwendel",
    "a title": "Wetterstein",
    "the id here": HANDLE,
    "its random part": "abcdefghij0123456789abcdef",
    "the id there": "d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    "an id on the wire": "prompt-77",
    "an access key": "AKIAIOSFODNN7EXAMPLE",
    "a secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "a short secret of the environment": "short+secret",
    "a token": "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==",
    "the account": "123456789012",
    "the user": "annamuster",
    "the home": "/home/annamuster",
    "the computer": "annas-laptop",
    "a mail address": "anna@example.com",
    "a profile": "muster-private",
    "a device": "Annas Kopfhörer",
    "a password of an address": "hunter2",
    "a label": "caring-king",
}


class FixedClock:
    def now(self) -> float:
        return 1.0

    def unix_ms(self) -> int:
        return START_MS


def planted() -> str:
    return " ".join(SECRETS.values())


def snapshot() -> Snapshot:
    conversation = Conversation(
        handle=HANDLE,
        label="caring-king-275",
        title="Wetterstein",
        backend=BackendKind.BEDROCK,
        created_ms=1,
        updated_ms=2,
    )
    turn = Turn(
        turn_id="d23f0824-128b-4f33-8c5c-7fd0a6a3a450", conversation=HANDLE, position=0, role=Role.USER,
        text="Zugspitze", at_ms=START_MS, wire_session="w",
    )  # fmt: skip
    error = ErrorNote(layer="network", reason="network.link_lost", what=planted(), advice=planted())
    return Snapshot(
        phase=Phase.SPEAKING, conversation=conversation, turns=(turn,), error=error, notices=(planted(),),
        microphone_name="Annas Kopfhörer", keyring_note=planted(), store_note=planted(),
    )  # fmt: skip


SETTINGS = Settings(
    backend=BackendSettings(
        profile="muster-private",
        bedrock_endpoint="https://annamuster:hunter2@host.example:8443/x?token=hunter2",
        kms_key="arn:aws:kms:eu-central-1:123456789012:key/d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
        ca_bundle="/home/annamuster/ca.pem",
    ),
    voice=VoiceSettings(prompt="Karwendel"),
    talk=TalkSettings(),
)
EVENTS = (
    b'{"event":{"textOutput":{"promptName":"prompt-77","contentId":"prompt-77","role":"USER","content":"Zugspitze"}}}',
    b'{"event":{"textOutput":{"promptName":"prompt-77","role":"ASSISTANT","content":"Watzmann annamuster"}}}',
    b'{"event":{"Zugspitze":{"AKIAIOSFODNN7EXAMPLE":"annamuster"}}}',
)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a person with a name, a home and keys."""
    monkeypatch.setattr(getpass, "getuser", lambda: "annamuster")
    monkeypatch.setattr(platform, "node", lambda: "annas-laptop")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/annamuster"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "short+secret")
    monkeypatch.setenv("AWS_PROFILE", "muster-private")


async def test_no_secret_is_in_it(person: None, tmp_path: Path) -> None:
    folders = find_folders(home=str(tmp_path / "home")).make()
    folders.log_file.write_text(
        f"2027-01-15 07:59:59,123 INFO    novadesk.x: {planted()}\n"
        "2027-01-15 07:59:59,123 ERROR   novadesk.x: failed in /home/annamuster/x on annas-laptop for "
        f"{HANDLE} of ANNAMUSTER with AKIAIOSFODNN7EXAMPLE and short+secret\n"
        f'  File "/home/annamuster/x.py", line 3, in go\n    {planted()}\nValueError: {planted()}\n',
        encoding="utf-8",
    )
    keeper = CrashKeeper(folders, SETTINGS)
    keeper.take(f"thread of annamuster, {HANDLE}", ['  File "x.py", line 3, in go', "ValueError"])
    told: list[float] = []
    async with Database(folders.database) as database:
        made = Diagnosis(settings=SETTINGS, folders=folders, database=database, clock=FixedClock(), snapshot=snapshot)
        made.see(snapshot())
        for event in EVENTS:
            made.recorder.received(1, event, 1.0)
        made.recorder.note(f"ready {HANDLE} of annamuster")
        parts = await made.bundle(told.append)
    file = tmp_path / "bundle.zip"
    save_bundle(file, parts)
    assert told == sorted(told)
    assert told[-1] == 1.0
    with zipfile.ZipFile(file) as archive_file:
        names = archive_file.namelist()
        whole = "\n".join([*names, *(archive_file.read(name).decode() for name in names)])
    assert [name.split("-")[0] for name in names] == ["report.txt", "recording.jsonl", "crash"]
    kept = ("phase: speaking", "error: network.link_lost", "textOutput", "where: thread of …", "novadesk.x: failed")
    for part in kept:
        assert part in whole
    for what, secret in SECRETS.items():
        assert secret.lower() not in whole.lower(), what


def test_a_place_that_does_not_take_it_is_said_and_left_as_it_was(tmp_path: Path) -> None:
    parts = [BundlePart(name="a.txt", about="", text="text")]
    with pytest.raises(KnownError) as told:
        save_bundle(tmp_path / "nowhere" / "bundle.zip", parts)
    assert told.value.reason is Reason.STORE_LOCKED
    file = tmp_path / "bundle.zip"
    file.write_text("before")
    save_bundle(file, parts)
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["a.txt"]
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
