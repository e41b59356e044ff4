"""Another contract tried on what lies in bronze: what would pass, what would wait, what would block.

Both contracts judge the same slices side by side, so that it makes no difference what was judged when; nothing is
written, and memory is that of one slice twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from aura_lake.contracts.beside import load_beside, read_plain, table_in
from aura_lake.contracts.contract import Contract, Severity
from aura_lake.contracts.table_rules import TableRuleResult
from aura_lake.contracts.tally import Tally
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import ContractError, QueryError
from aura_lake.lake import Lake
from aura_lake.steps.blocks import check_table_rules
from aura_lake.steps.bronze_records import BronzeRecords
from aura_lake.steps.unit_judge import UnitJudge

#: Records that both contracts judge at a time: a quarter of what one judges, for memory.
AT_ONCE = 25_000


@dataclass
class ContractTrial:
    """What a trial found. `untried`: table rules on columns that the table does not have yet."""

    contract: Contract
    standing: Contract | None
    records: int = 0
    tally: Tally = field(default_factory=Tally)
    table_rules: list[TableRuleResult] = field(default_factory=list)
    untried: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def blocks(self) -> list[str]:
        """Why publication would be held back; empty where it would not."""
        broken = [r for r in self.table_rules if r.rule.severity is Severity.BLOCK and not r.passed]
        return [*self.tally.blocks(self.contract), *(f"{r.rule.name} is broken: {r.says}" for r in broken)]

    @property
    def blocked_before(self) -> list[str]:
        """Why the same rows hold back publication under the contract that stands."""
        return [] if self.standing is None else self.tally.blocks(self.standing, before=True)


def try_contract(
    lake: Lake,
    file: Path,
    *,
    since: date | None = None,
    until: date | None = None,
    progress: Callable[[int], None] | None = None,
) -> ContractTrial:
    """The contract in a file, tried on the records that landed on these days (UTC, both included) or on all.

    It is tried as if its file took the place of the standing one, with the approved patches on top. Raises
    ContractError where it would not load, QueryError where nothing lies in bronze.
    """
    started = time.monotonic()
    table = table_in(read_plain(file))
    if table is None:
        raise ContractError(f"{file}: the contract has no table.", fix="Add `schema:` with a table.")
    settings = lake.settings
    other = Lake(settings, load_beside(settings.shop, [file], settings.environment, settings.environ))
    contract, standing = other.contract(table), lake.shop.contracts.get(table)
    if standing is not None and standing.feed != contract.feed:
        standing = None  # its verdicts are on other records
    bronze = lake.bronze(contract.feed)
    if not bronze.exists:
        raise QueryError(f"Nothing lies in bronze.{contract.feed}.", fix="`aura run` lands what the feed holds.")
    trial = ContractTrial(contract, standing)
    records = BronzeRecords(bronze, contract)
    live = records.live(bronze.watermark(LANE))
    judges = (
        None if standing is None else UnitJudge(lake, standing, again=True),
        UnitJudge(other, contract, again=True),
    )
    for rows in (part for slice_ in records.read(_landed(since, until)) for part in slice_.iter_slices(AT_ONCE)):
        before = None if judges[0] is None else judges[0](rows, records.headers, live)
        now = judges[1](rows, records.headers, live)
        again = None if standing is None else _duplicates(lake, standing, rows["batch"].unique().to_list())
        if again is not None and before is not None:
            before, now = (each.join(again, on=UNIT, how="anti", nulls_equal=True) for each in (before, now))
        trial.records += rows.height
        trial.tally.add(before, now)
        if progress:
            progress(trial.records)
    _try_table_rules(lake, trial)
    trial.seconds = time.monotonic() - started
    return trial


def _landed(since: date | None, until: date | None) -> pl.Expr:
    chosen: pl.Expr = pl.lit(True)
    if since is not None:
        chosen &= pl.col("landed_date") >= since
    if until is not None:
        chosen &= pl.col("landed_date") <= until
    return chosen


def _duplicates(lake: Lake, standing: Contract, batches: Sequence[int]) -> pl.DataFrame | None:
    """Units of these batches that are further copies of others: they count under neither contract."""
    log = lake.log(standing)
    if not log.exists:
        return None
    rows = standing_rows(log, ["set_aside"]).filter(pl.col("feed_batch").is_in(list(batches)))
    return rows.filter(pl.col("verdict") == "duplicate").select(UNIT).collect()


def _try_table_rules(lake: Lake, trial: ContractTrial) -> None:
    """Table rules are judged on the rows that the table has now, where it has their columns."""
    standing = trial.standing
    if standing is None or not lake.log(standing).exists:
        trial.untried = tuple(rule.name for rule in trial.contract.table_rules)
        return
    known = {column.silver_name: column.silver_dtype for column in standing.columns}
    asked = {column.silver_name: column.silver_dtype for column in trial.contract.columns}
    rules = [r for r in trial.contract.table_rules if all(known.get(name) == asked[name] for name in r.columns)]
    trial.untried = tuple(rule.name for rule in trial.contract.table_rules if rule not in rules)
    trial.table_rules = check_table_rules(lake, standing, rules)
