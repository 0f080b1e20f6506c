"""The catalogue of errors: for every `Reason` its reference code, its cause in general, and the one thing to do.

What happened in the case at hand is said by the `KnownError` itself. docs/errors.md is made of this table. A code
names a cause for ever: it is never given to another one.
"""

from dataclasses import dataclass
from enum import Enum

from novadesk.errors import Layer, Reason
from novadesk.text import Text


class Remedy(Enum):
    """What the button beside an error does; WORDS has none: what is to be done lies outside the window."""

    TRY_NOW = "try_now"
    SIGN_IN = "sign_in"
    SETTINGS = "settings"
    POLICY = "policy"
    COMMAND = "command"
    SYNC_NOW = "sync_now"
    NEW_CONVERSATION = "new_conversation"
    WORDS = "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row.

    Attributes:
        code: the reference code, such as "ND-LINK-03".
        cause: why it happens, as one sentence.
        step: what to do, as one sentence.
        remedy: what the button does.
        button: the word on it, empty for none.
        target: the setting that SETTINGS opens, as "section.name", or the text that COMMAND copies.
    """

    reason: Reason
    code: str
    cause: str
    step: str
    remedy: Remedy
    button: str = ""
    target: str = ""

    @property
    def layer(self) -> Layer:
        """Return the layer of the cause."""
        return self.reason.layer


def _row(
    reason: Reason, code: str, cause: Text, step: Text, remedy: Remedy, button: str = "", target: str = ""
) -> Entry:
    return Entry(reason=reason, code=code, cause=cause, step=step, remedy=remedy, button=button, target=target)


_TRY, _NOW = Remedy.TRY_NOW, Text("Try now")
_SET, _OPEN = Remedy.SETTINGS, Text("Open settings")
_SYNC, _SYNC_NOW = Remedy.SYNC_NOW, Text("Sync now")
_COPY, _COPY_IT = Remedy.COMMAND, Text("Copy command")

ENTRIES: tuple[Entry, ...] = (
    _row(Reason.BAD_INPUT, "ND-INPUT-01",
         Text("A command or a field got something that it does not take."),
         Text("Correct what the sentence names."),
         Remedy.WORDS),
    _row(Reason.FILE_MISSING, "ND-INPUT-02",
         Text("A file that was named is not there."),
         Text("Check the name of the file."),
         Remedy.WORDS),
    _row(Reason.BAD_WAV, "ND-INPUT-03",
         Text("A sound file is no WAV that NovaDesk reads."),
         Text("Save it as 16-bit PCM WAV, 8 to 48 kHz."),
         Remedy.WORDS),
    _row(Reason.UNKNOWN_CONVERSATION, "ND-INPUT-04",
         Text("The conversation was deleted, or never was on this computer."),
         Text("Choose another conversation, or begin a new one."),
         Remedy.NEW_CONVERSATION, Text("New conversation")),

    _row(Reason.BAD_SETTINGS, "ND-SET-01",
         Text("The settings hold a value that NovaDesk does not know."),
         Text("Correct the setting that the sentence names."),
         _SET, _OPEN, "backend.kind"),
    _row(Reason.BAD_REGION, "ND-SET-02",
         Text("The AWS region does not exist, or has no Nova Sonic."),
         Text("Choose another region in the settings."),
         _SET, Text("Choose a region"), "backend.region"),
    _row(Reason.BAD_MODEL, "ND-SET-03",
         Text("The model's name is none of Nova Sonic."),
         Text("Choose another model in the settings."),
         _SET, Text("Choose a model"), "backend.model"),

    _row(Reason.NO_MICROPHONE, "ND-SOUND-01",
         Text("No microphone is connected, or the system lets no program use it."),
         Text("Plug one in, or choose another one; typing works without."),
         _SET, Text("Choose a microphone"), "audio.microphone"),
    _row(Reason.NO_SPEAKER, "ND-SOUND-02",
         Text("No speaker is connected."),
         Text("Plug one in, or choose another one; answers are still written."),
         _SET, Text("Choose a speaker"), "audio.speaker"),
    _row(Reason.UNKNOWN_DEVICE, "ND-SOUND-03",
         Text("A sound device of the settings is not connected."),
         Text("Connect it, or choose another one."),
         _SET, Text("Choose a device"), "audio.microphone"),
    _row(Reason.SOUND_SERVER_GONE, "ND-SOUND-04",
         Text("The sound service of the system does not run or does not answer."),
         Text("Start it again, then try now."),
         _TRY, _NOW),
    _row(Reason.ENGINE_DIED, "ND-SOUND-05",
         Text("NovaDesk's audio process has ended or hangs."),
         Text("NovaDesk starts it again by itself; try now does so at once."),
         _TRY, _NOW),
    _row(Reason.DEVICE_STALLED, "ND-SOUND-06",
         Text("A sound device does not open, or brings no sound any more."),
         Text("Choose another device, or connect this one again."),
         _SET, Text("Choose a device"), "audio.microphone"),

    _row(Reason.UNREACHABLE, "ND-LINK-01",
         Text("There is no way to the service: no network, or no such name."),
         Text("Check the network; NovaDesk goes on trying."),
         _TRY, _NOW),
    _row(Reason.LINK_LOST, "ND-LINK-02",
         Text("The connection broke."),
         Text("Nothing: NovaDesk connects again by itself, and try now does so at once."),
         _TRY, _NOW),
    _row(Reason.TIMED_OUT, "ND-LINK-03",
         Text("The other side did not answer in time."),
         Text("Check the network; NovaDesk goes on trying."),
         _TRY, _NOW),
    _row(Reason.TLS_REFUSED, "ND-LINK-04",
         Text("The server's certificate is not trusted here, as behind a checking proxy."),
         Text("Name your organisation's certificates in the settings."),
         _SET, _OPEN, "backend.ca_bundle"),
    _row(Reason.PROXY_REFUSED, "ND-LINK-05",
         Text("The proxy of HTTPS_PROXY refuses the connection."),
         Text("Check HTTPS_PROXY and NO_PROXY, or ask who runs the proxy; then try now."),
         _TRY, _NOW),

    _row(Reason.NO_CREDENTIALS, "ND-SIGN-01",
         Text("There are no AWS keys for the profile of the settings."),
         Text("Choose a profile that has keys, or set one up with `aws configure sso`."),
         _SET, Text("Choose a profile"), "backend.profile"),
    _row(Reason.CREDENTIALS_EXPIRED, "ND-SIGN-02",
         Text("The sign-in to AWS, or its temporary keys, are over."),
         Text("Sign in again."),
         Remedy.SIGN_IN, Text("Sign in again")),
    _row(Reason.ACCESS_DENIED, "ND-SIGN-03",
         Text("The keys may not use the model, or AWS does not know them."),
         Text("Give these permissions to whoever manages the account, and ask for access to the model."),
         Remedy.POLICY, Text("Copy permissions")),
    _row(Reason.BAD_SIGNATURE, "ND-SIGN-04",
         Text("The clock of this computer is wrong, or the secret key is."),
         Text("Set the clock, or renew the keys; then try now."),
         _TRY, _NOW),
    _row(Reason.SIGN_IN_FAILED, "ND-SIGN-05",
         Text("The AWS program ended without a sign-in."),
         Text("Sign in again, or run the command in a terminal and read what it says."),
         Remedy.SIGN_IN, Text("Sign in again")),

    _row(Reason.SESSION_LIMIT, "ND-SVC-01",
         Text("A session of Nova Sonic lasts eight minutes at most."),
         Text("Nothing: NovaDesk opens the next session by itself."),
         _TRY, _NOW),
    _row(Reason.INPUT_SILENCE, "ND-SVC-02",
         Text("The service heard nothing for too long and ended the session."),
         Text("Nothing: NovaDesk opens the next session by itself."),
         _TRY, _NOW),
    _row(Reason.STREAM_CLOSED, "ND-SVC-03",
         Text("The service ended the session."),
         Text("Nothing: NovaDesk opens the next session by itself."),
         _TRY, _NOW),
    _row(Reason.UNSTABLE, "ND-SVC-04",
         Text("The model failed, or is short of capacity."),
         Text("Wait a moment; NovaDesk goes on trying."),
         _TRY, _NOW),
    _row(Reason.THROTTLED, "ND-SVC-05",
         Text("The account asks for more than it may at once."),
         Text("Wait a moment; NovaDesk goes on trying."),
         _TRY, _NOW),
    _row(Reason.QUOTA, "ND-SVC-06",
         Text("The account's quota for the model is used up."),
         Text("Ask for a higher quota in the Service Quotas console, then try now."),
         _TRY, _NOW),
    _row(Reason.UNAVAILABLE, "ND-SVC-07",
         Text("The service does not work at the moment."),
         Text("Wait a moment; NovaDesk goes on trying."),
         _TRY, _NOW),
    _row(Reason.MODEL_NOT_FOUND, "ND-SVC-08",
         Text("The region does not offer the model."),
         Text("Choose another model or region in the settings."),
         _SET, Text("Choose a model"), "backend.model"),
    _row(Reason.PROTOCOL_ORDER, "ND-SVC-09",
         Text("Service and NovaDesk misunderstood each other."),
         Text("NovaDesk tries again by itself; send a report if it comes back."),
         _TRY, _NOW),
    _row(Reason.BAD_REQUEST, "ND-SVC-10",
         Text("The service does not take the voice, the prompt or another setting."),
         Text("Correct the setting that the sentence names."),
         _SET, _OPEN, "voice.voice"),
    _row(Reason.BAD_EVENT_BYTES, "ND-SVC-11",
         Text("An answer of the service arrived damaged."),
         Text("NovaDesk tries again by itself; send a report if it comes back."),
         _TRY, _NOW),
    _row(Reason.SESSION_TAKEN, "ND-SVC-12",
         Text("Another program or computer goes on with this conversation."),
         Text("End the conversation there, then try now."),
         _TRY, _NOW),

    _row(Reason.PRACTICE_FAILED, "ND-PRAC-01",
         Text("The practice partner on this computer does not start or has ended."),
         Text("Try now starts it again."),
         _TRY, _NOW),
    _row(Reason.PRACTICE_PARTS_MISSING, "ND-PRAC-02",
         Text("The practice partner's voice and ears are not installed."),
         Text("Install the package novadesk-practice, or from source run `make setup`; then start NovaDesk again."),
         Remedy.WORDS),

    _row(Reason.STORE_LOCKED, "ND-STORE-01",
         Text("The conversations' file, or its folder, cannot be written."),
         Text("Make it writable for you, or close the program that holds it; then try now."),
         _TRY, _NOW),
    _row(Reason.STORE_BROKEN, "ND-STORE-02",
         Text("The conversations' file is damaged, and no recovery copy is whole."),
         Text("Put a backup in its place; `novadesk doctor` names the file."),
         _COPY, _COPY_IT, "novadesk doctor"),
    _row(Reason.DISK_FULL, "ND-STORE-03",
         Text("The disk is full: what is said cannot be saved."),
         Text("Free some space; what waits is saved by itself."),
         _TRY, _NOW),

    _row(Reason.SYNC_DENIED, "ND-SYNC-01",
         Text("The keys may not use the remote session store; conversations stay here."),
         Text("Give these permissions to whoever manages the account."),
         Remedy.POLICY, Text("Copy permissions")),
    _row(Reason.SYNC_CONFLICT, "ND-SYNC-02",
         Text("Another computer changed the remote copy at the same moment."),
         Text("Nothing: NovaDesk merges both and goes on; sync now does so at once."),
         _SYNC, _SYNC_NOW),
    _row(Reason.SYNC_SESSION_CLOSED, "ND-SYNC-03",
         Text("The remote session of a conversation is gone or is full."),
         Text("Nothing: NovaDesk makes the next one; sync now does so at once."),
         _SYNC, _SYNC_NOW),
    _row(Reason.SYNC_UNREACHABLE, "ND-SYNC-04",
         Text("There is no way to the remote session store; conversations stay here."),
         Text("Check the network; NovaDesk goes on trying."),
         _SYNC, _SYNC_NOW),

    _row(Reason.KEYRING_ABSENT, "ND-RING-01",
         Text("The system has no keyring."),
         Text("Set one up; until then remote sessions are looked up anew at every start."),
         _SYNC, _SYNC_NOW),
    _row(Reason.KEYRING_LOCKED, "ND-RING-02",
         Text("The keyring is locked."),
         Text("Unlock it, then sync now."),
         _SYNC, _SYNC_NOW),
    _row(Reason.KEYRING_DENIED, "ND-RING-03",
         Text("The keyring does not let NovaDesk in."),
         Text("Allow it in the system's dialog, then sync now."),
         _SYNC, _SYNC_NOW),
    _row(Reason.KEYRING_TIMED_OUT, "ND-RING-04",
         Text("The keyring does not answer; its dialog may wait behind a window."),
         Text("Answer its dialog, then sync now."),
         _SYNC, _SYNC_NOW),

    _row(Reason.NOT_RUNNING, "ND-CTL-01",
         Text("There is no running NovaDesk to drive."),
         Text("Start it, then give the command again."),
         _COPY, _COPY_IT, "novadesk"),
    _row(Reason.CONTROL_REFUSED, "ND-CTL-02",
         Text("The running NovaDesk does not take the command."),
         Text("Use the same version and the same account for both."),
         Remedy.WORDS),
    _row(Reason.ALREADY_RUNNING, "ND-CTL-03",
         Text("Another NovaDesk works with the same conversations."),
         Text("Close it, or use another --profile."),
         Remedy.WORDS),
    _row(Reason.PORT_TAKEN, "ND-CTL-04",
         Text("Another program listens on the port."),
         Text("Choose another --port, or 0 for any."),
         Remedy.WORDS),

    _row(Reason.NO_DISPLAY, "ND-DESK-01",
         Text("There is no display to open a window on."),
         Text("Use `novadesk talk`, which needs none, or set DISPLAY."),
         Remedy.WORDS),
    _row(Reason.HOTKEY_UNAVAILABLE, "ND-DESK-02",
         Text("The desktop does not give NovaDesk the talk key everywhere."),
         Text("Use the key in the window, or bind the command to a key of the desktop."),
         _COPY, _COPY_IT, "novadesk ctl talk toggle"),
    _row(Reason.AUTOSTART_REFUSED, "ND-DESK-03",
         Text("The system does not let NovaDesk start with the session."),
         Text("Correct what the sentence names, then switch it on again."),
         Remedy.WORDS),
    _row(Reason.NO_WINDOW, "ND-DESK-04",
         Text("The library that draws the window is missing or does not load."),
         Text("Install NovaDesk again; `novadesk doctor` names the part."),
         _COPY, _COPY_IT, "novadesk doctor"),

    _row(Reason.FEED_REFUSED, "ND-UPD-01",
         Text("What says which version is the newest is not signed as it should be, or is out of date."),
         Text("Download NovaDesk only from where you know it; if it goes on, tell the people who publish it."),
         Remedy.WORDS),
    _row(Reason.FEED_BROKEN, "ND-UPD-02",
         Text("What says which version is the newest is missing, or cannot be read."),
         Text("NovaDesk asks again tomorrow; nothing was changed."),
         Remedy.WORDS),
)  # fmt: skip

_BY_REASON = {entry.reason: entry for entry in ENTRIES}


def entry_of(reason: Reason) -> Entry:
    """Return the row of a cause."""
    return _BY_REASON[reason]


def make_page() -> str:
    """Return docs/errors.md."""
    lines = [
        "# Errors",
        "",
        "Every error that NovaDesk tells apart, made from `src/novadesk/catalogue.py` by `python scripts/errors.py`.",
        "The window shows one line with one button and “Copy details”; a command prints the sentence and the code.",
        "A code names a cause for ever. What happened in the case at hand stands in the sentence itself.",
    ]
    for layer in Layer:
        lines += ["", f"## {layer.value.capitalize()}", ""]
        lines += ["| Code | Cause | What to do | Button |", "|---|---|---|---|"]
        for entry in ENTRIES:
            if entry.layer is layer:
                where = f": `{entry.target}`" if entry.target else ""
                button = f"{entry.button}{where}" if entry.button else "–"
                lines.append(f"| {entry.code} `{entry.reason.value}` | {entry.cause} | {entry.step} | {button} |")
    return "\n".join(lines) + "\n"
