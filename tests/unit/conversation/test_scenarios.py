"""What a conversation is begun with: sent when the link opens, kept over every link and start, changed by renewal."""

import asyncio

import pytest

from novadesk.config import SessionSettings, VoiceSettings
from novadesk.conversation import lifecycle as m
from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle import step
from novadesk.conversation.supervisor import Policy
from novadesk.protocol.session_events import PromptOpened, SystemPromptGiven
from novadesk.scenario import Chosen, decode
from tests.support.bench import DENIED, FULL, LOST, Bench, exchange, story
from tests.support.memory_service import MemoryArchive, MemoryLink

TEA = Chosen(name="tea", title="Tea", prompt="Chat about tea.", voice="tina", language="de", values={"kind": "green"})
TOLD = ("tina", "Chat about tea.\nSpeak German.")
USUAL = (VoiceSettings().voice, VoiceSettings().prompt)
POLICY = Policy()


def told(link: MemoryLink) -> tuple[str, str]:
    """Return the voice and the instructions that a link was opened with."""
    (voice,) = [event.start.voice_id for event in link.received if isinstance(event, PromptOpened)]
    (prompt,) = [event.text for event in link.received if isinstance(event, SystemPromptGiven)]
    return voice, prompt


async def renewed(bench: Bench, links: int) -> None:
    await bench.until(lambda: len(bench.linker.links) > links and bench.linker.newest.listening)


def in_force(bench: Bench) -> tuple[str, str] | None:
    voice = bench.now.in_force
    return None if voice is None else (voice.voice, voice.prompt)


def test_it_opens_every_link_and_outlives_the_program() -> None:
    archive = MemoryArchive()

    async def work(bench: Bench) -> None:
        await bench.ready()
        assert told(bench.linker.newest) == USUAL
        await bench.controller.begin_anew(scenario=TEA)
        assert in_force(bench) is None
        await bench.ready()
        assert (told(bench.linker.newest), in_force(bench), bench.now.voice) == (TOLD, TOLD, "tina")
        assert bench.now.scenario == TEA
        await exchange(bench, "hello", "Guten Tag.")
        bench.linker.newest.end(LOST)
        await renewed(bench, 2)
        assert told(bench.linker.newest) == TOLD

    story(work, archive)

    async def later(bench: Bench) -> None:
        await bench.ready()
        assert (told(bench.linker.newest), bench.now.scenario) == (TOLD, TEA)

    story(later, archive)


def test_practising_again_begins_with_nothing_but_the_same_scenario_once_all_is_torn_down() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(scenario=TEA)
        await bench.ready()
        await exchange(bench, "hello", "Guten Tag.")
        first, ended = bench.now.conversation, bench.linker.newest
        await bench.controller.end()
        assert (bench.now.phase, bench.now.scenario) == (Phase.ENDED, TEA)
        bench.controller.new_conversation(scenario=bench.now.scenario)
        await bench.ready()
        assert ended.closed
        assert (told(bench.linker.newest), bench.linker.newest.history()) == (TOLD, ())
        assert (bench.now.turns, bench.now.scenario) == ((), TEA)
        assert first is not None
        assert bench.now.conversation is not None
        assert bench.now.conversation.handle != first.handle
        await bench.controller.begin_anew()
        await bench.ready()
        assert (told(bench.linker.newest), bench.now.scenario) == (USUAL, None)

    story(work)


def test_it_is_begun_anew_only_once_a_slow_service_has_let_the_old_one_go() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        old, make = bench.linker.newest, bench.linker.link
        goodbye, closed = old.finish, []

        async def finish() -> None:
            await asyncio.sleep(1.0)
            await goodbye()

        async def link() -> MemoryLink:
            closed.append(old.closed)
            return await make()

        old.finish, bench.linker.link = finish, link  # type: ignore[method-assign]
        await bench.controller.begin_anew(scenario=TEA)
        await bench.ready()
        assert closed == [True]

    story(work)


def test_nothing_of_it_is_written_in_a_private_conversation() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(private=True, scenario=TEA)
        await bench.ready()
        assert told(bench.linker.newest) == TOLD
        bench.controller.change_scenario(Chosen(name="tea", title="Tea", prompt="Chat about green tea."))
        await renewed(bench, 2)
        await exchange(bench, "hello", "Guten Tag.")

    archive = story(work).archive
    assert (archive.rows, archive.told_scenarios) == ({}, 0)


