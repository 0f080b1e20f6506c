"""Every row of the settings: search, fields, reset and screen readers have their words from here."""

from novadesk.config import (
    DEFAULT_MODEL,
    FONT_SCALES,
    KEEP_DAYS,
    EchoSetting,
    PressSetting,
    SchemeSetting,
    SensitivitySetting,
    TalkModeSetting,
)
from novadesk.models import BackendKind
from novadesk.text import Text
from novadesk.ui.setting_rows import (
    Applies,
    Choice,
    Device,
    Free,
    Keys,
    Language,
    Line,
    Lines,
    Need,
    Number,
    Page,
    Row,
    Share,
    Switch,
)
from novadesk.voices import VOICES, voices_of

# Regions of Nova Sonic as of 2026-10; free text is allowed because the list grows.
REGIONS = ("us-east-1", "us-west-2", "eu-north-1", "ap-northeast-1")

_KEEP = {
    0: Text("For ever"),
    1: Text("1 day"),
    7: Text("1 week"),
    30: Text("30 days"),
    90: Text("90 days"),
    365: Text("1 year"),
}


_REMOTE = Need(
    holds=lambda settings: settings.backend.kind is BackendKind.BEDROCK, words=Text("Only with Amazon Bedrock.")
)
_GATEWAY = Need(holds=lambda settings: settings.backend.kind is BackendKind.GATEWAY, words=Text("Only with a gateway."))
_ELSEWHERE = Need(
    holds=lambda settings: settings.backend.kind is not BackendKind.PRACTICE,
    words=Text("Not with the practice partner."),
)
_PRACTICE = Need(
    holds=lambda settings: settings.backend.kind is BackendKind.PRACTICE, words=Text("Only with the practice partner.")
)
_MODEL = Need(
    holds=lambda settings: _PRACTICE.holds(settings) and bool(settings.practice.llm),
    words=Text("Only with a language model for practice."),
)
_KEY = Need(
    holds=lambda settings: settings.talk.mode is TalkModeSetting.HOLD, words=Text("Only when you talk with a key.")
)
_OLD = Need(
    holds=lambda settings: settings.history.keep_days > 0, words=Text("Only when conversations are not kept for ever.")
)

_FEED = Need(holds=lambda settings: bool(settings.updates.feed), words=Text("There is no public address for it yet."))

_GENERAL = (
    Row(
        page=Page.GENERAL, section="window", name="language",
        label=Text("Language"), help=Text("The language of the window. You can speak another one."),
        kind=Language(), applies=Applies.START, words=Text("translation locale English German Deutsch"),
    ),
    Row(
        page=Page.GENERAL, section="session", name="idle_s",
        label=Text("Rest after"),
        help=Text("After this long without a word, connection and microphone are closed. Talking opens them again."),
        kind=Number(least=0, most=1440, step=1, times=1 / 60, unit=Text("min"), zero=Text("Never")),
        applies=Applies.ANEW, words=Text("idle timeout privacy sleep"),
    ),
    Row(
        page=Page.GENERAL, section="updates", name="check",
        label=Text("Look for new versions"),
        help=Text("Once a week a signed list of versions is read. Nothing is told of you, and nothing is replaced."),
        kind=Switch(), words=Text("update upgrade release automatic privacy"), needs=_FEED,
    ),
    Row(
        page=Page.GENERAL, section="updates", name="feed",
        label=Text("Address of the update feed"),
        help=Text("Where that list lies. Wherever that is, only one that NovaDesk's makers have signed counts."),
        kind=Line(empty=Text("none")), words=Text("update server URL mirror network"),
    ),
)  # fmt: skip

