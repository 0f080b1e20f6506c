"""The update feed: what is believed of it, and every way in which it is not."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novadesk.errors import Reason
from novadesk.feed import (
    MAX_FEED_BYTES,
    FeedRefused,
    Refusal,
    Release,
    file_for,
    is_newer,
    is_version,
    parse_feed,
    read_feed,
    runs_on,
    verify,
)
from tests.support.feeds import HERE, MAC, NOW_MS, Signer, entries, feed, package, when

SIGNER, OTHER = Signer(), Signer("2026b")
GOOD = feed()
SIGNED = SIGNER.sign(GOOD)


def read(content: bytes, signatures: bytes | None = None, *, seen: int = 0, version: str = "0.1.0") -> Release:
    return read_feed(
        content,
        SIGNER.sign(content) if signatures is None else signatures,
        place=replace(HERE, version=version),
        seen=seen,
        now_ms=NOW_MS,
        keys=SIGNER.keys,
    )


def refusal(content: bytes, signatures: bytes | None = None, **other: Any) -> FeedRefused:
    with pytest.raises(FeedRefused) as raised:
        read(content, signatures, **other)
    return raised.value


def test_a_good_feed_is_read() -> None:
    release = read(GOOD, seen=7)
    assert (release.version, release.channel, release.serial) == ("0.2.0", "stable", 7)
    assert release.notes == (("en", "What is new."), ("de", "Neues."))
    assert release.expires_ms - release.published_ms == 31 * 86_400_000
    file = file_for(release, HERE)
    assert file is not None
    assert (file.sha256, file.size, file.minimum) == ("0f" * 32, 98_000_000, "2.31")
    assert file_for(release, MAC) is None
    assert file_for(release, replace(HERE, kind="folder")) == file
    assert file_for(release, replace(HERE, machine="arm64")) is None
    both = replace(release, files=(replace(file, kind="setup"), file))
    assert file_for(both, HERE) == file  # as it is installed


@pytest.mark.parametrize(
    ("content", "other", "expected", "words"),
    [
        (feed(channel="beta"), {}, Refusal.WRONG_CHANNEL, "for the channel “beta”, not for “stable”"),
        (feed(expires=when(-0.01)), {}, Refusal.EXPIRED, f"has expired on {when(-0.01)[:10]}"),
        (feed(published=when(1.1)), {}, Refusal.FROM_THE_FUTURE, f"is dated {when(1.1)[:10]}"),
        (GOOD, {"seen": 8}, Refusal.ROLLED_BACK, "older than the one that was seen last"),
        (GOOD, {"version": "0.10.0"}, Refusal.DOWNGRADE, "version 0.2.0, which is older than the 0.10.0 that runs"),
        (feed(notes={"en": "x" * 3_000}, more="y" * MAX_FEED_BYTES), {}, Refusal.TOO_BIG, "larger than one can be"),
        (b"\xff", {}, Refusal.MALFORMED, "it is not JSON"),
        (b"[" * 60_000, {}, Refusal.MALFORMED, "it is not JSON"),
        (b"[]", {}, Refusal.MALFORMED, "it is not a JSON object"),
        (feed(format=2), {}, Refusal.MALFORMED, "a format that this version does not know"),
        (feed(format=True), {}, Refusal.MALFORMED, "a format that this version does not know"),
    ],
)
def test_what_is_signed_and_yet_not_believed(
    content: bytes, other: dict[str, Any], expected: Refusal, words: str
) -> None:
    error = refusal(content, **other)
    assert (error.refusal, words in error.what) == (expected, True)
    assert error.reason is (
        Reason.FEED_BROKEN if expected in (Refusal.MALFORMED, Refusal.TOO_BIG) else Reason.FEED_REFUSED
    )
    assert error.what.endswith(".")
    assert error.advice


@pytest.mark.parametrize(
    ("signatures", "expected"),
    [
        (b"", Refusal.UNSIGNED),
        (b"\n", Refusal.MALFORMED),
        (OTHER.sign(GOOD), Refusal.UNKNOWN_KEY),
        (SIGNER.sign(GOOD + b" "), Refusal.BAD_SIGNATURE),
        (OTHER.sign(GOOD).replace(b"2026b", b"2027a"), Refusal.BAD_SIGNATURE),
        (SIGNED.rstrip(b"\n"), Refusal.MALFORMED),
        (SIGNED.replace(b" ", b"  "), Refusal.MALFORMED),
        (SIGNED + b"#\n", Refusal.MALFORMED),
        (b"\xff" + SIGNED, Refusal.MALFORMED),
        (SIGNED * 100, Refusal.TOO_BIG),
    ],
    ids=range(10),
)
def test_what_is_not_signed_as_it_should_be(signatures: bytes, expected: Refusal) -> None:
    assert refusal(GOOD, signatures).refusal is expected


def test_while_keys_change_hands_either_signature_will_do() -> None:
    both = OTHER.sign(GOOD) + SIGNED
    for keys in (SIGNER.keys, OTHER.keys, SIGNER.keys | OTHER.keys):
        verify(GOOD, both, keys)
    forged = OTHER.sign(GOOD + b" ") + SIGNED  # one that is known and does not fit proves nothing against the other
    verify(GOOD, forged, SIGNER.keys | OTHER.keys)


@given(at=st.integers(0, len(GOOD) - 1), bits=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_feed_with_one_byte_changed_is_never_believed(at: int, bits: int) -> None:
    changed = bytearray(GOOD)
    changed[at] ^= bits
    assert refusal(bytes(changed), SIGNED).refusal is Refusal.BAD_SIGNATURE


@given(at=st.integers(0, len(SIGNED) - 1), bits=st.integers(1, 255))
@example(at=len(SIGNED) - 4, bits=1)  # the bits of base64 that say nothing
@settings(max_examples=150, deadline=None)
def test_a_signature_with_one_byte_changed_proves_nothing(at: int, bits: int) -> None:
    changed = bytearray(SIGNED)
    changed[at] ^= bits
    refusal(GOOD, bytes(changed))


@given(cut=st.integers(0, len(GOOD)), more=st.binary(max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_feed_that_is_cut_or_longer_is_never_believed(cut: int, more: bytes) -> None:
    if (changed := GOOD[:cut] + more) != GOOD:
        refusal(changed, SIGNED)


# --- what a feed may say ---

BAD_VALUES: dict[str, list[Any]] = {
    "channel": [None, 1, "", "Stable", "a b"],
    "serial": [None, 0, -1, 1.5, True, "7", 1 << 60],
    "version": [None, "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-beta", "١.2.3", "1.2.3 ", 3],
    "published": [None, "yesterday", "2026-11-01T00:00:00", 5, "9999-99-99T00:00:00Z"],
    "expires": [None, when(-1), when(-2), when(200), "0001-01-01T00:00:00+14:00"],
    "page": [None, "http://example.com", "https://", "https://a@example.com", "javascript:1", "https://é.com", 1,
             "https://example.com/a b", "https://example.com/\n", "https://[1"],
    "notes": [None, "new", {}, {"de": "Neues."}, {"en": 1}, {"en": "", "English": ""}, {"en": "x" * 4_001}],
    "files": [None, {}, [1], [package(sha256="0F" * 32)], [package(size=0)], [package(url="ftp://example.com/x")],
              [package(minimum="")], [package(kind=None)]],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, some in BAD_VALUES.items() for value in some])
def test_what_makes_no_sense_is_named(name: str, value: Any) -> None:
    error = refusal(feed(**{name: value}))
    assert error.refusal is Refusal.MALFORMED
    inner = {"sha256", "size", "url", "minimum", "kind"} if name == "files" else set()
    assert any(f"“{one}”" in error.what for one in {name} | inner)


def test_what_a_later_version_adds_is_left_out() -> None:
    plain, more = entries(), entries(files=[package(signed_by="us")], mirror="https://example.org")
    assert parse_feed(json.dumps(more).encode()) == parse_feed(json.dumps(plain).encode())


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(st.recursive(PLAIN, lambda one: st.lists(one) | st.dictionaries(st.text(max_size=5), one), max_leaves=8))
@settings(max_examples=40, deadline=None)
def test_whatever_is_in_it_is_read_or_refused(value: Any) -> None:
    for name in entries():
        try:
            parse_feed(feed(**{name: value}))
        except FeedRefused as error:
            refused = error.refusal
        else:
            refused = Refusal.MALFORMED
        assert refused is Refusal.MALFORMED


ORDERED = ["0.1.0", "0.2.0a1", "0.2.0b1", "0.2.0b10", "0.2.0rc1", "0.2.0", "0.10.0", "1.0.0b1", "1.0.0", "10.0.0"]


def test_versions_have_an_order() -> None:
    for n, one in enumerate(ORDERED):
        assert is_version(one)
        assert [is_newer(one, other) for other in ORDERED] == [n > m for m in range(len(ORDERED))]
    assert not any(is_version(text) for text in ("", "1.0", "1.0.0.dev1", "1.0.0+local", "1.0.0\n"))


@pytest.mark.parametrize(
    ("minimum", "here", "runs"),
    [
        ("2.31", "2.36", True), ("2.36", "2.36", True), ("2.40", "2.36", False), ("10.0.17763", "10.0.19045", True),
        ("13", "13.0", True), ("13.1", "13", False), ("2.31", "", True), ("2.31", "odd", True), ("", "1", True),
    ],
)  # fmt: skip
def test_a_system_may_be_too_old(minimum: str, here: str, runs: bool) -> None:
    (file,) = parse_feed(GOOD).files
    assert runs_on(replace(file, minimum=minimum), replace(HERE, system_version=here)) is runs
