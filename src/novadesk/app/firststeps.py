"""The first steps as the running program answers them; fits `conversation.firststeps.FirstSteps`."""

import os
from collections.abc import Callable
from dataclasses import replace

from novadesk import permission
from novadesk.app.access import try_access
from novadesk.app.accounts import AccountQuestions
from novadesk.app.backend import make_practice
from novadesk.app.command import lasting_command, own_command, soundwatch_command
from novadesk.app.core import Core
from novadesk.app.soundcheck import hear_itself, record_and_play
from novadesk.audio.formats import LISTEN_HZ, read_wav
from novadesk.audio.resampler import Resampler
from novadesk.config import AudioSettings, BackendSettings, Settings
from novadesk.conversation.firststeps import AccessStep, Recording, SelfHearing
from novadesk.daemon import DaemonCall
from novadesk.desktop.autostart import Autostart, find_autostart
from novadesk.installation import find_resources
from novadesk.paths import Folders

_FILE_S = 5.0


class FirstSteps(AccountQuestions):
    """Answers what the wizard asks.

    Args:
        core: goes on with what was chosen.
        settings: as loaded; what is tried differs from them in what the wizard changes.
        folders: of the profile.
    """

    def __init__(self, core: Core, settings: Settings, folders: Folders) -> None:
        self._core, self._settings, self._folders = core, settings, folders

    async def try_access(self, backend: BackendSettings, tell: Callable[[AccessStep], None]) -> bool:
        """Call the service as a conversation would, see `FirstSteps`."""
        practice = make_practice(self._folders)
        try:
            return await try_access(replace(self._settings, backend=backend), practice, tell, self._core.accounts)
        finally:
            await practice.stop()

    async def policy(self, backend: BackendSettings) -> str:
        """Return the IAM policy for this region and key."""
        return permission.policy(backend.region, backend.kms_key)

    async def record(self, devices: AudioSettings, tell: Callable[[Recording], None]) -> float | None:
        """Record the microphone, play it back, forget it; return how loud the voice was."""
        return await record_and_play(own_command("engine"), devices, tell, soundwatch_command())

    async def hear_itself(self, devices: AudioSettings, voice_db: float | None) -> SelfHearing:
        """Play speech and measure how much of it the microphone hears."""
        file = find_resources() / "sounds" / "hello.wav"
        recording = await DaemonCall(lambda: read_wav(file), name="novadesk-speech").result(deadline_s=_FILE_S)
        speech = Resampler(recording.rate_hz, LISTEN_HZ).feed(recording.samples)
        return await hear_itself(own_command("engine"), devices, speech, voice_db, soundwatch_command())

    async def use(self, settings: Settings) -> None:
        """Go on with other settings at once."""
        self._settings = settings
        await self._core.use(settings)

    async def autostart(self) -> bool:
        """Return whether NovaDesk starts with the person's session."""
        entry = self._entry()
        return await DaemonCall(entry.enabled, name="novadesk-autostart").result(deadline_s=_FILE_S)

    async def set_autostart(self, on: bool) -> None:
        """Have NovaDesk start with the session, or no more."""
        entry = self._entry()
        await DaemonCall(lambda: entry.set_enabled(on), name="novadesk-autostart").result(deadline_s=_FILE_S)

    def _entry(self) -> Autostart:
        command = ["--home", os.environ["NOVADESK_HOME"]] if os.environ.get("NOVADESK_HOME") else []
        command += ["--profile", self._folders.profile] if self._folders.profile else []
        return find_autostart(lasting_command(*command, "--hidden"), name=self._folders.keyring_service)
