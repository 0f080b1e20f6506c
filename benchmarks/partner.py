"""Measure the practice partner: words wrong, phrases understood, and speech end to first reply audio.

usage: python benchmarks/partner.py [--voices slt,rms,kal16] [--latency 5]
Speech is made by flite and festival; it is fed in real time for the latency, all at once otherwise.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from novadesk.server.partner import PracticePartner, practice_parts
from novadesk.server.partner.listen import Hearing, UtteranceHeard, rules_for
from novadesk.server.partner.phrases import understand
from novadesk.server.partner.recognise import silero
from tests.support.fake_call import ring
from tests.support.voices import Speaker, silence, speech

SENTENCES = """hello how are you today
what time is it
tell me a joke please
what is the weather like in london tomorrow
my name is peter and i live in berlin
can you repeat that please
i would like to order a cup of coffee and a sandwich
how do i get to the train station from here
please speak more slowly
what is seven plus twelve
what is three plus four
thank you very much for your help
let us practice a conversation about travel
what did we talk about
do you remember my name
goodbye and see you next week
i went to the market yesterday and bought some apples
i have been learning english for three years
how much does this shirt cost
it was raining all morning so we stayed at home""".splitlines()


def main() -> None:
    """Print one line for each voice, then the latency."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", default="slt,rms,kal16,festival slt")
    parser.add_argument("--latency", type=int, default=5, help="exchanges in real time, for each voice")
    chosen = parser.parse_args()
    voices = [Speaker(name) for name in chosen.voices.split(",")]
    parts = practice_parts(warm=False)
    parts.pool.warm()
    wrong_all = words_all = 0
    for voice in voices:
        hearing = Hearing(silero(), parts.pool.lease, parts.pool.give_back, rules_for(None))
        wrong = words = right = 0
        audio_s, began = 0.0, time.process_time()
        for sentence in SENTENCES:
            sound = silence(300) + speech(voice, sentence) + silence(800)
            audio_s += len(sound) / 32_000
            heard = " ".join(event.text for event in hearing.hear(sound) if isinstance(event, UtteranceHeard))
            wrong += edits(sentence.split(), heard.split())
            words += len(sentence.split())
            meant, got = understand(sentence), understand(heard)
            right += (meant and meant.intent) == (got and got.intent)
        hearing.close()
        cpu = (time.process_time() - began) / audio_s
        print(
            f"{voice.value:14s} words wrong {100 * wrong / words:5.1f} %   understood {right}/{len(SENTENCES)}"
            f"   CPU {cpu:.2f} of real time (making the speech not counted)"
        )
        wrong_all, words_all = wrong_all + wrong, words_all + words
    print(f"{'all':14s} words wrong {100 * wrong_all / words_all:5.1f} %")
    delays = [delay for voice in voices for delay in asyncio.run(latency(voice, chosen.latency))]
    if delays:
        print(
            f"speech end to first reply audio, {len(delays)} times: median {1e3 * statistics.median(delays):.0f} ms,"
            f" least {1e3 * min(delays):.0f}, most {1e3 * max(delays):.0f}"
        )


async def latency(voice: Speaker, exchanges: int) -> list[float]:
    """Return seconds from the last sample of speech to the first reply audio."""
    parts = practice_parts(warm=False)
    parts.pool.warm()
    parts.voice.say("Warm.", voice="matthew", english=True, words_per_minute=160, rate_hz=24_000)
    delays = []
    for sentence in SENTENCES[:exchanges]:
        phone = ring(PracticePartner(parts))
        await phone.speak_in_real_time(silence(320) + speech(voice, sentence))
        spoken = time.monotonic()
        quiet = asyncio.create_task(phone.speak_in_real_time(silence(2_000)))
        await phone.wire.until(lambda wire: bool(wire.texts("speech")))
        delays.append(time.monotonic() - spoken)
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)
        await phone.hang_up()
    return delays


def edits(wanted: list[str], heard: list[str]) -> int:
    """Return the word edit distance."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(wanted, 1):
        above, row = row, [at]
        for column, other in enumerate(heard, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


if __name__ == "__main__":
    main()
