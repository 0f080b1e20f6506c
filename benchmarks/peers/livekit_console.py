"""Talk to Nova Sonic with the console of LiveKit Agents and its AWS plugin; runs in LiveKit's own environment.

As in the plugin's documentation; `console` as the argument. The console cancels echo and noise by itself.
"""

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import aws

server = AgentServer()


@server.rtc_session()
async def talk(context: JobContext) -> None:
    """Talk until the process is ended."""
    model = aws.realtime.RealtimeModel(
        model=os.environ["BEDROCK_MODEL_ID"], voice="matthew", region=os.environ["AWS_REGION"]
    )
    session = AgentSession(llm=model)
    await session.start(room=context.room, agent=Agent(instructions="You are a friendly assistant."))


if __name__ == "__main__":
    cli.run_app(server)
