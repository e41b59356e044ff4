"""What ops work with: the lake, the warehouse and a warm dbt of one shop, each opened at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from aura_lake.contracts.contract import Shop
from aura_lake.delta.lease import Holder
from aura_lake.lake import Lake
from aura_lake.orchestration.applying import applying
from aura_lake.orchestration.telling import Telling
from aura_lake.settings import Settings
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.opening import open_gold, open_warehouse
from aura_lake.warehouse.warehouse import Warehouse

#: The name under which ops ask Dagster for it.
BENCH = "bench"


class Workbench:
    """One shop's lake as the graph sees it. Making one opens nothing and writes nothing."""

    def __init__(self, settings: Settings, shop: Shop) -> None:
        self.settings = settings
        self._lake = Lake(settings, shop)

    @staticmethod
    def open(settings: Settings) -> Workbench:
        """The bench of the settings' shop. Raises ContractError with everything that is wrong in it."""
        from aura_lake.contracts.load import load_shop

        return Workbench(settings, load_shop(settings.shop, settings.environment, settings.environ))

    @property
    def lake(self) -> Lake:
        """The lake; it is claimed when something is first written."""
        return self._lake

    @property
    def shop(self) -> Shop:
        """The contracts that hold: the files', with the patches approved when the bench was last renewed."""
        return self._lake.shop

    def renew(self) -> Workbench:
        """This bench with the contracts that hold now; ops of a process that lives long begin with it."""
        self._lake = self._lake.renewed()
        return self

    @cached_property
    def gold(self) -> DbtGold:
        """dbt, parsed once a process."""
        return open_gold(self.settings, self.shop)

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """The warehouse, let go of afterwards so that dbt or another process may open it."""
        warehouse = open_warehouse(self.settings)
        try:
            yield warehouse
        finally:
            warehouse.release()

    @contextmanager
    def applying(self, voice: Telling) -> Iterator[None]:
        """The lake's apply lease, for what comes after bronze; the step says whom it waits for."""

        def name(holder: Holder | None) -> None:
            voice.say("waiting", f"waits for {holder or 'another process'}, which applies changes to this lake")

        with applying(self.lake, on_wait=name):
            yield
