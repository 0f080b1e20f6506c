import pytest

from novadesk.app.talk import quiet_end_s
from novadesk.app.talkcourse import ANSWER_S, ATTEMPTS, DOWN_S, QUIET_S, UNDERSTAND_S, Course, Outcome
from novadesk.audio.formats import Recording, to_samples
from novadesk.conversation.api import ErrorNote, Phase, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import Role

UNREACHABLE = ErrorNote(layer="network", reason="network.unreachable", what="No way.", advice="Look at the cable.")
DISK_FULL = ErrorNote(layer="store", reason="store.disk_full", what="Full.", advice="Free some.")
NO_FILE = ErrorNote(layer="input", reason="input.bad", what="Not written.", advice="Elsewhere.")


class Talk:
    """A course on a clock of its own."""

    def __init__(self, quiet_end_s: float | None = None) -> None:
        self.now = 100.0
        self.fed = True
        self.course = Course(self.now, quiet_end_s)

    def said(self, *roles: Role) -> "Talk":
        for role in roles:
            self.course.take(role, self.now)
        return self

    def look(self, after_s: float = 0.0, phase: Phase = Phase.READY, **more: object) -> Outcome | None:
        self.now += after_s
        return self.course.judge(Snapshot(phase=phase, **more), now=self.now, fed=self.fed)  # type: ignore[arg-type]


def ends_within(talk: Talk, wait_s: float, phase: Phase = Phase.READY) -> Outcome | None:
    """Check that the talk goes on up to a time and return how it ends then."""
    assert talk.look(phase=phase) is None
    assert talk.look(wait_s - 0.1, phase) is None
    return talk.look(0.2, phase)


def test_it_is_done_when_no_reply_is_open_and_three_seconds_have_passed() -> None:
    assert ends_within(Talk().said(Role.USER, Role.ASSISTANT), QUIET_S) is Outcome.DONE


def test_silence_is_nothing_recognised() -> None:
    assert ends_within(Talk(), QUIET_S) is Outcome.NOTHING_RECOGNISED
    assert ends_within(Talk().said(Role.ASSISTANT), QUIET_S) is Outcome.NOTHING_RECOGNISED


def test_while_the_recording_is_heard_nothing_ends() -> None:
    talk = Talk().said(Role.USER, Role.ASSISTANT)
    talk.fed = False
    assert talk.look(1_000.0) is None


@pytest.mark.parametrize("phase", [Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED])
def test_an_open_reply_is_waited_for(phase: Phase) -> None:
    talk = Talk().said(Role.USER, Role.ASSISTANT)
    assert talk.look() is None
    assert talk.look(2.0, phase) is None
    assert talk.look(100.0, phase) is None
    assert ends_within(talk, QUIET_S) is Outcome.DONE


def test_a_question_without_an_answer() -> None:
    assert ends_within(Talk().said(Role.USER), ANSWER_S) is Outcome.NO_ANSWER
    assert ends_within(Talk().said(Role.USER, Role.ASSISTANT, Role.USER), ANSWER_S, Phase.THINKING) is Outcome.NO_ANSWER


def test_the_wait_for_an_answer_begins_with_the_question() -> None:
    talk = Talk(quiet_end_s=0.0)
    assert talk.look() is None
    assert talk.look(8.0) is None
    assert ends_within(talk.said(Role.USER), ANSWER_S) is Outcome.NO_ANSWER


def test_a_sound_at_the_end_gets_time_to_be_understood() -> None:
    assert ends_within(Talk(quiet_end_s=0.5), UNDERSTAND_S) is Outcome.NOTHING_RECOGNISED
    second = Talk(quiet_end_s=0.5).said(Role.USER, Role.ASSISTANT)
    second.now += 5.0  # the first exchange was long before the end of the recording
    assert ends_within(second, UNDERSTAND_S) is Outcome.DONE
    understood = Talk(quiet_end_s=4.0).said(Role.USER, Role.ASSISTANT)
    assert ends_within(understood, QUIET_S) is Outcome.DONE


