"""What a package says of itself, and what that means for new versions."""

from dataclasses import replace

import pytest

from novadesk.installation import Channel, Installation, Kind, read_installation
from novadesk.stamp import Stamp

STAMP = Stamp(version="0.2.0", commit="1234567", date="2027-01-10", package="folder")


@pytest.mark.parametrize("kind", Kind)
def test_what_a_package_says_is_read(kind: Kind) -> None:
    assert read_installation(replace(STAMP, package=kind.value), {}) == Installation(kind=kind)
    beta = replace(STAMP, package=kind.value, channel="beta")
    assert read_installation(beta, {}) == Installation(kind=kind, channel=Channel.BETA)


def test_without_a_stamp_it_runs_from_source() -> None:
    assert read_installation(environment={"APPIMAGE": "/home/anna/NovaDesk.AppImage"}).kind is Kind.SOURCE


@pytest.mark.parametrize(
    ("package", "environment", "expected"),
    [
        ("folder", {"APPIMAGE": "/home/anna/NovaDesk.AppImage"}, Kind.APPIMAGE),
        ("folder", {"FLATPAK_ID": "io.github.novadesk.NovaDesk"}, Kind.FLATPAK),
        ("deb", {"APPIMAGE": "/home/anna/Terminal.AppImage"}, Kind.DEB),  # started by another one
        ("snap", {}, Kind.SYSTEM),
    ],
)
def test_a_folder_may_be_carried_by_something_else(package: str, environment: dict[str, str], expected: Kind) -> None:
    assert read_installation(replace(STAMP, package=package), environment).kind is expected


def test_a_channel_that_is_not_known_is_nobody_s_to_follow() -> None:
    assert read_installation(replace(STAMP, package="dmg", channel="daily"), {}).kind is Kind.SYSTEM


def test_a_package_manager_looks_after_its_own_only() -> None:
    assert [kind for kind in Kind if kind.managed] == [Kind.DEB, Kind.RPM, Kind.FLATPAK, Kind.SYSTEM]
