"""Measure what measuring costs: a recorded event, a note of the meter, a look at the loop.

usage: python benchmarks/diagnosis.py
Processor time of one call, and the share of a processor that a conversation in both directions spends on it.
"""

import asyncio
import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from novadesk.app.clock import SystemClock
from novadesk.app.metrics import Ledger
from novadesk.diagnostics.loopwatch import CORE_STALL_S, EVERY_S, LoopWatch
from novadesk.diagnostics.metrics import Measure, Row, summarise
from novadesk.diagnostics.recorder import Recorder
from novadesk.store.measurements import Measurements

CALLS = 20_000
FRAMES_A_SECOND = 1 / 0.032
WATCHED_S = 5.0
ID = "d23f0824-128b-4f33-8c5c-7fd0a6a3a450"


def main() -> None:
    """Print one line for each cost."""
    recorder = Recorder()
    heard = event("audioInput", promptName=ID, contentName=ID, content=audio(1_024))
    spoken = event("audioOutput", sessionId=ID, completionId=ID, contentId=ID, content=audio(7_680))
    text = event("textOutput", sessionId=ID, contentId=ID, role="ASSISTANT", content="So it was, and so it is. " * 8)
    sent = cost(lambda n: recorder.sent(1, heard, n * 0.032))
    received = cost(lambda n: recorder.received(1, spoken, n * 0.16))
    texts = cost(lambda n: recorder.received(1, text, float(n)), calls=2_000)
    share = (sent * FRAMES_A_SECOND + received * 48_000 / 7_680) * 100
    print(f"recorder: {us(sent)} a frame sent, {us(received)} a block received, {us(texts)} a text of 200 characters")
    print(f"          {share:.3f} % of a processor while both sides talk")
    began = time.process_time()
    size = len(recorder.dump())
    print(f"          dump of {size:,} bytes in {(time.process_time() - began) * 1e3:.1f} ms")

    ledger = Ledger(cast("Measurements", None), SystemClock())
    print(f"meter:    {us(cost(lambda n: ledger.note(Measure.LOAD, n)))} a note")
    now_ms = SystemClock().unix_ms()
    rows = [Row(at_ms=now_ms - n, measure=Measure.TURN_KEPT) for n in range(10_000)]
    began = time.process_time()
    summarise(rows, now_ms)
    print(f"          {(time.process_time() - began) * 1e3:.1f} ms to summarise 10,000 measurements")
    asyncio.run(watch())


async def watch() -> None:
    """Print what watching a loop costs that does nothing else."""
    timers = LoopWatch(asyncio.get_running_loop(), lambda _: None, threshold_s=CORE_STALL_S)
    timers.start()
    began = time.process_time()
    await asyncio.sleep(WATCHED_S)
    spent = time.process_time() - began
    timers.stop()
    looks = timers.stalls.looks
    print(f"loop:     {us(spent / looks)} a look, one each {EVERY_S} s: {spent / WATCHED_S * 100:.3f} % of a processor")


def cost(call: Callable[[int], None], calls: int = CALLS) -> float:
    """Return the processor time of one call in seconds."""
    began = time.process_time()
    for number in range(calls):
        call(number)
    return (time.process_time() - began) / calls


def us(seconds: float) -> str:
    """Return a time in microseconds."""
    return f"{seconds * 1e6:.1f} µs"


def event(name: str, **body: str) -> bytes:
    """Return the JSON of an event."""
    return json.dumps({"event": {name: body}}).encode()


def audio(length: int) -> str:
    """Return noise as the wire carries it."""
    return b64encode(os.urandom(length)).decode()


if __name__ == "__main__":
    main()