@pytest.mark.parametrize("concurrent", [2, 1])
def test_a_change_comes_with_a_new_wire_session_in_a_quiet_moment(concurrent: int) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(scenario=TEA)
        await bench.ready()
        await exchange(bench, "hello", "Guten Tag.")
        old = bench.linker.newest
        bench.controller.press_talk()
        bench.sound.talk(3)
        bench.controller.change_scenario(None)
        assert (bench.now.scenario, in_force(bench), bench.now.changing) == (None, TOLD, True)
        assert bench.now.notices[-1].startswith("The change needs a new wire session.")
        await bench.until(lambda: concurrent == 1 or len(bench.linker.links) == 3)
        assert not old.closed, "who speaks is not cut off"
        bench.controller.release_talk()
        old.user_said("and now")
        await bench.until(lambda: bench.now.phase is Phase.THINKING)
        old.answer("Noch etwas.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.sound.play_out()
        await bench.until(lambda: not bench.now.changing and bench.now.phase is Phase.READY)
        assert (told(bench.linker.newest), in_force(bench)) == (USUAL, USUAL)
        assert [message.text for message in bench.linker.newest.history()][-1] == "Noch etwas."
        assert "The change is in force." in bench.now.notices
        assert len(bench.linker.links) == 3, "one renewal, and no more"

    bench = story(work, session=SessionSettings(concurrent=concurrent))
    (row,) = bench.archive.rows.values()
    assert row.scenario == ""


def test_what_needs_no_new_wire_session_applies_at_once() -> None:
    archive = MemoryArchive()
    renamed = Chosen(name="coffee", title="Coffee", prompt=TEA.prompt, voice=TEA.voice, language=TEA.language)

    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(scenario=TEA)
        await bench.ready()
        await exchange(bench, "hello", "Guten Tag.")
        bench.controller.change_scenario(renamed)
        bench.controller.use_voice(VoiceSettings(voice="amy", prompt="Be brief."))
        assert (bench.now.scenario, bench.now.changing) == (renamed, False)
        await bench.controller.begin_anew()
        await bench.ready()
        assert told(bench.linker.newest) == ("amy", "Be brief."), "the settings' voice is for those without one"
        assert len(bench.linker.links) == 3

    story(work, archive)
    (row,) = archive.rows.values()
    assert decode(row.scenario) == renamed


def test_a_change_while_a_link_is_opened_begins_that_anew_and_one_that_is_refused_is_told() -> None:
    async def work(bench: Bench) -> None:
        bench.linker.stuck = [True]
        bench.controller.use_voice(VoiceSettings(voice="amy"))
        await bench.ready()
        assert told(bench.linker.newest)[0] == "amy"
        bench.linker.refusals = [DENIED]
        bench.controller.use_voice(VoiceSettings(voice="nobody"))
        await bench.until(lambda: "The change has to wait. Not allowed. Ask." in bench.now.notices)
        assert (in_force(bench) or ("",))[0] == "amy"
        assert bench.now.phase is Phase.READY
        await bench.until(lambda: not bench.now.changing)
        assert (in_force(bench) or ("",))[0] == "nobody"

    story(work)


@pytest.mark.parametrize("phase", sorted(m.OPENING, key=lambda one: one.value))
def test_a_change_begins_an_attempt_anew_and_leaves_a_wait_for_one_alone(phase: Phase) -> None:
    opening = m.Lifecycle(phase=phase, generation=1, newest=1)
    state, actions = step(opening, m.OpeningChanged(), 10.0, POLICY)
    assert actions[:2] == (m.DropLink(generation=1), m.OpenLink(generation=2))
    assert (state.phase, state.generation) == (phase, 2), "to the person it is the same attempt"
    waiting = m.Lifecycle(phase=phase, generation=1, newest=1, retry_at=12.0)
    assert step(waiting, m.OpeningChanged(), 10.0, POLICY) == (waiting, ())


def test_what_is_read_from_the_disk_does_not_undo_a_change_on_its_way_there() -> None:
    archive = MemoryArchive()
    renamed = Chosen(name="coffee", title="Coffee", prompt=TEA.prompt, voice=TEA.voice, language=TEA.language)

    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(scenario=TEA)
        await bench.ready()
        await exchange(bench, "hello", "Guten Tag.")
        archive.failures = [FULL]
        bench.controller.change_scenario(renamed)
        await bench.until(lambda: not archive.failures)
        await bench.controller.note_delivery(pending=0, note="", changed=True)
        assert bench.now.scenario == renamed
        await bench.until(lambda: any(decode(row.scenario) == renamed for row in archive.rows.values()))

    story(work, archive)


def test_a_second_change_takes_the_place_of_a_successor_that_knows_only_the_first() -> None:
    live = m.Lifecycle(phase=Phase.READY, generation=1, newest=1, live_at=0.0, expires_at=5_000.0)
    state, _ = step(live, m.OpeningChanged(), 10.0, POLICY)
    state, actions = step(state, m.RenewalDue(quiet=True, jitter=0.0), 10.0, POLICY)
    assert actions[0] == m.OpenLink(generation=2)
    state, actions = step(state, m.OpeningChanged(), 10.1, POLICY)
    assert m.DropLink(generation=2) in actions
    assert (state.successor, state.outdated) == (None, True)
    state, _ = step(state, m.RenewalDue(quiet=True, jitter=0.0), 10.1, POLICY)
    state, _ = step(state, m.LinkReady(generation=3, opened_at=10.2, expires_at=5_000.0), 10.3, POLICY)
    state, actions = step(state, m.RenewalDue(quiet=True, jitter=0.0), 10.3, POLICY)
    assert m.GoLive(generation=3) in actions
    assert (state.generation, state.outdated) == (3, False)


def test_a_break_is_over_for_good_once_a_wire_session_is_live() -> None:
    opening = m.Lifecycle(phase=Phase.CONNECTING, generation=1, newest=1, paused=True)
    assert not step(opening, m.LinkReady(generation=1, opened_at=0.0), 1.0, POLICY)[0].paused
