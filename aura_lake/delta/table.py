"""One Delta table of the lake, read and written through one held snapshot.

The watermarks of a table are Delta `txn` actions: `watermark(upstream)` is how far the
table has read an upstream, and it moves only inside the commit that adds the rows read.
Delta itself accepts a repeated or a lower version, and a write by URI opens a fresh
snapshot and sees no conflict; both would double rows. So every write here compares the
watermark first and goes through the `DeltaTable` object it was compared on.
(Delta protocol, "Transaction Identifiers".)
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from aura_lake.delta.layout import CONFIGURATION, Layout
from aura_lake.delta.silence import is_silence, store_away
from aura_lake.errors import LakeError

#: A table that has never read an upstream.
NEVER = -1

#: The table property under which Delta forgets `txn` actions.
FORGETTING = "delta.setTransactionRetentionDuration"

COMMIT_NAME = re.compile(r"[0-9]{20}\.json")

#: The count of a table's rows, kept beside its watermarks: the only one of them that may fall.
ROWS = "rows"


class LakeTable:
    """A Delta table at one version; `refresh` moves to the newest.

    A table that nobody has written yet has version -1 and no rows.
    """

    def __init__(self, uri: str, layout: Layout, storage_options: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self.layout = layout
        self.storage_options = dict(storage_options or {})
        self._table: DeltaTable | None = None
        #: What `watermark` was told at one version.
        self._known: dict[str, int] = {}
        self._known_at = NEVER
        self.refresh()

    def refresh(self) -> LakeTable:
        """This table at its newest version. Raises LakeError where its log is damaged, StoreUnavailable where the
        store does not answer."""
        self._refuse_a_damaged_log()
        try:
            if self._table is None:
                self._table, self._known_at = DeltaTable(self.uri, storage_options=self.storage_options or None), NEVER
            else:
                self._table.update_incremental()
        except TableNotFoundError:
            self._table = None
        except (OSError, DeltaError) as error:
            if is_silence(self.uri, error):
                raise store_away(self.uri) from error
            if not isinstance(error, DeltaError):
                raise
            raise LakeError(
                f"{self.uri}: the Delta log cannot be read ({type(error).__name__}).",
                fix="Run `aura doctor`; restore the folder from a copy, or remove the table and run `aura rebuild`.",
            ) from error
        self._refuse_forgetting()
        return self

    def _refuse_a_damaged_log(self) -> None:
        """A crash of the machine can leave a commit without its bytes (there is no fsync on local
        disks); read as it stands, it is an empty commit, and everything in it is lost in silence."""
        log = Path(self.uri) / "_delta_log"
        if "://" in self.uri or not log.is_dir():
            return
        commits = sorted(entry.path for entry in os.scandir(log) if COMMIT_NAME.fullmatch(entry.name))
        for number, commit in enumerate(commits, start=1):
            with suppress(FileNotFoundError):  # log retention may take the oldest away meanwhile
                size = os.stat(commit).st_size
                if size and (number < len(commits) - 1 or _ends_whole(commit)):
                    continue
                raise LakeError(
                    f"{commit}: the commit is {'cut off' if size else 'empty'} ({size} bytes), as after a power "
                    "failure.",
                    fix="If it is the newest commit, remove the file: nothing after it was confirmed, "
                    "and the step that wrote it runs again. Otherwise restore the folder from a copy.",
                )

    def _refuse_forgetting(self) -> None:
        """With a retention of transactions the watermarks would vanish, and everything be read again."""
        if self._table is not None and FORGETTING in self._table.metadata().configuration:
            raise LakeError(
                f"{self.uri}: the table has {FORGETTING} set; its watermarks would vanish with it.",
                fix="Unset that property; nothing was written.",
            )

    @property
    def exists(self) -> bool:
        """Whether the table has been created."""
        return self._table is not None

    @property
    def version(self) -> int:
        """The Delta version held; -1 for a table that does not exist yet."""
        return NEVER if self._table is None else self._table.version()

    @property
    def delta(self) -> DeltaTable:
        """The held snapshot. Raises LakeError for a table that does not exist."""
        if self._table is None:
            raise LakeError(f"{self.uri}: the table does not exist yet.", fix="Run `aura run` first.")
        return self._table

    def create(self, *, as_it_stands: bool = False) -> LakeTable:
        """This table, created empty where it did not exist, widened by columns its layout gained (unless it is
        to stay `as_it_stands`). Raises LakeError where a column stands with another type."""
        if self._table is None:
            try:
                self._table = self._create_empty()
            except CommitFailedError:
                # Another process made it at the same instant.
                self.refresh()
                if self._table is None:
                    raise
        if not as_it_stands:
            self._add_missing_columns()
        return self

    def _create_empty(self) -> DeltaTable:
        return DeltaTable.create(
            self.uri,
            self.layout.arrow_schema(),
            mode="ignore",
            partition_by=list(self.layout.partition_by),
            configuration={
                **CONFIGURATION,
                "delta.dataSkippingStatsColumns": ",".join(self.layout.statistics),
            },
            storage_options=self.storage_options or None,
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what a disk or a store below has to complain about into a LakeError, its silence into
        StoreUnavailable; nothing was committed."""
        try:
            yield
        except CommitFailedError:
            raise
        except (OSError, DeltaError) as error:
            if is_silence(self.uri, error):
                raise store_away(self.uri) from error
            number = error.errno if isinstance(error, OSError) else None
            told = re.search(r"os error (\d+)|code: (\d+)", str(error))
            number = number or (int(told[1] or told[2]) if told else None)
            why = os.strerror(number) if number else f"{type(error).__name__}: {str(error).splitlines()[0]}"
            raise LakeError(
                f"{self.uri}: cannot be written: {why}.",
                fix="Nothing was committed. Make room, or give the user that runs Aura Lake write permission; then "
                "run it again.",
            ) from error

    def row_count(self) -> int:
        """Rows of this version, by the files in its log. Raises LakeError where they are not those that the last
        commit of ours left: a `restore`, a delete or an append by another tool keeps the watermarks, so what it
        took away would never be read again."""
        files = self.files()
        count = int(files["num_records"].sum()) if files.height else 0
        told = self.watermark(ROWS)
        if told not in (NEVER, count):
            raise LakeError(
                f"{self.uri}: the table holds {count} rows, and its last commit by Aura Lake left {told}: another "
                "tool restored it or wrote to it.",
                fix="Restore it to the version of that commit; a table of silver can also be rebuilt: "
                "`aura rebuild TABLE`.",
            )
        return count

    def differing_columns(self) -> tuple[list[str], list[str]]:
        """(columns that the layout gained, columns that stand with another type or that it has no more)."""
        if self._table is None:
            return [], []
        standing = {field.name: field.type for field in self._table.schema().fields}
        wanted = {name: field.type for name, field in pa_fields(self.layout).items()}
        gained = [name for name in wanted if name not in standing]
        return gained, [name for name, kind in standing.items() if wanted.get(name) != kind]

    def _add_missing_columns(self) -> None:
        table = self.delta
        standing = {field.name: field for field in table.schema().fields}
        wanted = pa_fields(self.layout)
        missing = [field for name, field in wanted.items() if name not in standing]
        if missing:
            table.alter.add_columns(missing)
            table.update_incremental()
            standing = {field.name: field for field in table.schema().fields}
        changed = [n for n, field in wanted.items() if field.type != standing[n].type]
        if changed:
            name = changed[0]
            raise LakeError(
                f"{self.uri}: column {name!r} stands as {standing[name].type} and the contract says "
                f"{wanted[name].type} ({len(changed)} such columns).",
                fix="Run `aura rebuild` for the table: it is judged again from bronze.",
            )

    def watermark(self, upstream: str) -> int:
        """How far this table has read `upstream`; -1 where it never has."""
        if self._table is None:
            return NEVER
        version = self._table.version()
        if self._known_at != version:
            self._known, self._known_at = {}, version
        if upstream not in self._known:
            # Asking costs a look through the table's log.
            read_to = self._table.transaction_version(upstream)
            self._known[upstream] = NEVER if read_to is None else int(read_to)
        return self._known[upstream]

    def files(self) -> pl.DataFrame:
        """The files of this version: `path`, `num_records`, `size_bytes`, `partition.<column>`,
        `min.<column>` and `max.<column>`. Empty, with `path` alone, where there are none."""
        if self._table is None:
            return pl.DataFrame(schema={"path": pl.String, "num_records": pl.Int64})
        return pl.DataFrame(pa.table(self._table.get_add_actions(flatten=True)))

    def scan(self) -> pl.LazyFrame:
        """All rows, lazily, columns in the layout's order; one that the layout gained since the last write is
        null. Filters on partition columns and on columns with statistics read only the files they must."""
        if self._table is None:
            return pl.LazyFrame(schema=dict(self.layout.columns))
        rows = pl.scan_delta(self._table)
        if not self.layout.columns:
            return rows
        standing = {field.name for field in self._table.schema().fields}
        absent = [pl.lit(None, dtype).alias(n) for n, dtype in self.layout.columns.items() if n not in standing]
        return (rows.with_columns(absent) if absent else rows).select(list(self.layout.columns))

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Commits, newest first, as Delta tells them."""
        return [] if self._table is None else self._table.history(limit)

    def partition_values(self, column: str) -> Collection[str]:
        """The distinct values of a partition column that have files."""
        files = self.files()
        name = f"partition.{column}"
        return set() if name not in files.columns else set(files[name].cast(pl.String).to_list())


def pa_fields(layout: Layout) -> dict[str, Any]:
    """Delta fields of a layout, by name."""
    return {field.name: field for field in Schema.from_arrow(layout.arrow_schema()).fields}


def _ends_whole(commit: str) -> bool:
    """Whether the last line of a commit is JSON."""
    try:
        json.loads(Path(commit).read_bytes().rstrip(b"\n").rpartition(b"\n")[2])
    except ValueError:
        return False
    return True
