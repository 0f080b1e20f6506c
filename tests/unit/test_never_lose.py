"""Whatever dies, in whatever order: no finished turn is lost, none appears twice, the model knows what was said.

The real controller, lifecycle, store rules and sync run on virtual time against models of the voice service, of the
Agent Runtime, of a disk that outlives the program, and of a second computer on the same account.
"""

import inspect
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from novadesk.conversation.uplink import PAUSE_S
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage, shape
from novadesk.protocol.limits import DEFAULT
from novadesk.store.agentruntime import RemoteSessions, RemoteStatus
from novadesk.store.steps import decode_turn, encode_turn
from tests.support.leaks import LogWatch
from tests.support.model_machine import MAX_STEPS, SETTINGS
from tests.support.model_runtime import Fault, Mishap, ModelRemote
from tests.support.model_voice import Fate, ModelLink, Welcome, make_frame
from tests.support.model_world import World, failing, frames_of, lines_of, read_all

pytestmark = pytest.mark.thorough

OLDER = st.sampled_from([False, False, False, True])
SOME = st.integers(0, 5)
LINK_ENDS = st.sampled_from(
    [None, Reason.LINK_LOST, Reason.SESSION_LIMIT, Reason.UNSTABLE, Reason.THROTTLED, Reason.CREDENTIALS_EXPIRED]
)
ATTEMPT_ENDS = st.sampled_from([Reason.UNREACHABLE, Reason.THROTTLED, Reason.ACCESS_DENIED])
WELCOMES = st.one_of(
    st.builds(Welcome, st.sampled_from([Fate.REFUSED, Fate.TURNED_AWAY]), ATTEMPT_ENDS),
    st.sampled_from([Welcome(Fate.STUCK), Welcome(Fate.MUTE), Welcome(keys_last_s=20.0), Welcome()]),
)
REFUSALS = st.sampled_from(
    [
        Reason.UNAVAILABLE,
        Reason.THROTTLED,
        Reason.SYNC_UNREACHABLE,
        Reason.SYNC_DENIED,
        Reason.CREDENTIALS_EXPIRED,
        Reason.QUOTA,
        Reason.BAD_REQUEST,
    ]
)
MISHAPS = st.one_of(
    st.builds(Mishap, st.just(Fault.REFUSED), REFUSALS),
    st.builds(Mishap, st.sampled_from([fault for fault in Fault if fault is not Fault.REFUSED])),
)


