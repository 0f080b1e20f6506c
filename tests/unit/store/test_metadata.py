"""What a remote session says about its conversation: round trips, senseless values, and whose name wins."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.models import BackendKind, make_handle
from novadesk.store.metadata import (
    APP,
    KEY_APP,
    KEY_BACKEND,
    KEY_CREATED_MS,
    KEY_DEVICE,
    KEY_GENERATION,
    KEY_HANDLE,
    KEY_PREDECESSOR,
    KEY_TITLED_MS,
    Names,
    backend_of,
    created_ms_of,
    generation_of,
    handle_of,
    make_metadata,
    mark_of,
    name_metadata,
    names_of,
    newest_names,
)
from tests.support.store_rig import START_MS, make_conversation

TIMES = st.integers(0, 3)
WORDS = st.sampled_from(["", "a", "b", "ä 🙂"])
NAMES = st.builds(
    Names,
    title=WORDS,
    titled_ms=TIMES,
    label=WORDS,
    labelled_ms=TIMES,
    starred=st.booleans(),
    starred_ms=TIMES,
)


@given(NAMES, NAMES, NAMES)
def test_all_machines_come_to_the_same_names_in_whatever_order_they_hear_of_them(a: Names, b: Names, c: Names) -> None:
    assert newest_names(a, a) == a
    assert newest_names(a, b) == newest_names(b, a)
    assert newest_names(newest_names(a, b), c) == newest_names(a, newest_names(b, c))


@given(NAMES, NAMES)
def test_each_name_is_its_last_writers(a: Names, b: Names) -> None:
    merged = newest_names(a, b)
    for name, time in (("title", "titled_ms"), ("label", "labelled_ms"), ("starred", "starred_ms")):
        assert getattr(merged, time) == max(getattr(a, time), getattr(b, time))
        later = a if getattr(a, time) > getattr(b, time) else b
        if getattr(a, time) != getattr(b, time):
            assert getattr(merged, name) == getattr(later, name)


@given(NAMES)
def test_names_come_back(names: Names) -> None:
    assert names_of(name_metadata(names)) == names


def test_a_session_carries_all_that_finds_its_conversation_again() -> None:
    made = make_conversation(backend=BackendKind.BEDROCK, label="caring-king-275")
    metadata = make_metadata(made, Names(label=made.label), generation=2, device="laptop", predecessor="id")
    assert handle_of(metadata) == made.handle
    assert generation_of(metadata) == 2
    assert backend_of(metadata) is BackendKind.BEDROCK
    assert created_ms_of(metadata, 0) == made.created_ms
    assert (metadata[KEY_APP], metadata[KEY_DEVICE], metadata[KEY_PREDECESSOR]) == (APP, "laptop", "id")
    assert KEY_PREDECESSOR not in make_metadata(made, Names(), generation=0, device="laptop")


def test_the_longest_names_fit_the_service() -> None:
    made = dataclasses.replace(make_conversation(), title="x")
    metadata = make_metadata(made, Names(title="t" * 9_000, label="l" * 9_000), generation=0, device="d" * 9_000)
    assert len(metadata) <= 50
    assert max(map(len, metadata.values())) <= 5_000
    assert max(map(len, metadata)) <= 100


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {KEY_APP: APP},
        {KEY_APP: APP, KEY_HANDLE: "x"},
        {KEY_APP: APP, KEY_HANDLE: "session_0000000000000_aaaaaaaaa"},
        {KEY_APP: "other", KEY_HANDLE: make_handle(START_MS)},
    ],
)
def test_sessions_of_others_are_not_ours(metadata: dict[str, str]) -> None:
    assert handle_of(metadata) is None


def test_a_handle_of_a_machine_whose_clock_is_ahead_is_ours() -> None:
    handle = make_handle(START_MS * 2)
    assert handle_of({KEY_APP: APP, KEY_HANDLE: handle}) == handle


@given(st.text())
def test_senseless_values_do_no_harm(text: str) -> None:
    metadata = {KEY_GENERATION: text, KEY_BACKEND: text, KEY_CREATED_MS: text, KEY_TITLED_MS: text}
    assert 0 <= generation_of(metadata) < 1_000_000
    assert backend_of(metadata) in BackendKind
    assert created_ms_of(metadata, 7) > 0
    assert 0 <= names_of(metadata).titled_ms < 1 << 53


def test_a_mark_tells_sessions_apart_and_is_not_their_id() -> None:
    one, other = mark_of("11111111-1111-4111-8111-111111111111"), mark_of("11111111-1111-4111-8111-111111111112")
    assert one != other
    assert "1111" not in one
    assert mark_of("11111111-1111-4111-8111-111111111111") == one
