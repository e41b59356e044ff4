"""Keep a table quick to open and to read: small files joined, dead ones removed, its log short.

By commits and not by the clock: a table nobody wrote to is left alone. Compaction changes no row and keeps
the watermarks; vacuum keeps seven days, which is longer than any reader or killed writer lives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from deltalake import ColumnProperties, CommitProperties, WriterProperties
from deltalake.exceptions import CommitFailedError

from aura_lake.delta.commit import COMPRESSION_LEVEL
from aura_lake.delta.table import LakeTable
from aura_lake.errors import CommitConflict

#: Commits of rows after which a table is compacted, and after which it is vacuumed.
COMPACT_AFTER_COMMITS, VACUUM_AFTER_COMMITS = 20, 100

#: Shorter, and vacuum could take files from under a reader or a writer (HARD_CASES 90).
KEEP_HOURS = 168

#: Compacted files are cut at this size.
TARGET_BYTES = 128 << 20


@dataclass(frozen=True)
class UpkeepReport:
    """What upkeep did with one table."""

    uri: str
    commits: int  #: commits of rows since the last compaction
    files_before: int = 0
    files_after: int = 0
    vacuumed: int = 0
    seconds: float = 0.0


def keep_up(table: LakeTable, *, pinned: int | None = None) -> UpkeepReport:
    """Compact, vacuum and checkpoint a table where enough was written since the last time.

    `pinned`: a version whose files stay whatever their age. Raises CommitConflict where a writer was faster:
    nothing happened, the next upkeep does it.
    """
    started = time.monotonic()
    if not table.exists:
        return UpkeepReport(table.uri, 0)
    commits, vacuumed_ago = _commits_since(table, "OPTIMIZE"), _commits_since(table, "VACUUM")
    before = table.files().height
    if commits >= COMPACT_AFTER_COMMITS:
        _compact(table)
    removed = _vacuum(table, pinned) if vacuumed_ago >= VACUUM_AFTER_COMMITS else 0
    if commits >= COMPACT_AFTER_COMMITS:
        table.delta.create_checkpoint()
    table.refresh()
    return UpkeepReport(table.uri, commits, before, table.files().height, removed, time.monotonic() - started)


def _commits_since(table: LakeTable, operation: str) -> int:
    """Commits of rows after the newest one of an operation (`VACUUM END` begins with VACUUM)."""
    count = 0
    for commit in table.history(VACUUM_AFTER_COMMITS * 2):
        name = str(commit.get("operation", ""))
        if name.startswith(operation):
            return count
        count += name not in ("OPTIMIZE", "VACUUM START", "VACUUM END", "CREATE TABLE")
    return count


def _compact(table: LakeTable) -> None:
    counted = ColumnProperties(statistics_enabled="CHUNK")
    properties = WriterProperties(
        compression="ZSTD",
        compression_level=COMPRESSION_LEVEL,
        # People's words never stand in a footer, no more than when the rows were written.
        default_column_properties=ColumnProperties(statistics_enabled="NONE"),
        column_properties=dict.fromkeys(table.layout.statistics, counted),
    )
    try:
        table.delta.optimize.compact(
            target_size=TARGET_BYTES,
            max_concurrent_tasks=1,
            writer_properties=properties,
            commit_properties=CommitProperties(custom_metadata={"upkeep": "compact"}),
        )
    except CommitFailedError as error:
        raise CommitConflict(
            f"{table.uri}: a writer committed after version {table.version} while it was compacted.",
            fix="Nothing was changed; the next upkeep compacts it.",
        ) from error


def _vacuum(table: LakeTable, pinned: int | None) -> int:
    removed = table.delta.vacuum(
        retention_hours=KEEP_HOURS,
        dry_run=False,
        # `full` also takes files that no commit names: those of killed writers.
        full=True,
        keep_versions=None if pinned is None else [pinned],
    )
    return len(removed)
