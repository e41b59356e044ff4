"""A lake of one table and one folder, for tests that say what arrives and look at what stands."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from aura_lake.contracts.contract import Contract, Format, Shop
from aura_lake.contracts.verdicts import UNIT, standing_rows
from aura_lake.lake import Lake
from aura_lake.layouts import is_folded
from aura_lake.settings import Settings
from aura_lake.steps.fold import FoldReport, fold
from aura_lake.steps.judge import JudgeReport, judge
from aura_lake.steps.land import LandReport, land
from aura_lake.steps.rebuild import rebuild
from tests.changes import feed, write_lines

Value = Mapping[str, Any] | None | bytes

OUTCOMES = ["valid", "truncate", "quarantined", "set_aside"]


class SmallLake:
    """`put` lays objects down, `run` lands, judges and folds them, `arrive` does both."""

    def __init__(self, folder: Path, contract: Contract, format: Format = Format.JSONL, **shop: Any) -> None:
        self.root, self.folder, self.contract = folder, folder / "in", contract
        self.feed = feed(self.folder, contract.feed, format)
        self.folder.mkdir(parents=True, exist_ok=True)
        home = folder / "lake"
        settings = Settings(project=folder, home=str(home), state=home / "state", shop=folder, environ={})
        tables, feeds = {contract.table: contract}, {self.feed.name: self.feed}
        self.lake = Lake(settings, Shop(id="test", path=folder, contracts=tables, feeds=feeds, **shop))
        self.landed: LandReport
        self.judged: JudgeReport
        self.folded: FoldReport

    def put(self, name: str, *values: Value, modified_at: int | None = None) -> SmallLake:
        """An object of these records (bytes stand as they are), last modified `modified_at` seconds after 1970."""
        return self.put_bytes(name, write_lines(self.folder, name, values).read_bytes(), modified_at=modified_at)

    def put_bytes(self, name: str, content: bytes, modified_at: int | None = None) -> SmallLake:
        """An object with exactly these stored bytes."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if modified_at is not None:
            os.utime(path, (modified_at, modified_at))
        return self

    def run(self) -> SmallLake:
        """Land, judge and fold what is new."""
        self.landed = land(self.lake, self.feed)
        self.judged = judge(self.lake, self.contract)
        if is_folded(self.contract):
            self.folded = fold(self.lake, self.contract)
        return self

    def arrive(self, name: str, *values: Value, modified_at: int | None = None) -> SmallLake:
        """One object, at once brought into silver."""
        return self.put(name, *values, modified_at=modified_at).run()

    def under(self, contract: Contract) -> SmallLake:
        """The same lake, opened with another contract for its table."""
        return SmallLake(self.root, contract, self.feed.format)

    def rebuild_is_equal(self) -> bool:
        """Whether the table rebuilt from bronze has the same rows, history included."""
        return rebuild(self.lake, self.contract).equal

    def rows(self) -> list[tuple[Any, ...]]:
        """The current rows, sorted."""
        return sorted(self.lake.table(self.contract.table).collect().iter_rows(), key=repr)

    def history(self, *columns: str) -> list[tuple[Any, ...]]:
        """The versions: these columns (default: all of the table), then `valid_from` and `valid_to` in seconds
        after 1970, oldest first."""
        names = columns or [column.silver_name for column in self.contract.columns]
        versions = self.lake.history(self.contract).scan().filter("_is_version")
        ordered = versions.sort(*self.contract.key, "valid_from").select(*names, "valid_from", "valid_to").collect()
        return [(*row[:-2], _seconds(row[-2]), _seconds(row[-1])) for row in ordered.iter_rows()]

    def held(self) -> list[tuple[Any, ...]]:
        """Keys of changes that wait for a value they left out."""
        rows = self.lake.history(self.contract).scan().filter("_is_held").select(self.contract.key)
        return sorted(rows.collect().iter_rows())

    def log(self) -> pl.DataFrame:
        """The judgement that counts of every unit, in position order."""
        return standing_rows(self.lake.log(self.contract), OUTCOMES).collect().sort(UNIT)

    def verdicts(self) -> dict[str, int]:
        """Units by the verdict that counts."""
        return dict(Counter(self.log()["verdict"].to_list()))

    def broken_rules(self) -> list[str]:
        """Every rule that a quarantined unit broke, sorted."""
        return sorted(name for names in self.log()["broken_rules"].to_list() for name in names)

    def warnings(self) -> list[str]:
        """Every warning of a unit, sorted."""
        return sorted(name for names in self.log()["warnings"].to_list() for name in names)

    def reasons(self) -> list[str]:
        """Why units were ignored, sorted."""
        return sorted(self.log()["reason"].drop_nulls().to_list())


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.astimezone(UTC).timestamp())
