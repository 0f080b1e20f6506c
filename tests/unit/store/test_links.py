"""Which listed session has which place in a chain."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.store.agentruntime import RemoteSession, RemoteStatus
from novadesk.store.links import Link, LinkState, place
from novadesk.store.metadata import KEY_DEVICE, KEY_GENERATION, mark_of

HERE, THERE = "here", "there"


def session(
    name: str, generation: int, device: str = HERE, *, at: int = 0, status: RemoteStatus = RemoteStatus.ACTIVE
) -> RemoteSession:
    return RemoteSession(
        session_id=name,
        status=status,
        created_ms=at,
        updated_ms=at,
        metadata={KEY_GENERATION: str(generation), KEY_DEVICE: device},
    )


def link(generation: int, name: str = "", *, gone: bool = False) -> Link:
    return Link(
        generation=generation,
        state=LinkState.BOUND if name else LinkState.INTENDED,
        mark=mark_of(name) if name else "",
        gone=gone,
    )


CASES = {
    "nothing known": ([], [session("a", 0), session("b", 1)], {0: "a", 1: "b"}, []),
    "known by its mark": ([link(0, "a"), link(1, "b")], [session("b", 1), session("a", 0)], {0: "a", 1: "b"}, []),
    "an answer was lost": ([link(0)], [session("a", 0)], {0: "a"}, []),
    "two answers were lost": ([link(0)], [session("a", 0, at=2), session("b", 0, at=1)], {0: "b"}, ["a"]),
    "an open one counts before an old one": (
        [link(0)],
        [session("a", 0, at=1, status=RemoteStatus.ENDED), session("b", 0, at=2)],
        {0: "b"},
        ["a"],
    ),
    "a double beside the bound one": ([link(0, "a")], [session("a", 0, at=9), session("b", 0, at=1)], {0: "a"}, ["b"]),
    "another machine rolled over too": (
        [link(0, "a"), link(1, "b")],
        [session("a", 0), session("b", 1, at=1), session("c", 1, THERE)],
        {0: "a", 1: "b", 2: "c"},
        [],
    ),
    "another machine made the successor": ([link(0, "a")], [session("b", 1, THERE)], {1: "b"}, []),
    "one that was lost is back": ([link(0, "a", gone=True), link(1, "b")], [session("a", 0)], {0: "a"}, []),
    "a place that is moved stays moved": (
        [link(0, "a"), link(1, "b"), link(2, "c")],
        [session("c", 1, THERE), session("b", 1)],
        {1: "b", 2: "c"},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_session_has_its_place(name: str) -> None:
    links, sessions, places, doubles = CASES[name]
    placement = place(links, sessions, HERE)
    assert {generation: one.session_id for generation, one in placement.places.items()} == places
    assert [one.session_id for one in placement.doubles] == doubles


SESSIONS = st.lists(
    st.builds(
        session,
        st.uuids().map(str),
        st.integers(0, 3),
        st.sampled_from([HERE, THERE]),
        at=st.integers(0, 3),
        status=st.sampled_from(RemoteStatus),
    ),
    max_size=8,
    unique_by=lambda one: one.session_id,
)


@given(SESSIONS, st.data())
def test_no_session_of_another_machine_is_ever_passed_over(sessions: list[RemoteSession], data: st.DataObject) -> None:
    bound = data.draw(st.permutations(sessions))[: data.draw(st.integers(0, 8))]
    links = [link(generation, one.session_id) for generation, one in enumerate(bound)]
    links += [link(len(links))] if data.draw(st.booleans()) else []
    placement = place(links, sessions, HERE)
    placed = {one.session_id for one in placement.places.values()}
    doubles = {one.session_id for one in placement.doubles}
    assert placed | doubles == {one.session_id for one in sessions}
    assert not placed & doubles
    assert all(one.metadata[KEY_DEVICE] == HERE for one in placement.doubles)
    for generation, one in enumerate(bound):
        assert placement.places[generation].session_id == one.session_id


@given(SESSIONS)
def test_a_second_look_finds_the_same_places(sessions: list[RemoteSession]) -> None:
    first = place([], sessions, HERE)
    links = [link(generation, one.session_id) for generation, one in sorted(first.places.items())]
    assert place(links, sessions, HERE).places == first.places
    newcomer = session(str(uuid.uuid4()), 0, THERE)
    assert first.places.items() <= place(links, [*sessions, newcomer], HERE).places.items()
