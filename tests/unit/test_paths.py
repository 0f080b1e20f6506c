import os
import sys
from pathlib import Path

import pytest

from novadesk.paths import Folders, find_folders

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="XDG folders")


def everything(folders: Folders) -> list[Path]:
    made = [folders.config, folders.data, folders.state, folders.cache, folders.runtime, folders.practice]
    files = [folders.settings_file, folders.database, folders.core_lock, folders.control_socket, folders.log_file]
    return made + files


def test_one_root_holds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "variable"))
    for home, root in ((None, tmp_path / "variable"), (str(tmp_path / "given"), tmp_path / "given")):
        folders = find_folders(home=home)
        assert all(path.is_relative_to(root) for path in everything(folders))
        assert len(set(everything(folders))) == 11
        assert folders.keyring_service == "novadesk"
        assert not root.exists(), "looking must not make anything"


def test_profiles_are_apart(tmp_path: Path) -> None:
    plain, work, home = (find_folders(home=str(tmp_path), profile=name) for name in ("", "work", "home"))
    assert not set(everything(plain)) & set(everything(work))
    assert not set(everything(home)) & set(everything(work))
    assert all(path.is_relative_to(tmp_path) for path in everything(work))
    assert [folders.keyring_service for folders in (plain, work)] == ["novadesk", "novadesk-work"]


def test_a_relative_home_and_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    assert find_folders(home="here").data == tmp_path / "here" / "data"
    assert find_folders(home="~/nova").data == tmp_path / "me" / "nova" / "data"


@linux
@pytest.mark.parametrize("profile", ["", "work"])
def test_the_folders_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    monkeypatch.delenv("NOVADESK_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        monkeypatch.delenv(f"XDG_{name}", raising=False)
    below = Path("profiles", profile) if profile else Path()
    folders = find_folders(profile=profile)
    assert folders.config == tmp_path / ".config/novadesk" / below
    assert folders.data == tmp_path / ".local/share/novadesk" / below
    assert folders.state == tmp_path / ".local/state/novadesk" / below
    assert folders.cache == tmp_path / ".cache/novadesk" / below
    alone = tmp_path / ".local/state/novadesk/run" / below
    assert folders.runtime == alone
    session = tmp_path / "run"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert find_folders(profile=profile).runtime == alone, "it is not there"
    session.mkdir(mode=0o755)
    session.chmod(0o755)
    assert find_folders(profile=profile).runtime == alone, "others may look into it"
    session.chmod(0o700)
    assert find_folders(profile=profile).runtime == session / "novadesk" / below
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    assert find_folders(profile=profile).runtime == alone, "the specification wants an absolute path"


@posix
def test_what_is_made_is_private_and_what_was_there_above_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there").chmod(0o755)
    loose = tmp_path / "there/new/root/data"
    mask = os.umask(0o000)
    try:
        loose.mkdir(parents=True)
        loose.chmod(0o777)
        folders = find_folders(home=str(tmp_path / "there/new/root"), profile="p").make()
        folders.make()
        plain = find_folders(home=str(tmp_path / "there/new/root")).make()
    finally:
        os.umask(mask)
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755
    for made in (folders, plain):
        for folder in (made.config, made.data, made.state, made.cache, made.runtime, made.practice):
            assert folder.stat().st_mode & 0o777 == 0o700, folder
    assert (tmp_path / "there/new/root/profiles").stat().st_mode & 0o777 == 0o700


@posix
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory") as caught:
        find_folders(home=str(tmp_path / "file" / "home")).make()
    assert str(tmp_path / "file") in str(caught.value.filename)
