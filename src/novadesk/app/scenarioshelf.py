"""The person's scenarios as the running core shows and changes them; files are touched on a thread of their own."""

from collections.abc import Callable, Mapping

from novadesk.app.scenarios import chosen, kept
from novadesk.conversation.api import ScenarioList
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.paths import Folders
from novadesk.scenario import Chosen, Scenario
from novadesk.store.scenarios import Scenarios

DEADLINE_S = 5.0


class ScenarioShelf:
    """A part of the core: what fits `Requests` and is about scenarios. The core sets what it works with."""

    _folders: Folders

    async def scenarios(self) -> ScenarioList:
        """Return what a conversation can be begun with."""

        def look(shelf: Scenarios) -> ScenarioList:
            found, broken = shelf.all()
            own = frozenset(one.name for one in found if shelf.is_own(one.name))
            return ScenarioList(scenarios=found, own=own, broken=broken)

        return await self._on_files(look)

    async def keep_scenario(self, scenario: Scenario, *, force: bool = False) -> None:
        """Keep a scenario; another one of that name is replaced only with `force`, a built-in one is hidden by it."""
        self._folders.make()
        await self._on_files(lambda shelf: shelf.add(scenario, force=force))

    async def remove_scenario(self, name: str) -> None:
        """Remove one of the person's own; a built-in one that it hid is there again."""
        await self._on_files(lambda shelf: shelf.remove(name))

    async def choose_scenario(self, name: str, values: Mapping[str, str]) -> Chosen:
        """Return a scenario with its form filled in.

        Raises:
            KnownError: `BAD_INPUT`: there is no such scenario, or a value is wrong.
        """
        return await self._on_files(lambda _: chosen(self._folders, name, values))

    async def _on_files[T](self, work: Callable[[Scenarios], T]) -> T:
        call = DaemonCall(lambda: work(kept(self._folders)), name="novadesk-scenarios")
        try:
            return await call.result(deadline_s=DEADLINE_S)
        except TimeoutError as error:
            raise KnownError(
                Reason.TIMED_OUT, "The scenarios could not be read in time.", "Look whether the disk answers."
            ) from error
