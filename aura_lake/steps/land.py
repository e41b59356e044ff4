"""Land: what is new in a feed becomes bronze, byte for byte, exactly once.

A batch is one commit: some whole objects, their records, and one row for each object. The set
of loaded objects and the lane's batch number come from the same snapshot, so there is no second
truth about what was read. An object streams through; one that turns out corrupt, or byte-equal
to one already here, leaves its row and no records.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from aura_lake.contracts.contract import Feed
from aura_lake.delta.commit import Commit, PartFile
from aura_lake.delta.table import LakeTable
from aura_lake.delta.watermarks import FILES, LANE
from aura_lake.errors import CommitConflict, WatermarkError
from aura_lake.lake import Lake
from aura_lake.layouts import BRONZE
from aura_lake.outside.chunk import RecordChunk
from aura_lake.outside.decompress import CorruptObject, Limits
from aura_lake.outside.objects import Listing, ListingScope, ObjectChanged, ObjectInfo, ObjectStore
from aura_lake.outside.records import read_records, store_for
from aura_lake.outside.s3_environment import s3_settings
from aura_lake.steps.land_report import LandReport, Progress
from aura_lake.steps.land_topics import land_topics

#: A batch closes once it holds this much; a larger object is a batch of its own.
BATCH_BYTES, BATCH_OBJECTS = 128 << 20, 2_000

#: Objects up to this size are held back until they are known to be whole and new, so that many small
#: objects share one file; a larger one streams into a file of its own, dropped if it is neither.
HELD_BYTES = 32 << 20

#: Rows of small objects are written together from so many bytes on: a write is a row group of the file.
ROW_GROUP_BYTES = 16 << 20

#: How often a batch is begun again when another process lands the same feed.
ATTEMPTS = 5


def land(
    lake: Lake, feed: Feed, *, scope: ListingScope = ListingScope.EVERYTHING, progress: Progress | None = None
) -> LandReport:
    """Load every new or changed object of `feed`, or every new message of its topics, into `bronze/<feed>`; a
    report of what came.

    `progress` is called with (done, found). Raises FeedError where the place is missing or may not be read; then
    nothing was written.
    """
    if feed.is_topics:
        return land_topics(lake, feed, progress=progress)
    store = store_for(feed, s3_settings(lake.settings.environ))
    started = time.monotonic()
    report = land_listing(lake, feed, store, store.list(scope), progress=progress)
    return replace(report, seconds=time.monotonic() - started)


def land_listing(
    lake: Lake, feed: Feed, store: ObjectStore, listing: Listing, *, progress: Progress | None = None
) -> LandReport:
    """Load what is new among the objects of a listing, whole or in part; a report of what came."""
    started = time.monotonic()
    lake.claim(lake.hash_key)
    landing = _Landing(lake.bronze(feed.name), feed, store, listing, progress)
    landing.run()
    return LandReport(
        feed=feed.name,
        batches=landing.batches,
        objects=landing.objects,
        records=landing.records,
        copies=landing.copies,
        corrupt=landing.corrupt,
        waiting={**listing.waiting, **landing.changed},
        skipped=dict(listing.skipped),
        raw_bytes=landing.raw_bytes,
        watermark=landing.table.watermark(LANE),
        seconds=time.monotonic() - started,
    )


def new_objects(table: LakeTable, listing: Listing) -> list[ObjectInfo]:
    """The listed objects whose (name, etag) has no row in bronze."""
    known = set(object_rows(table).select("object", "etag").iter_rows())
    return [info for info in listing.objects if (info.name, info.etag) not in known]


def object_rows(table: LakeTable) -> pl.DataFrame:
    """One row for each version of each object that was ever looked at."""
    columns = ("object", "etag", "object_modified_at", "object_size", "object_hash", "object_error")
    more = ("object_copy_of", "record_count", "batch", "landed_at", "header")
    return table.scan().filter(pl.col("row_kind") == "object").select(*columns, *more).collect()


class _Landing:
    """The state of one landing: the table, what is known, and the counts."""

    def __init__(
        self, table: LakeTable, feed: Feed, store: ObjectStore, listing: Listing, progress: Progress | None
    ) -> None:
        self.table, self.feed, self.store, self.listing, self.progress = table, feed, store, listing, progress
        self.batches = self.objects = self.records = self.copies = self.raw_bytes = 0
        self.corrupt: dict[str, str] = {}
        self.changed: dict[str, str] = {}

    def run(self) -> None:
        conflicts = 0
        while True:
            fresh = [i for i in new_objects(self.table, self.listing) if i.name not in self.changed]
            if not fresh:
                return
            try:
                self._land_one_batch(fresh)
                conflicts = 0
            except (CommitConflict, WatermarkError):
                conflicts += 1
                if conflicts == ATTEMPTS:
                    raise
                self.table.refresh()

    def _land_one_batch(self, fresh: list[ObjectInfo]) -> None:
        read_to = self.table.watermark(LANE)
        with Commit(self.table) as commit:
            batch = _Batch(commit, self.feed, read_to + 1, object_rows(self.table))
            changed: dict[str, str] = {}
            for info in fresh:
                try:
                    batch.take(info, self.store)
                except ObjectChanged as error:
                    changed[info.name] = error.what
                if self.progress:
                    self.progress(self.objects + len(batch.rows), self.objects + len(fresh))
                if batch.is_full:
                    break
            self.changed.update(changed)
            if not batch.rows:
                return
            batch.finish()
            commit.publish({LANE: (read_to, read_to + 1)}, metadata={"feed": self.feed.name})
        self.batches += 1
        self.objects += len(batch.rows)
        self.records += sum(row["record_count"] for row in batch.rows)
        self.raw_bytes += batch.raw_bytes
        self.copies += sum(row["object_copy_of"] is not None for row in batch.rows)
        self.corrupt.update({r["object"]: r["object_error"] for r in batch.rows if r["object_error"]})


class _Batch:
    """Objects on their way into one commit."""

    def __init__(self, commit: Commit, feed: Feed, number: int, known: pl.DataFrame) -> None:
        self._commit, self._feed, self._number = commit, feed, number
        self._landed_at = datetime.now(UTC)
        whole = known.filter(pl.col("object_error").is_null() & pl.col("object_copy_of").is_null())
        self._by_hash = {r[2]: f"{r[0]}@{r[1]}" for r in whole.select("object", "etag", "object_hash").iter_rows()}
        self._shared: PartFile | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._schema = pa.schema([BRONZE.arrow_schema().field(name) for name in BRONZE.data_columns])
        self.rows: list[dict[str, Any]] = []
        self.raw_bytes = 0

    @property
    def is_full(self) -> bool:
        return self.raw_bytes >= BATCH_BYTES or len(self.rows) >= BATCH_OBJECTS

    def _partition(self, row_kind: str) -> dict[str, str | None]:
        return {"landed_date": self._landed_at.date().isoformat(), "row_kind": row_kind}

    def take(self, info: ObjectInfo, store: ObjectStore) -> None:
        """Read one object whole; keep its records if it is sound and new."""
        with store.open(info) as stream:
            records = read_records(stream, info.name, self._feed.format, self._feed.delimiter, Limits())
            held: list[pa.Table] = []
            held_bytes, ordinal, own = 0, 0, None
            error: str | None = None
            try:
                for chunk in records:
                    rows = self._as_rows(info, chunk, ordinal)
                    ordinal += rows.num_rows
                    if own is not None:
                        own.write(rows)
                        continue
                    held.append(rows)
                    held_bytes += rows.nbytes
                    if held_bytes > HELD_BYTES:
                        own = self._commit.part(self._partition("record"))
                        for earlier in held:
                            own.write(earlier)
                        held.clear()
            except CorruptObject as corrupt:
                error = corrupt.reason
            except BaseException:
                if own is not None:
                    own.discard()
                raise
        copy_of = None if error else self._by_hash.get(records.sha256)
        if error or copy_of:
            held.clear()
            ordinal = 0
            if own is not None:
                own.discard()
        else:
            self._by_hash[records.sha256] = f"{info.name}@{info.etag}"
            self._keep(held, own)
        self.raw_bytes += records.raw_bytes
        self.rows.append(
            {
                "object": info.name,
                "etag": info.etag,
                "object_modified_at": info.modified_at,
                "object_size": info.size,
                "object_hash": records.sha256,
                "object_error": error,
                "object_copy_of": copy_of,
                "record_count": ordinal,
                "header": records.header,
            }
        )

    def _keep(self, held: list[pa.Table], own: PartFile | None) -> None:
        if own is not None:
            own.close()
            return
        for rows in held:
            self._waiting.append(rows)
            self._waiting_bytes += rows.nbytes
            if self._waiting_bytes >= ROW_GROUP_BYTES:
                self._write_waiting()

    def _write_waiting(self) -> None:
        if self._waiting:
            if self._shared is None:
                self._shared = self._commit.part(self._partition("record"))
            self._shared.write(pa.concat_tables(self._waiting))
            self._waiting, self._waiting_bytes = [], 0

    def finish(self) -> None:
        """Close the files and write the objects' own rows."""
        self._write_waiting()
        if self._shared is not None:
            self._shared.close()
        frame = pl.DataFrame(
            self.rows, schema={name: BRONZE.columns[name] for name in self.rows[0]}, orient="row"
        ).with_columns(
            row_kind=pl.lit("object"),
            lane=pl.lit(FILES),
            batch=pl.lit(self._number, pl.Int64),
            landed_at=pl.lit(self._landed_at, BRONZE.columns["landed_at"]),
            landed_date=pl.lit(self._landed_at.date()),
        )
        missing = [pl.lit(None, dtype).alias(n) for n, dtype in BRONZE.columns.items() if n not in frame.columns]
        self._commit.add(frame.with_columns(missing).select(list(BRONZE.columns)))

    def _as_rows(self, info: ObjectInfo, chunk: RecordChunk, first_ordinal: int) -> pa.Table:
        """A chunk as rows of bronze."""
        count = len(chunk)
        constant = {
            "lane": FILES,
            "batch": self._number,
            "landed_at": self._landed_at,
            "object": info.name,
            "etag": info.etag,
        }
        given = {
            "ordinal": pa.array(np.arange(first_ordinal, first_ordinal + count)),
            "byte_offset": pa.array(chunk.byte_offsets),
            "value": chunk.values,
            "value_size": pa.array(chunk.value_sizes),
            "value_hash": chunk.value_hashes,
        }
        columns = []
        for column in self._schema:
            if column.name in constant:
                columns.append(pa.repeat(pa.scalar(constant[column.name], column.type), count))
            elif column.name in given:
                columns.append(given[column.name].cast(column.type))
            else:
                columns.append(pa.nulls(count, column.type))
        return pa.Table.from_arrays(columns, schema=self._schema)