class NeverLose(RuleBasedStateMachine):
    """One account, two computers, a program that talks on one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.utterance, self.place, self.typed = 1, 0, 0
        self.judged: list[ModelLink] = []

    def usable(self, older: bool) -> ModelLink | None:
        links = self.world.voice.usable
        return None if not links else links[-1 if older else 0]

    # --- the person ---

    @rule(frames=st.integers(1, 8), keep=st.booleans())
    def talk(self, frames: int, keep: bool) -> None:
        self.utterance += 1
        self.place = 0
        self.world.soon(self.world.program.controller.press_talk)
        self.speak(frames)
        if not keep:
            self.world.soon(self.world.program.controller.release_talk)

    @rule(frames=st.sampled_from([1, 5, 30, 110]))
    def speak(self, frames: int) -> None:
        world = self.world
        for _ in range(frames):
            world.machinery.wait(0.032)
            self.place += 1
            if (listener := world.program.sound.listener) is not None:
                frame = make_frame(self.utterance, self.place)
                world.soon(lambda frame=frame, listener=listener: listener.on_frame(frame, 0.2))  # type: ignore[misc]

    @rule()
    def type_text(self) -> None:
        self.typed += 1
        text = f"typed-{self.typed}"
        self.world.soon(lambda: self.world.program.controller.say(text))

    @rule(wish=st.sampled_from(["release", "stop", "try now", "network", "hands free", "hold"]))
    def wish(self, wish: str) -> None:
        controller, sync = self.world.program.controller, self.world.program.store.sync
        match wish:
            case "release":
                self.world.soon(controller.release_talk)
            case "stop":
                self.world.soon(controller.stop_speaking)
            case "try now":
                self.world.soon(controller.try_now)
            case "network":
                self.world.soon(controller.on_network_up)
                self.world.soon(sync.try_now)
            case _:
                mode = type(self.world.snapshot.talk_mode)[wish.upper().replace(" ", "_")]
                self.world.soon(lambda: controller.set_talk_mode(mode))

    @rule(wish=st.sampled_from(["new", "open", "open", "private", "end"]), which=SOME)
    def change_conversation(self, wish: str, which: int) -> None:
        controller, handles = self.world.program.controller, self.world.disk.handles()
        match wish:
            case "new":
                self.world.soon(controller.new_conversation)
            case "private":
                self.world.soon(lambda: controller.new_conversation(private=True))
            case "open" if handles:
                self.world.soon(lambda: controller.open_conversation(handles[which % len(handles)]))
            case "end":
                self.world.soon(controller.end_conversation)

    @rule(change=st.sampled_from(["delete", "title", "star", "unstar", "title elsewhere"]), which=SOME)
    def change_store(self, change: str, which: int) -> None:
        world = self.world
        opened = world.look().conversation
        handles = [handle for handle in world.disk.handles() if opened is None or handle != opened.handle]
        if change == "title elsewhere":
            world.name_elsewhere(which, f"title-{world.now}")
        elif handles:
            archive, handle, at_ms = (
                world.program.store.conversations,
                handles[which % len(handles)],
                world.service_ms(),
            )
            match change:
                case "delete":
                    world.change_store(lambda: archive.delete(handle, at_ms))
                    world.deleted |= {handle} - set(world.disk.handles())
                case "title":
                    world.change_store(lambda: archive.rename(handle, f"title-{at_ms}", at_ms))
                case _:
                    world.change_store(lambda: archive.star(handle, change == "star", at_ms))

    # --- the voice service ---

    @rule(older=OLDER, wait=st.booleans())
    def understand(self, older: bool, wait: bool) -> None:
        """Write down what was said; what had time to arrive has to be stored."""
        world = self.world
        if world.look().talking:  # whoever still holds the key has to pause before the service ends the turn
            world.machinery.wait(PAUSE_S + 0.1)
        if (link := self.usable(older)) is not None and (name := link.understand()) is not None and wait:
            world.machinery.wait(0.02)
            opened = world.look().conversation
            if link.usable and not (link.ended or link.stalled or link.half_open or opened is None or opened.private):
                world.due[name] = world.now

    @rule(older=OLDER, pieces=st.integers(1, 3), at_once=st.booleans())
    def answer(self, older: bool, pieces: int, at_once: bool) -> None:
        if (link := self.usable(older)) is not None:
            link.answer(pieces, at_once=at_once)

    @rule(older=OLDER, steps=st.integers(1, 4))
    def carry_on(self, older: bool, steps: int) -> None:
        if (link := self.usable(older)) is not None:
            link.carry_on(steps)

    @rule(share=st.sampled_from([0.3, 0.6, 1.0]))
    def play(self, share: float) -> None:
        self.world.soon(lambda: self.world.program.sound.play_some(share))

    @rule(pieces=st.integers(1, 2), pause_s=st.sampled_from([0.0, 0.05, 0.5]))
    def exchange(self, pieces: int, pause_s: float) -> None:
        """Do as people usually do."""
        self.talk(4, False)
        self.world.machinery.wait(0.3)
        self.understand(False, True)
        self.world.machinery.wait(pause_s)
        self.answer(False, pieces, True)
        self.world.machinery.wait(pause_s)
        self.play(1.0)

    @rule(pause_s=st.sampled_from([0.0, 0.01, 0.03, 0.5]), mishaps=st.lists(MISHAPS, max_size=2))
    def cut_answer(self, pause_s: float, mishaps: list[Mishap]) -> None:
        """Stop an answer in the middle; the service confirms it soon, while the first version is delivered."""
        self.talk(4, False)
        self.world.machinery.wait(0.3)
        self.understand(False, True)
        if (link := self.usable(False)) is not None:
            link.answer(2, at_once=False)
            self.world.machinery.wait(0.03)
            self.play(0.6)
            self.wish("stop")
            self.world.machinery.wait(pause_s)
            self.world.runtime.mishaps.extend(mishaps)
            self.world.machinery.wait(pause_s)
            link.carry_on(9)

    @rule(frames=st.sampled_from([4, 60]), pause_s=st.sampled_from([0.01, 0.1, 1.0]), reason=LINK_ENDS)
    def lose_answer(self, frames: int, pause_s: float, reason: Reason | None) -> None:
        """Lose the link after a question was understood, before anything of the answer."""
        self.talk(frames, False)
        self.world.machinery.wait(0.3)
        self.understand(False, True)
        self.world.machinery.wait(pause_s)
        self.kill_link(False, reason, [])

    @rule(asked=st.booleans())
    def last_words(self, asked: bool) -> None:
        """Renew; the old wire session speaks on after the hand-over, until its goodbye is over."""
        if (link := self.usable(False)) is None or self.world.now - link.listening_since < 20.0:
            return
        if asked:
            self.talk(4, False)
        for _ in range(200):
            self.world.machinery.wait(0.1)
            if link.ended or not link.usable:
                break
        if link.usable:
            link.understand()
            link.answer(1, at_once=True)
            self.world.machinery.wait(0.1)
            self.play(1.0)
            self.understand(False, True)

    @rule(older=OLDER, how=st.sampled_from(["interrupt", "half open", "stall", "flow"]))
    def trouble_link(self, older: bool, how: str) -> None:
        if (link := self.usable(older)) is None:
            return
        match how:
            case "interrupt":
                link.interrupt()
            case "half open":
                link.half_open = True
            case "stall":
                link.stalled = True
            case _:
                link.flow()

    @rule(older=OLDER, reason=LINK_ENDS, welcomes=st.lists(WELCOMES, max_size=3))
    def kill_link(self, older: bool, reason: Reason | None, welcomes: list[Welcome]) -> None:
        """End a link; the next attempts are received like this."""
        links = [link for link in self.world.links if link.opened and not (link.closing or link.broken)]
        if links:
            links[0 if older else -1].die(reason)
        self.world.welcomes.clear()
        self.world.welcomes.extend(welcomes)

    # --- time and death ---

    @rule(seconds=st.sampled_from([0.0, 0.003, 0.01, 0.03, 0.1]))
    def wait(self, seconds: float) -> None:
        self.world.machinery.wait(seconds)

    @rule(seconds=st.sampled_from([0.5, 2.0, 7.0, 31.0]))
    def wait_long(self, seconds: float) -> None:
        self.world.machinery.wait(seconds)

    @rule(how=st.sampled_from(["crash", "crash", "restart"]))
    def leave(self, how: str) -> None:
        (self.world.kill if how == "crash" else self.world.quit)()

    @rule(half_open=st.booleans())
    def sleep(self, half_open: bool) -> None:
        """Let the computer sleep for an hour: its monotonic clock stands still, the service gives up on it."""
        world = self.world
        world.disk.wall_ahead_s += 3600.0
        for link in world.links:
            if link.opened and not link.closing:
                if half_open:
                    link.half_open = True
                else:
                    link.die(Reason.LINK_LOST)
        world.soon(world.program.controller.on_resumed)
        world.soon(world.program.store.sync.try_now)

    @rule(
        trouble=st.sampled_from(["disk full", "room", "no keyring", "slow keyring", "keyring", "late", "early", "slow"])
    )
    def trouble_computer(self, trouble: str) -> None:
        world = self.world
        match trouble:
            case "disk full" | "room":
                world.disk.full = trouble == "disk full"
            case "late" | "early":  # somebody sets the clock
                jump_s = 7200.0 if trouble == "late" else -7200.0
                world.disk.wall_ahead_s += jump_s
                world.jumped_s += jump_s
            case "slow":
                world.voice.close_s = 1.5 - world.voice.close_s
            case _:
                reasons = {"no keyring": Reason.KEYRING_LOCKED, "slow keyring": Reason.KEYRING_TIMED_OUT}
                reason = reasons.get(trouble)
                world.disk.keyring_fault = None if reason is None else KnownError(reason, "It is shut.", "Open it.")

    # --- the session store and the other computer ---

    @rule(mishaps=st.lists(MISHAPS, min_size=1, max_size=4))
    def trouble_sync(self, mishaps: list[Mishap]) -> None:
        self.world.runtime.mishaps.extend(mishaps)

    @rule(reason=st.sampled_from([None, Reason.SYNC_UNREACHABLE, Reason.SYNC_DENIED]))
    def trouble_runtime(self, reason: Reason | None) -> None:
        self.world.runtime.down = None if reason is None else KnownError(reason, "It is away.", "Wait.")

    @rule(which=SOME, how=st.sampled_from(["expire", "end", "delete", "lose", "torn", "foreign"]))
    def meddle(self, which: int, how: str) -> None:
        """Let time, or somebody else, change a remote session."""
        runtime = self.world.runtime
        sessions = list(runtime.sessions.values())
        if not sessions:
            return
        found = sessions[which % len(sessions)]
        active = found.status is RemoteStatus.ACTIVE
        match how:
            case "expire" if active:
                found.status = RemoteStatus.EXPIRED
            case "end":
                found.status = RemoteStatus.ENDED
            case "delete" | "lose" if not active:
                runtime.delete(found.session_id)
            case "lose":
                runtime.end(found.session_id)
                runtime.delete(found.session_id)
            case "torn" | "foreign" if active and len(found.steps) < MAX_STEPS:
                invocation, text = str(uuid.uuid4()), '{"role":"user"' if how == "torn" else '{"a":1}'
                found.invocations.add(invocation)
                step_ms = self.world.service_ms()
                runtime.put_step(found.session_id, invocation, str(uuid.uuid4()), step_ms, text)

    @rule(which=SOME, new=st.booleans())
    def write_elsewhere(self, which: int, new: bool) -> None:
        self.world.write_elsewhere(which, new=new)

    @rule(most_s=st.sampled_from([0.1, 1.0, 30.0]))
    def sync_elsewhere(self, most_s: float) -> None:
        self.world.sync_elsewhere(most_s)

    @rule()
    def read_here(self) -> None:
        self.world.machinery.run(read_all(self.world.program.store, self.world.disk))

    # --- what always holds ---

    def checks(self) -> tuple[Callable[[], None], ...]:
        return (
            self.no_bug,
            self.few_links,
            self.history_is_right,
            self.stored_once,
            self.what_came_is_stored,
            self.shown_is_stored,
            self.outbox_is_true,
            self.deleted_stays_deleted,
            self.private_is_nowhere,
        )

    @invariant()
    def holds(self) -> None:
        for check in self.checks():
            check()

    def no_bug(self) -> None:
        assert self.world.bugs.seen == []

    def few_links(self) -> None:
        trying = [link for link in self.world.links if link.trying]
        open_now = [link for link in self.world.links if link.opened and not (link.closing or link.broken)]
        assert len(trying) <= 1, "two attempts to connect at once"
        assert len(open_now) <= SETTINGS.session.concurrent, "too many wire sessions"

    def history_is_right(self) -> None:
        for link in self.world.links:
            assert len(link.histories) <= 1, "the history was sent twice"
            for history in link.histories:
                lines = {line for _, line in lines_of(history)}
                assert not lines & set(link.typed), "a question is in the history and asked again"
                assert not any(line.startswith("spoken-") and frames_of(line) & set(link.frames) for line in lines), (
                    "a question is in the history and said again"
                )
            if link.histories and link not in self.judged and self.has_asked(link):
                self.judged.append(link)
                assert any(self.history_fits(link, turns) for _, turns in link.allowed), (
                    f"the model was told {link.histories[0]} and asked {link.typed}, of {link.allowed}"
                )

    def has_asked(self, link: ModelLink) -> bool:
        """Return whether questions that a link had to ask again have been asked, or never can be."""
        return link.broken or link.closing or self.world.now - link.listening_since > 2.0

    def history_fits(self, link: ModelLink, turns: tuple[HistoryMessage, ...]) -> bool:
        """Return whether the history of a link is that of these turns but for what is asked again.

        What the person has heard of an answer that is not finished may follow. A link that died may not have asked all.
        """
        given = lines_of(link.histories[0])
        died = link.broken or link.closing or link.half_open
        told_now = {line for _, line in given}
        asked = {turn.text for turn in turns if died and turn.text not in told_now} | set(link.typed)
        kept = lines_of(shape([turn for turn in turns if turn.text not in asked], DEFAULT))
        rest = given[len(kept) :]
        return given[: len(kept)] == kept and (
            not rest or (len(rest) == 1 and rest[0][0] is WireRole.ASSISTANT and rest[0][1].startswith("answer-"))
        )

    def stored_once(self) -> None:
        questions = Counter(row["text"] for row in self.world.disk.rows("SELECT text FROM turn WHERE role = 'user'"))
        assert not [text for text, count in questions.items() if count > 1], "a question is stored twice"
        frames = [frame for text in questions if text.startswith("spoken-") for frame in frames_of(text)]
        assert len(frames) == len(set(frames)), "speech is written down twice"
        answers = Counter(
            row["text"].split(" ")[0]
            for row in self.world.disk.rows("SELECT text FROM turn WHERE role = 'assistant'")
            if " " in row["text"]  # a shorter one may not name its question
        )
        assert not [name for name, count in answers.items() if count > 1], "a question is answered twice"

    def what_came_is_stored(self) -> None:
        world = self.world
        if world.disk.full:
            world.due = dict.fromkeys(world.due, world.now)
        missing = [name for name, at in world.due.items() if world.now - at >= 5.0 and not world.is_on_disk(name)]
        assert not missing or world.deleted, "a finished turn is not on the disk"

    def shown_is_stored(self) -> None:
        stored = {row["turn_id"] for row in self.world.disk.rows("SELECT turn_id FROM turn")}
        missing = {turn_id for turn_id, (handle, _) in self.world.shown.items() if handle not in self.world.deleted}
        assert missing <= stored, "a turn that was shown is not stored"

    def outbox_is_true(self) -> None:
        disk = self.world.disk
        wrong = disk.rows(
            "SELECT t.sync FROM turn t LEFT JOIN outbox o ON o.turn = t.number WHERE t.sync <>"
            " CASE WHEN o.number IS NULL THEN 'synced' WHEN o.parked IS NULL THEN 'pending' ELSE 'failed' END"
        )
        assert wrong == [], "the state of a turn is not that of its outbox row"
        assert not disk.rows("SELECT 1 FROM outbox WHERE parked = ''"), "a row is parked without a reason"

    def deleted_stays_deleted(self) -> None:
        assert not self.world.deleted & set(self.world.disk.handles()), "a deleted conversation came back"

    def private_is_nowhere(self) -> None:
        world = self.world
        if world.hidden:
            assert not {text for text in world.hidden if world.is_on_disk(text)}, "a private turn is on the disk"
            remote = "".join(step.text for found in world.runtime.sessions.values() for step in found.steps.values())
            assert not {text for text in world.hidden if f'"{text}"' in remote}, "a private turn is in the remote store"

    # --- the end of all troubles ---

    def teardown(self) -> None:
        try:
            if not failing():
                self.finish()
        finally:
            self.world.close()

    def finish(self) -> None:
        world = self.world
        world.heal()
        world.recover()
        world.settle()
        assert world.machinery.run(world.program.store.sync.pending()) == 0
        self.holds()
        for handle in world.disk.handles():
            world.note_order(handle, [turn.turn_id for turn in world.disk.turns(handle)])
        self.compare_remote()
        self.compare_computers()
        self.resume()

    def compare_remote(self) -> None:
        """What is here is there with the same content, also what was lost there; nothing is there that is not here."""
        world, there, remote = self.world, dict[str, set[str]](), set[str]()
        for found in world.runtime.sessions.values():
            handle = found.metadata["novadesk.handle"]
            assert handle not in world.deleted or handle in world.other.handles(), "a deleted copy is still there"
            texts = [step.text for step in found.steps.values() if "turn_id" in step.text]
            for step_id, step in found.steps.items():
                remote.add(step.text)
                assert len(texts) == len(set(texts)), "a step is in a session twice"
                turn = decode_turn(
                    step.text, conversation=handle, step_id=step_id, step_ms=step.step_ms, wire_session=""
                )
                if turn is not None:
                    there.setdefault(handle, set()).add(turn.turn_id)
        for handle in world.disk.handles():
            here = world.disk.turns(handle)
            assert there.get(handle, set()) <= {turn.turn_id for turn in here}, "a remote turn is not here"
            assert all(encode_turn(turn) in remote for turn in here), "a turn is not in the remote copy"

    def compare_computers(self) -> None:
        """The other computer has the same conversations, but for what somebody deleted remotely."""
        world = self.world
        mine, theirs, lost = world.disk.everything(), world.other.everything(), world.runtime.lost_steps
        for handle, turns in mine.items():
            kept = {turn_id: turn for turn_id, turn in turns.items() if encode_turn(turn) not in lost}
            if kept:
                assert handle in theirs, "the other computer does not know a conversation"
            for turn_id, turn in kept.items():
                other = theirs[handle].get(turn_id)
                assert other is not None, "the other computer does not have a turn"
                assert other == turn, "the other computer has another text"
        names = "SELECT handle, title, starred FROM conversation"
        others = {row["handle"]: tuple(row) for row in world.other.rows(names)}
        if not lost:
            assert all(others.get(row["handle"], tuple(row)) == tuple(row) for row in world.disk.rows(names)), (
                "two computers name a conversation differently"
            )

    def resume(self) -> None:
        """The next start goes on with all turns that are stored."""
        world = self.world
        query = "SELECT value FROM setting WHERE name = 'current conversation'"
        current = {row["value"] for row in world.disk.rows(query)} & set(world.disk.handles())
        world.kill()
        for handle in current:
            conversation, turns = world.look().conversation, world.disk.turns(handle)
            assert conversation is not None
            assert (conversation.handle, world.look().recovered_turns) == (handle, len(turns))
        world.machinery.wait(2.5)
        self.no_bug()
        self.history_is_right()


def search(examples: int, steps: int) -> None:
    """Look for a story that breaks a rule."""
    given = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(NeverLose, settings=given)  # type: ignore[no-untyped-call]


@pytest.mark.timeout(400)  # a story that fails is made shorter first
def test_nothing_is_ever_lost_or_doubled(expected_logs: LogWatch) -> None:
    expected_logs.allow("")  # the world's faults are logged; bugs are an invariant of every story
    search(60, 50)


def test_the_model_of_the_session_store_has_the_methods_of_the_real_one() -> None:
    for name, method in inspect.getmembers(RemoteSessions, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(ModelRemote, name)) == inspect.signature(method), name
