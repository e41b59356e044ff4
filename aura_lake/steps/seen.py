"""Which identities are valid already: what makes a further copy a duplicate."""

from __future__ import annotations

import polars as pl

from aura_lake.contracts.contract import Contract
from aura_lake.contracts.verdicts import UNIT, identity, mark_duplicates, standing_rows
from aura_lake.delta.table import LakeTable
from aura_lake.layouts import log_layout


class Seen:
    """The identities valid in the log and in this commit, for the periods asked about.

    `dead`: what stops counting with this commit: object versions (`object`, `etag`) or units (`UNIT`).
    """

    def __init__(self, log: LakeTable | None, contract: Contract, dead: pl.DataFrame | None = None) -> None:
        self._log, self._contract, self._dead = log, contract, dead
        self._columns = list(identity(contract))
        self._known: dict[str, list[pl.DataFrame]] = {}

    def mark(self, judged: pl.DataFrame) -> pl.DataFrame:
        """`judged` with its duplicates named; its valid rows are remembered."""
        if not self._columns:
            return judged
        valid = judged.filter(pl.col("verdict") == "valid")
        marked = mark_duplicates(judged, self._contract, self._of(valid["log_period"].unique().to_list()))
        fresh = marked.filter(pl.col("verdict") == "valid").select(*self._columns, "log_period")
        for (period,), rows in fresh.group_by("log_period"):
            self._known[str(period)].append(rows)
        return marked

    def heirs(self, flipped: pl.DataFrame) -> pl.DataFrame:
        """Duplicates whose valid copy stood in an object version that counts no longer, where no other copy
        has become valid in this commit: of each identity the unit with the lowest position."""
        if not self._columns or self._log is None or self._dead is None:
            return pl.DataFrame(schema={name: log_layout(self._contract).columns[name] for name in UNIT})
        at = [*self._columns, "log_period"]
        died = standing_rows(self._log, ["valid"]).join(self._dead.lazy(), on=["object", "etag"], how="semi")
        copies = self.orphans(died.select(at).collect())
        copies = copies.join(flipped.lazy(), on=["object", "etag"], how="anti").select(*UNIT, *at)
        return copies.sort(UNIT).unique(at, keep="first", maintain_order=True).select(UNIT).collect()

    def orphans(self, lost: pl.DataFrame) -> pl.LazyFrame:
        """The duplicates in the log, as they stand, of identities (with `log_period`) that lost their valid copy
        and have no other."""
        at = [*self._columns, "log_period"]
        lost = lost.unique()
        periods = lost["log_period"].unique().to_list()
        lost = lost.join(self._of(periods), on=at, how="anti", nulls_equal=True)
        assert self._log is not None
        copies = standing_rows(self._log, ["set_aside"]).filter(
            (pl.col("verdict") == "duplicate") & pl.col("log_period").is_in(periods)
        )
        return copies.join(lost.lazy(), on=at, how="semi", nulls_equal=True)

    def _of(self, periods: list[str]) -> pl.DataFrame:
        """The identities known of some periods."""
        self._load([period for period in periods if period not in self._known])
        known = [frame for period in periods for frame in self._known[period]]
        layout = log_layout(self._contract).columns
        schema = {name: layout[name] for name in (*self._columns, "log_period")}
        return pl.concat(known) if known else pl.DataFrame(schema=schema)

    def _load(self, periods: list[str]) -> None:
        self._known.update({period: [] for period in periods})
        if self._log is None or not periods:
            return
        rows = standing_rows(self._log, ["valid", "truncate"]).filter(pl.col("log_period").is_in(periods))
        if self._dead is not None:
            rows = rows.join(self._dead.lazy(), on=self._dead.columns, how="anti", nulls_equal=True)
        layout = log_layout(self._contract).columns
        names = [*self._columns, "log_period"]
        found = rows.select(pl.col(name).cast(layout[name], strict=False) for name in names).collect()
        for (period,), identities in found.group_by("log_period"):
            self._known[str(period)].append(identities)
