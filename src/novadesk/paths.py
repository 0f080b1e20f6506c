"""Where NovaDesk keeps its files: one private root per profile."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one profile. `profile` is empty for the ordinary one; it also names keyring and socket."""

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path
    profile: str = ""

    @property
    def settings_file(self) -> Path:
        """Return the settings file."""
        return self.config / "settings.toml"

    @property
    def database(self) -> Path:
        """Return the SQLite file that is the truth."""
        return self.data / "novadesk.db"

    @property
    def core_lock(self) -> Path:
        """Return the lock file held by the one running core."""
        return self.data / "core.lock"

    @property
    def control_socket(self) -> Path:
        """Return the control socket of the running core (unused on Windows, which has a named pipe)."""
        return self.runtime / "control.sock"

    @property
    def practice(self) -> Path:
        """Return the folder of the practice server."""
        return self.data / "practice"

    @property
    def gateway(self) -> Path:
        """Return the folder of a gateway that runs here: its state, and the keys of the local issuer."""
        return self.data / "gateway"

    @property
    def log_file(self) -> Path:
        """Return the log file."""
        return self.state / "novadesk.log"

    @property
    def strip_file(self) -> Path:
        """Return the file that says where the mini strip was."""
        return self.state / "strip.place"

    @property
    def placement_file(self) -> Path:
        """Return the file that says where the window was."""
        return self.state / "window.place"

    @property
    def updates_file(self) -> Path:
        """Return the file that says what is known of newer versions."""
        return self.state / "updates.json"

    @property
    def keyring_service(self) -> str:
        """Return the service name of the keyring entries."""
        return f"novadesk-{self.profile}" if self.profile else "novadesk"

    def make(self) -> "Folders":
        """Create the folders and what is missing above them, open to the user only; return self.

        Raises:
            OSError: one of them cannot be made; its `filename` says which.
        """
        for folder in (self.config, self.data, self.state, self.cache, self.runtime, self.practice):
            for parent in reversed(folder.parents):
                if not parent.exists():
                    parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) != 0o700:
                folder.chmod(0o700)
        return self


def find_folders(*, home: str | None = None, profile: str = "") -> Folders:
    """Return the folders of a profile.

    Args:
        home: put everything below this folder (NOVADESK_HOME); None asks the platform.
        profile: name of a separate set of folders.
    """
    home = home or os.environ.get("NOVADESK_HOME") or None
    if home is not None:
        root = Path(home).expanduser().absolute()
        if profile:
            root = root / "profiles" / profile
        return Folders(
            config=root / "config",
            data=root / "data",
            state=root / "state",
            cache=root / "cache",
            runtime=root / "run",
            profile=profile,
        )
    dirs = platformdirs.PlatformDirs("novadesk", appauthor=False)
    below = Path("profiles") / profile if profile else Path()
    return Folders(
        config=Path(dirs.user_config_dir) / below,
        data=Path(dirs.user_data_dir) / below,
        state=Path(dirs.user_state_dir) / below,
        cache=Path(dirs.user_cache_dir) / below,
        runtime=_runtime_folder(dirs) / below,
        profile=profile,
    )


def _runtime_folder(dirs: platformdirs.PlatformDirs) -> Path:
    if not sys.platform.startswith("linux"):
        return Path(dirs.user_runtime_dir)
    # The XDG specification wants a runtime folder that is ours alone; in its place nothing shared is taken.
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or os.devnull)
    try:
        found = session.stat()
    except OSError:
        found = None
    private = found is not None and stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if found is not None and private and session.is_absolute() and found.st_uid == os.getuid():
        return session / "novadesk"
    return Path(dirs.user_state_dir) / "run"
