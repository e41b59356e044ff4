"""The lake as a notebook or a step sees it: `from aura_lake import Lake`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import polars as pl

from aura_lake import layouts
from aura_lake.approvals import Approval, approvals, decisions_mark, effective_shop
from aura_lake.contracts.contract import Contract, Kind, Shop
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.delta.layout import Layout
from aura_lake.delta.table import LakeTable
from aura_lake.errors import LakeError, QueryError
from aura_lake.privacy.key import HashKey, read_key
from aura_lake.settings import Settings

#: Raised when the physical layout changes in a way that older code would misread.
FORMAT_VERSION = 1


class Lake:
    """One shop's tables under one home.

    `Lake()` reads the environment; `Lake(settings, shop)` is told. Opening a home that belongs to
    another shop, another hash key or a newer format raises LakeError.
    """

    def __init__(self, settings: Settings | None = None, shop: Shop | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        if shop is None:
            from aura_lake.contracts.load import load_shop

            shop = load_shop(self.settings.shop, self.settings.environment, self.settings.environ)
        #: The shop as its files say; `shop` is the one that holds, with what was approved since.
        self.filed = shop

    @cached_property
    def shop(self) -> Shop:
        """The shop that holds: its files, with the approved patches that stand when this is first asked for.

        Raises PatchRefused where one of them does not go with the files any more."""
        return effective_shop(self.filed, self.approved)

    @cached_property
    def approved(self) -> list[Approval]:
        """The approved patches that this lake was opened with."""
        self._mark = decisions_mark(self.settings, self.storage_options)
        return approvals(self)

    def is_current(self) -> bool:
        """Whether the contracts of this lake are still those that hold. Cheap: most times a look at names."""
        before = self.approved
        now = decisions_mark(self.settings, self.storage_options)
        if now == self._mark:
            return True
        if [(a.id, a.decision.number) for a in approvals(self)] != [(a.id, a.decision.number) for a in before]:
            return False
        self._mark = now
        return True

    def renewed(self) -> Lake:
        """This lake where it is current, else the same with the contracts that hold now."""
        return self if self.is_current() else Lake(self.settings, self.filed)

    def under(self, shop: Shop) -> Lake:
        """The same tables under other contracts, to try them; nothing that was approved is added."""
        lake = Lake(self.settings, self.filed)
        lake.__dict__["shop"] = shop
        return lake

    @cached_property
    def storage_options(self) -> Mapping[str, str]:
        """What deltalake needs to reach the home; empty for a local one."""
        if self.settings.is_local:
            return {}
        from aura_lake.outside.s3 import s3_storage_options
        from aura_lake.outside.s3_environment import s3_settings

        return s3_storage_options(s3_settings(self.settings.environ), self.settings.home)

    @cached_property
    def hash_key(self) -> HashKey:
        """The key personal values are hashed with; claims the home for it."""
        key, _ = read_key(self.settings)
        self.claim(key)
        return key

    def claim(self, key: HashKey) -> None:
        """Write who owns this home into it, or refuse where somebody else does."""
        from aura_lake.delta.documents import read_document, write_document

        mine = {"shop": self.filed.id, "hash_key_id": key.id, "format_version": FORMAT_VERSION}
        standing = read_document(self, "lake.json")
        if standing is None:
            write_document(self, "lake.json", mine)
            return
        for field, fix in (
            ("shop", "Point AURA_HOME at an empty place, or AURA_SHOP at that shop's contracts."),
            ("hash_key_id", "Set AURA_PII_KEY to the key this lake was begun with: hashes would not join."),
            ("format_version", "Use the version of Aura Lake that wrote it, or rebuild in a new home."),
        ):
            if standing.get(field) != mine[field]:
                raise LakeError(
                    f"{self.settings.home}: the lake has {field} {standing.get(field)!r}, "
                    f"and this run has {mine[field]!r}.",
                    fix=fix,
                )

    def _open(self, layout: Layout, *parts: str) -> LakeTable:
        return LakeTable(self.settings.uri(*parts), layout, self.storage_options)

    def bronze(self, feed: str) -> LakeTable:
        """Every record of a feed, as it came."""
        return self._open(layouts.BRONZE, "bronze", feed)

    def log(self, contract: Contract) -> LakeTable:
        """Every unit of a table with its verdict."""
        return self._open(layouts.log_layout(contract), "silver", f"{contract.table}_log")

    def current(self, contract: Contract) -> LakeTable:
        """Current rows of a `cdc` or `rows` table."""
        return self._open(layouts.current_layout(contract), "silver", contract.table)

    def history(self, contract: Contract) -> LakeTable:
        """All changes of a `cdc` or `rows` table, versions marked."""
        return self._open(layouts.history_layout(contract), "silver", f"{contract.table}_history")

    def touchpoints(self) -> LakeTable:
        """The credit of each order, and the credits that were restated."""
        return self._open(layouts.TOUCHPOINTS, "silver", "order_touchpoints")

    def gold(self, model: str, layout: Layout | None = None) -> LakeTable:
        """A published gold model; its columns are those it was last published with, unless `layout` says."""
        return self._open(layout or Layout(columns={}), "gold", model)

    def contract(self, table: str) -> Contract:
        """The contract of a table; QueryError naming those there are."""
        try:
            return self.shop.contracts[table]
        except KeyError:
            raise QueryError(
                f"The shop {self.shop.id} has no table {table!r}.",
                fix=f"Its tables: {', '.join(sorted(self.shop.contracts))}.",
            ) from None

    def table(self, name: str) -> pl.LazyFrame:
        """The valid current rows of a silver table, columns as its contract has them."""
        if name == "order_touchpoints":
            rows = self.touchpoints().scan().filter(pl.col("_state") == "current")
            return rows.select(layouts.TOUCHPOINT_COLUMNS)
        contract = self.contract(name)
        columns = list(layouts.table_columns(contract))
        if contract.kind is Kind.EVENTS:
            return standing_rows(self.log(contract), ["valid"]).select(columns)
        return self.current(contract).scan().select(columns)

    def local_path(self, *parts: str) -> Path:
        """A path in the machine's own state folder, its parent made."""
        path = self.settings.state.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"AURA_STATE={self.settings.state} cannot be written: {os.strerror(error.errno or 0)}.",
                fix="Point AURA_STATE at a folder you may write to.",
            ) from error
        return path
