"""Talk to Nova Sonic with a bidirectional agent of Strands; runs in Strands' own environment.

As in its documentation, with the audio processing (echo, noise, gain) that it recommends for loudspeakers.
"""

import asyncio
import os

from strands.bidi.agent import BidiAgent
from strands.bidi.io import AudioIO
from strands.bidi.models import BedrockNovaSonicModel


async def main() -> None:
    """Talk until the process is ended."""
    model = BedrockNovaSonicModel(model_id=os.environ["BEDROCK_MODEL_ID"], region=os.environ["AWS_REGION"])
    agent = BidiAgent(model=model, system_prompt="You are a friendly assistant.")
    audio = AudioIO(audio_processor=True)
    await agent.run(inputs=[audio.input()], outputs=[audio.output()])


if __name__ == "__main__":
    asyncio.run(main())
