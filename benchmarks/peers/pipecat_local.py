"""Talk to Nova Sonic with pipecat and its local audio transport; runs in pipecat's own environment.

The pipeline is that of pipecat's documentation of AWS Nova Sonic, with the local transport in the browser's place.
"""

import asyncio
import os

from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.aws.nova_sonic.llm import AWSNovaSonicLLMService
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.workers.runner import WorkerRunner


async def main() -> None:
    """Talk until the process is ended."""
    transport = LocalAudioTransport(LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True))
    model = AWSNovaSonicLLMService(
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_REGION"],
        settings=AWSNovaSonicLLMService.Settings(
            model=os.environ["BEDROCK_MODEL_ID"],
            voice="matthew",
            system_instruction="You are a friendly assistant.",
        ),
    )
    context = LLMContext()
    user, assistant = LLMContextAggregatorPair(context, realtime_service_mode=True)
    worker = PipelineWorker(
        Pipeline([transport.input(), user, model, transport.output(), assistant]),
        params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
    )
    context.add_message({"role": "developer", "content": "Please introduce yourself to the user."})
    await worker.queue_frames([LLMRunFrame()])
    runner = WorkerRunner(handle_sigint=True, handle_sigterm=True)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    asyncio.run(main())
