"""Numbers of the wire, each with its source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one wire session. Tests and the local server hand in shorter times; the client keeps the defaults.

    Attributes:
        connection_s: life of a connection; Amazon Nova user guide, "Speech to speech: quotas" (8 minutes).
        silence_s: time without audio or interactive content after which the service ends the session; the figure
            that the service's own error text names (measured on Nova 2.5 Sonic).
        history_bytes: UTF-8 bytes of all history texts together; user guide, "Chat history" (40 KB).
        text_bytes: UTF-8 bytes of the content of one textInput; user guide, "Chat history" (1 KB).
        event_bytes: bytes of one event's JSON; `PartBody` of the bedrock-runtime service model (1,000,000).
        frame_samples: samples of one audioInput; user guide, "Input events" (about 32 ms at 16 kHz).
        input_rate_hz: rate of the microphone audio that we send; 8, 16 and 24 kHz are allowed, 16 kHz recommended.
        output_rate_hz: rate of the speech that we ask for.
        text_gap_s: pause between opening the audio block and the first interactive text; LiveKit Agents waits 50 ms,
            because both at the same instant are refused at times.
    """

    connection_s: float = 480.0
    silence_s: float = 55.0
    history_bytes: int = 40_960
    text_bytes: int = 1_024
    event_bytes: int = 1_000_000
    frame_samples: int = 512
    input_rate_hz: int = 16_000
    output_rate_hz: int = 24_000
    text_gap_s: float = 0.05


DEFAULT = Limits()
