"""What a wire session opens with, made of settings."""

import uuid

from novadesk.config import VoiceSettings
from novadesk.conversation.toolbox import Toolbox
from novadesk.protocol.events import PromptStart, Sensitivity, SessionStart
from novadesk.protocol.session import Setup


def make_setup(voice: VoiceSettings, toolbox: Toolbox) -> Setup:
    """Return how a wire session opens."""
    return Setup(
        session=SessionStart(
            max_tokens=voice.max_tokens,
            top_p=voice.top_p,
            temperature=voice.temperature,
            sensitivity=Sensitivity[voice.sensitivity.name],
        ),
        prompt=PromptStart(prompt_name=str(uuid.uuid4()), voice_id=voice.voice, tools=toolbox.specs()),
        system_prompt=voice.prompt,
    )