_SOUND = (
    Row(
        page=Page.SOUND, section="voice", name="voice",
        label=Text("Voice"), help=Text("Who speaks the answers. You can also type a voice that is not in the list."),
        kind=Free(options=tuple(voices_of(DEFAULT_MODEL))), applies=Applies.CONNECTION,
        words=Text("speaker accent tone"),
    ),
    Row(
        page=Page.SOUND, section="voice", name="sensitivity",
        label=Text("Pause that ends a turn"),
        help=Text("How long you may be silent before the answer begins."),
        kind=Choice(options=(
            (SensitivitySetting.HIGH, Text("Short (1.5 s)")),
            (SensitivitySetting.MEDIUM, Text("Medium (1.75 s)")),
            (SensitivitySetting.LOW, Text("Long (2 s)")),
        )),
        applies=Applies.CONNECTION, words=Text("endpointing sensitivity patience interrupt"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="microphone",
        label=Text("Microphone"), help=Text("While it is unplugged, the system's default is used."),
        kind=Device(microphone=True), words=Text("input device headset"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="speaker",
        label=Text("Speaker"), help=Text("While it is unplugged, the system's default is used."),
        kind=Device(microphone=False), words=Text("output device headphones"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="echo",
        label=Text("I hear NovaDesk with"), help=Text("How NovaDesk keeps its own voice out of your microphone."),
        kind=Choice(
            options=(
                (EchoSetting.SPEAKERS, Text("Speakers")),
                (EchoSetting.HEADSET, Text("Headset")),
                (EchoSetting.HALF_DUPLEX, Text("Speakers, taking turns")),
            ),
            sentences=(
                Text("The microphone hears them too; NovaDesk takes its own voice out, so you can still cut in."),
                Text("The microphone hears only you; your voice is passed on as it is."),
                Text("NovaDesk does not listen while it speaks; to stop it, use Stop or the talk key."),
            ),
        ),
        words=Text("echo cancellation half duplex loudspeaker headphones"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="volume",
        label=Text("Volume of answers"),
        help=Text("You can also change it beside the talk button, and with Ctrl+Up and Ctrl+Down."),
        kind=Share(), words=Text("loudness"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="cue_volume",
        label=Text("Volume of cues"), help=Text("The short sounds that tell when it listens and when something fails."),
        kind=Share(), words=Text("loudness beep signal"),
    ),
    Row(
        page=Page.SOUND, section="audio", name="messages_aloud",
        label=Text("Answer typed messages aloud"),
        help=Text("Otherwise they are answered in writing only. You can also change this beside the text field."),
        kind=Switch(), words=Text("silent quiet text chat mute answers"),
    ),
)  # fmt: skip

_TALK = (
    Row(
        page=Page.TALK, section="talk", name="mode",
        label=Text("Way to talk"), help=Text("You can also change this beside the talk button."),
        kind=Choice(options=(
            (TalkModeSetting.HOLD, Text("With a key or button")),
            (TalkModeSetting.HANDS_FREE, Text("Hands-free")),
        )),
        words=Text("push to talk mode open microphone"),
    ),
    Row(
        page=Page.TALK, section="talk", name="key",
        label=Text("Talk keys"), help=Text("They work in every window, where the desktop allows it."),
        kind=Keys(add=Text("Add a talk key…"), none=Text("None but Space, in NovaDesk's window.")),
        words=Text("push to talk shortcut hotkey mouse button f9 test try command Wayland portal"),
    ),
    Row(
        page=Page.TALK, section="talk", name="mute_key",
        label=Text("Mute keys"), help=Text("The microphone is muted while one of them is down."),
        kind=Keys(add=Text("Add a mute key…"), none=Text("None.")), words=Text("push to mute shortcut hotkey cough"),
    ),
    Row(
        page=Page.TALK, section="talk", name="press",
        label=Text("A press of a talk key"), help=Text("The talk button and Space do the same."),
        kind=Choice(
            options=(
                (PressSetting.HOLD, Text("Hold to talk")),
                (PressSetting.TOGGLE, Text("Press to begin, press to end")),
                (PressSetting.HOLD_OR_LOCK, Text("Hold, or press twice to lock")),
            ),
            sentences=(
                Text("You are heard while the key is down."),
                Text("Nothing has to be held."),
                Text("You are heard while the key is down; after a double press, until the next one."),
            ),
        ),
        words=Text("toggle hold double lock"), needs=_KEY,
    ),
    Row(
        page=Page.TALK, section="talk", name="release_tail_ms",
        label=Text("Listen on after release"), help=Text("So that the end of your last word is not cut off."),
        kind=Number(least=0, most=1000, step=50, unit=Text("ms")), words=Text("tail delay"), needs=_KEY,
    ),
    Row(
        page=Page.TALK, section="talk", name="max_talk_s",
        label=Text("Longest talk"), help=Text("Then a held key stops talking by itself, in case it is stuck."),
        kind=Number(least=10, most=3600, step=10, unit=Text("s")), words=Text("watchdog stuck limit"), needs=_KEY,
    ),
)  # fmt: skip

_CONVERSATION = (
    Row(
        page=Page.CONVERSATION, section="backend", name="kind",
        label=Text("Talk with"), help=Text("The practice partner is on this computer and needs no account."),
        kind=Choice(
            options=(
                (BackendKind.PRACTICE, Text("Practice partner on this computer")),
                (BackendKind.BEDROCK, Text("Amazon Bedrock")),
                (BackendKind.GATEWAY, Text("Gateway")),
            ),
        ),
        applies=Applies.ANEW, words=Text("backend service AWS local offline"),
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="gateway",
        label=Text("Address of the gateway"), help=Text("As the people say who run it: wss://voice.example.com."),
        kind=Line(empty=Text("none")), applies=Applies.ANEW, words=Text("server team company sign in URL"),
        needs=_GATEWAY,
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="profile",
        label=Text("AWS profile"), help=Text("Whose credentials are used, by its name in your AWS configuration."),
        kind=Line(empty=Text("default")), applies=Applies.ANEW, words=Text("credentials account sign in SSO"),
        needs=_REMOTE,
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="region",
        label=Text("AWS region"), help=Text("Where the model runs and where copies of conversations are kept."),
        kind=Free(options=REGIONS), applies=Applies.ANEW, words=Text("location"), needs=_REMOTE,
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="model",
        label=Text("Model"), help=Text("Its id, or the ARN of your own."),
        kind=Free(options=tuple(VOICES)), applies=Applies.ANEW, words=Text("Nova Sonic"), needs=_REMOTE,
    ),
    Row(
        page=Page.CONVERSATION, section="voice", name="prompt",
        label=Text("Instructions"), help=Text("What the partner is told before each conversation without a scenario."),
        kind=Lines(), applies=Applies.CONNECTION, words=Text("system prompt personality role"),
    ),
    Row(
        page=Page.CONVERSATION, section="voice", name="tools",
        label=Text("Let it look at the clock"),
        help=Text("The partner may ask this computer for date and time; nothing else is offered to it."),
        kind=Switch(), applies=Applies.ANEW, words=Text("tools functions time"),
    ),
    Row(
        page=Page.CONVERSATION, section="voice", name="max_tokens",
        label=Text("Longest answer"), help=Text("In tokens, as the service counts them."),
        kind=Number(least=1, most=100_000, step=64, unit=Text("tokens")), applies=Applies.CONNECTION,
        words=Text("length limit"),
    ),
    Row(
        page=Page.CONVERSATION, section="voice", name="temperature",
        label=Text("Temperature"), help=Text("How free the choice of words is: 0 is strict, 1 is free."),
        kind=Number(least=0, most=1, step=0.05, digits=2), applies=Applies.CONNECTION, words=Text("creativity random"),
    ),
    Row(
        page=Page.CONVERSATION, section="voice", name="top_p",
        label=Text("Top P"), help=Text("How many of the likely words are looked at: 1 is all of them."),
        kind=Number(least=0, most=1, step=0.05, digits=2), applies=Applies.CONNECTION, words=Text("nucleus random"),
    ),
    Row(
        page=Page.CONVERSATION, section="session", name="concurrent",
        label=Text("Connections at once"),
        help=Text("With two, a connection that gets old is replaced without a gap."),
        kind=Number(least=1, most=20, step=1), applies=Applies.ANEW, words=Text("renewal quota parallel"),
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="bedrock_endpoint",
        label=Text("Address of the voice service"), help=Text("For a private endpoint; empty is Amazon's own."),
        kind=Line(empty=Text("Amazon's own")), applies=Applies.ANEW, words=Text("endpoint URL VPC network"),
        needs=_REMOTE,
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="agent_runtime_endpoint",
        label=Text("Address of the session store"), help=Text("For a private endpoint; empty is Amazon's own."),
        kind=Line(empty=Text("Amazon's own")), applies=Applies.ANEW, words=Text("endpoint URL VPC network sync"),
        needs=_REMOTE,
    ),
    Row(
        page=Page.CONVERSATION, section="backend", name="ca_bundle",
        label=Text("Certificates"), help=Text("A file of authorities to trust, where a proxy or endpoint has its own."),
        kind=Line(empty=Text("the system's")), applies=Applies.ANEW, words=Text("CA bundle TLS proxy network"),
        needs=_ELSEWHERE,
    ),
    Row(
        page=Page.CONVERSATION, section="practice", name="llm",
        label=Text("Language model for practice"),
        help=Text("Address of a model on this computer that speaks the OpenAI protocol; empty uses set phrases."),
        kind=Line(empty=Text("none")), applies=Applies.ANEW, words=Text("LLM Ollama llama local URL"), needs=_PRACTICE,
    ),
    Row(
        page=Page.CONVERSATION, section="practice", name="llm_model",
        label=Text("Name of that model"), help=Text("Empty takes the first one that it offers."),
        kind=Line(empty=Text("the first")), applies=Applies.ANEW, words=Text("LLM Ollama local"),
        needs=_MODEL,
    ),
)  # fmt: skip

_HISTORY = (
    Row(
        page=Page.HISTORY, section="history", name="private",
        label=Text("Begin every conversation private"),
        help=Text("New conversations are saved nowhere and are gone when you leave them. Those you have stay."),
        kind=Switch(), words=Text("privacy incognito secret off the record default"),
    ),
    Row(
        page=Page.HISTORY, section="history", name="keep_days",
        label=Text("Keep conversations"),
        help=Text("Counted from their last turn. Those with a star stay, and those that are not synced yet."),
        kind=Choice(options=tuple((days, _KEEP[days]) for days in KEEP_DAYS)),
        words=Text("retention delete old privacy private"),
    ),
    Row(
        page=Page.HISTORY, section="history", name="delete_remotely",
        label=Text("Delete the remote copies as well"),
        help=Text("When conversations get too old. Those of the practice partner lie on this computer and always go."),
        kind=Switch(), words=Text("remote deletion sync cloud AWS privacy"),
        needs=_OLD,
    ),
    Row(
        page=Page.HISTORY, section="backend", name="kms_key",
        label=Text("Key of the remote copies"),
        help=Text("ARN of a KMS key of yours that encrypts them; empty uses Amazon's own."),
        kind=Line(empty=Text("Amazon's own")), applies=Applies.ANEW, words=Text("KMS encryption sync"), needs=_REMOTE,
    ),
)  # fmt: skip

_DESKTOP = (
    Row(
        page=Page.DESKTOP, section="window", name="tray",
        label=Text("Icon in the tray"), help=Text("Shows the state and mutes; some desktops have no room for it."),
        kind=Switch(), words=Text("notification area menu bar"),
    ),
    Row(
        page=Page.DESKTOP, section="window", name="close_to_tray",
        label=Text("Keep running when the window is closed"),
        help=Text("In the tray, or minimised where there is none; NovaDesk then ends with Quit only."),
        kind=Switch(), words=Text("minimise background hide tray quit"),
    ),
    Row(
        page=Page.DESKTOP, section="window", name="notifications",
        label=Text("Notifications"), help=Text("Tell of a trouble, and of its end, while another window is in front."),
        kind=Switch(), words=Text("notifications messages"),
    ),
)  # fmt: skip

_LOOK = (
    Row(
        page=Page.LOOK, section="window", name="scheme",
        label=Text("Colours"), help=Text("Light, dark, or as the desktop is."),
        kind=Choice(options=(
            (SchemeSetting.SYSTEM, Text("As the system")),
            (SchemeSetting.LIGHT, Text("Light")),
            (SchemeSetting.DARK, Text("Dark")),
        )),
        words=Text("theme dark mode palette"),
    ),
    Row(
        page=Page.LOOK, section="window", name="high_contrast",
        label=Text("High contrast"), help=Text("Even if the system does not ask for it."),
        kind=Switch(), words=Text("accessibility theme"),
    ),
    Row(
        page=Page.LOOK, section="window", name="font_scale",
        label=Text("Size of text"), help=Text("In percent of the system's size. Everything else grows with it."),
        kind=Number(least=100 * FONT_SCALES[0], most=100 * FONT_SCALES[1], step=10, times=100, unit=Text("%")),
        applies=Applies.START, words=Text("font zoom large accessibility"),
    ),
    Row(
        page=Page.LOOK, section="window", name="reduced_motion",
        label=Text("Less motion"), help=Text("Nothing moves or fades, even if the system does not ask for it."),
        kind=Switch(), words=Text("animation accessibility"),
    ),
)  # fmt: skip

ROWS: tuple[Row, ...] = (*_GENERAL, *_SOUND, *_TALK, *_CONVERSATION, *_HISTORY, *_DESKTOP, *_LOOK)
"""What is not here cannot be set in the window: the timers of the local server, which tests shorten."""


def rows_of(page: Page) -> tuple[Row, ...]:
    """Return the rows of a section."""
    return tuple(row for row in ROWS if row.page is page)


def row_of(section: str, name: str) -> Row | None:
    """Return the row of a setting, or None."""
    return next((row for row in ROWS if (row.section, row.name) == (section, name)), None)