def test_ended_from_outside() -> None:
    for talk in (Talk(), Talk(quiet_end_s=0.0)):
        talk.fed = False
        assert ends_within(talk, QUIET_S, Phase.ENDED) is Outcome.NOTHING_RECOGNISED
    assert ends_within(Talk().said(Role.USER), QUIET_S, Phase.ENDED) is Outcome.DONE


def test_a_new_conversation_passes_through_the_end() -> None:
    talk = Talk()
    talk.fed = False
    assert talk.look(phase=Phase.ENDED) is None
    assert talk.look(1.0, Phase.CONNECTING) is None
    assert talk.look(5.0) is None


def test_what_only_the_person_can_mend_ends_it_at_once() -> None:
    for fed in (False, True):
        talk = Talk()
        talk.fed = fed
        with pytest.raises(KnownError, match=r"No way\. Look at the cable\.") as caught:
            talk.look(phase=Phase.FAILED, error=UNREACHABLE)
        assert caught.value.reason is Reason.UNREACHABLE
    with pytest.raises(KnownError):
        Talk().look(phase=Phase.FAILED)


def test_without_its_recording_it_cannot_go_on() -> None:
    with pytest.raises(KnownError, match="Not written"):
        Talk().look(error=NO_FILE)


def test_a_service_that_never_answered_is_given_up_after_some_attempts() -> None:
    talk = Talk()
    assert talk.look(phase=Phase.RECONNECTING, attempt=ATTEMPTS - 1, error=UNREACHABLE) is None
    with pytest.raises(KnownError, match="No way"):
        talk.look(phase=Phase.RECONNECTING, attempt=ATTEMPTS, error=UNREACHABLE)
    with pytest.raises(KnownError) as caught:
        Talk().look(DOWN_S + 0.1, Phase.CONNECTING)
    assert caught.value.reason is Reason.TIMED_OUT


def test_a_service_that_went_away_is_waited_for() -> None:
    talk = Talk().said(Role.USER, Role.ASSISTANT)
    assert talk.look() is None
    assert talk.look(phase=Phase.RECONNECTING, attempt=ATTEMPTS * 2, error=UNREACHABLE) is None
    assert talk.look(DOWN_S - 0.1, Phase.RECONNECTING, attempt=9, error=UNREACHABLE) is None
    assert talk.look() is None
    assert talk.look(phase=Phase.RECONNECTING) is None
    assert talk.look(DOWN_S - 0.1, Phase.RECONNECTING) is None, "each outage has its own time"
    with pytest.raises(KnownError, match="No way"):
        talk.look(0.2, Phase.RECONNECTING, error=UNREACHABLE)


def test_nobody_is_promised_another_try() -> None:
    lost = ErrorNote(layer="network", reason="network.link_lost", what="Lost.", advice="NovaDesk tries by itself.")
    with pytest.raises(KnownError) as caught:
        Talk().look(phase=Phase.RECONNECTING, attempt=ATTEMPTS, error=lost)
    assert "doctor" in caught.value.advice


def test_turns_that_cannot_be_kept_are_no_silence() -> None:
    talk = Talk()
    assert talk.look(error=DISK_FULL) is None
    with pytest.raises(KnownError, match="Full"):
        talk.look(QUIET_S + 0.1, error=DISK_FULL)


@pytest.mark.parametrize(
    ("pcm", "quiet_s"), [(b"\0\0" * 100, None), (b"\0\x20" * 50 + b"\0\0" * 100, 0.1), (b"\0\x20" * 50, 0.0)]
)
def test_the_quiet_at_the_end_is_measured(pcm: bytes, quiet_s: float | None) -> None:
    assert quiet_end_s(Recording(rate_hz=1_000, samples=to_samples(pcm))) == quiet_s
