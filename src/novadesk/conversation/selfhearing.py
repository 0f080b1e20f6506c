"""Whether the assistant hears itself: its words come back as the person's, or it is cut short for nothing. Pure."""

import re
from collections import deque
from difflib import SequenceMatcher

SURE_WORDS = 6
"""Words in a row of its own that nobody says by chance; of fewer it takes two utterances."""

LEAST_WORDS = 3
ECHO_SHARE = 0.8
"""Share of an utterance that has to be in the assistant's words; recognisers mishear some of an echo."""

FALSE_STOPS = 4
WITHIN_S = 60.0
"""So many pauses of answers within this time that nobody's words followed."""

RECENT_S = 8.0
"""An echo is understood at most this long after the sound: the pause that ends a turn, and the recognition."""

OVERLAP_S = 0.3
"""So much voice while an answer was played was no breath; who repeats what was said does it afterwards."""

FASTEST_WORD_S = 0.25
SOONEST_S = 0.4
"""Who repeats so many words takes so long for each, and no service ends a turn sooner than this after the last."""

_STEP_S = 0.2

_TEXTS = 6
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text without case and punctuation."""
    return _WORD.findall(text.casefold())


def echoed(said: list[str], heard: list[str]) -> bool:
    """Return whether `heard` are words of `said`, in runs of at least two."""
    if len(heard) < LEAST_WORDS:
        return False
    blocks = SequenceMatcher(None, said, heard, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size > 1) >= ECHO_SHARE * len(heard)


class SelfHearing:
    """Gathers the signs of one conversation; tells once."""

    def __init__(self) -> None:
        self.found = False
        self._said: deque[str] = deque(maxlen=_TEXTS)
        self._played_at = float("-inf")
        self._over_s = 0.0
        self._echoes = 0
        self._stops: deque[float] = deque(maxlen=FALSE_STOPS)

    def begin_anew(self) -> None:
        """Forget the signs so far: something was done about the echo."""
        self.found = False
        self._over_s, self._echoes = 0.0, 0
        self._stops.clear()

    def said(self, text: str) -> None:
        """Take what the assistant is about to say."""
        self._said.append(text)

    def played(self, now: float, *, voiced: bool) -> None:
        """Note that its voice is in the room; `voiced`: the microphone brings one to the service just now."""
        self._over_s += min(now - self._played_at, _STEP_S) if voiced else 0.0
        self._played_at = now

    def heard(self, text: str, now: float) -> bool:
        """Take what the service understood; return True when it is now clear that it hears the assistant."""
        heard = words_of(text)
        since_s, over_s = now - self._played_at, self._over_s
        self._over_s = 0.0
        over = over_s >= OVERLAP_S or since_s < SOONEST_S + FASTEST_WORD_S * len(heard)
        if over and since_s <= RECENT_S and echoed(words_of(" ".join(self._said)), heard):
            self._echoes += 1
            return self._find(self._echoes > 1 or len(heard) >= SURE_WORDS)
        self._stops.clear()  # somebody is there
        return False

    def stopped_for_nothing(self, now: float) -> bool:
        """Take a pause of an answer that no words followed; return True when it is now clear what makes them."""
        self._stops.append(now)
        return self._find(len(self._stops) == FALSE_STOPS and now - self._stops[0] <= WITHIN_S)

    def _find(self, clear: bool) -> bool:
        if self.found or not clear:
            return False
        self.found = True
        return True
