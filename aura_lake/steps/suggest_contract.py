"""A draft contract for a feed that lies in bronze, from records of all its batches."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from aura_lake.contracts.beside import files_of, read_plain
from aura_lake.contracts.contract import Feed, Format
from aura_lake.contracts.draft import Draft, draft_feed, table_name
from aura_lake.contracts.load import CONTRACT_ENDINGS
from aura_lake.contracts.names import is_name
from aura_lake.contracts.sampling import Sample, plain_name
from aura_lake.delta.watermarks import LANE
from aura_lake.errors import QueryError
from aura_lake.lake import Lake
from aura_lake.steps.land import object_rows
from aura_lake.steps.sample_found import is_framed

#: So many records are looked at, drawn evenly from so many batches.
RECORDS, BATCHES = 10_000, 20


@dataclass(frozen=True)
class Suggestion:
    """A draft: its text, and how the records that it was drawn from fare under it."""

    text: str
    draft: Draft


def suggest_contract(lake: Lake, feed: str, table: str | None = None) -> Suggestion:
    """A draft contract of a feed, with the ranges and enumerations that were observed. Nothing is kept.

    Raises QueryError where the feed is unknown, holds nothing, or its values stand behind a registry's number.
    """
    shop, settings = lake.shop, lake.settings
    if feed not in shop.feeds:
        raise QueryError(f"The shop {shop.id} has no feed {feed!r}.", fix=f"Its feeds: {', '.join(shop.feeds)}.")
    named = table or table_name(plain_name(feed))
    if not is_name(named):
        raise QueryError(f"{named!r} cannot name a table.", fix="Small letters, digits and _.")
    sample = draw_sample(lake, shop.feeds[feed])
    standing = files_of(shop.path)
    without = [standing[named]] if named in standing else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{named}.odcs.yaml"
        draft = draft_feed(
            lake.shop, sample, named, file, settings.environment, settings.environ,
            by="aura contract suggest", servers=_servers(shop.path, feed), without=without, observes=True,
        )  # fmt: skip
        return Suggestion(file.read_text(encoding="utf-8"), draft)


def draw_sample(lake: Lake, feed: Feed) -> Sample:
    """Records of a feed from batches that lie evenly over all of them, evenly within these."""
    bronze = lake.bronze(feed.name)
    if not bronze.exists:
        raise QueryError(f"Nothing lies in bronze.{feed.name}.", fix="`aura run` lands what the feed holds.")
    last = bronze.watermark(LANE)
    chosen = sorted({round(at * last / (BATCHES - 1)) for at in range(BATCHES)} if last >= BATCHES else range(last + 1))
    rows = bronze.scan().filter((pl.col("row_kind") == "record") & pl.col("batch").is_in(chosen))
    rows = rows.filter(pl.col("value").is_not_null())
    held = int(rows.select(pl.len()).collect(engine="streaming").item())
    if not held:
        raise QueryError(f"bronze.{feed.name} holds no record.", fix="`aura run` lands what the feed holds.")
    step = -(-held // RECORDS)
    columns = ["topic", "partition", "offset", "object", "etag", "ordinal", "value"]
    parts, before = [], 0
    for part in rows.select(columns).collect_batches(maintain_order=True):
        parts.append(part.gather_every(step, offset=-before % step))
        before += part.height
    frame = pl.concat(parts)
    sample = Sample(feed.name, feed.location, feed.include, feed.layout, [], feed.format, feed.delimiter)
    sample.source = f"bronze.{feed.name} ({held:,} in {len(chosen)} of its batches, up to number {chosen[-1]})"
    if feed.format is Format.CSV:
        frame, sample.header = _of_one_header(frame, object_rows(bronze))
    sample.records = frame["value"].to_list()
    place = pl.coalesce("object", pl.format("{}-{}", "topic", "partition"))
    number = pl.coalesce("ordinal", "offset")
    sample.positions = list(frame.select(place, pl.col("etag").fill_null(""), number).iter_rows())
    if feed.registry is not None or is_framed(sample.records):
        raise QueryError(
            f"The values of bronze.{feed.name} stand behind a schema registry's number.",
            fix="Its schema says what its columns are: write them from there.",
        )
    return sample


def _of_one_header(frame: pl.DataFrame, objects: pl.DataFrame) -> tuple[pl.DataFrame, bytes | None]:
    """The records below the header that most of them have."""
    headed = frame.join(objects.select("object", "etag", "header"), on=["object", "etag"], how="left")
    most = headed["header"].drop_nulls().value_counts(sort=True)
    if most.is_empty():
        return frame, None
    header: bytes = most["header"][0]
    return headed.filter(pl.col("header") == header).drop("header"), header


def _servers(shop: Path, feed: str) -> list[str] | None:
    """The lines of the servers of that name, as a contract of the shop has them."""
    for file in sorted(shop.iterdir()):
        if not file.name.endswith(CONTRACT_ENDINGS):
            continue
        servers: list[Mapping[str, Any]] = [s for s in read_plain(file).get("servers", []) if s.get("server") == feed]
        if servers:
            text = yaml.safe_dump(servers, sort_keys=False, allow_unicode=True, width=110)
            return [f"  {line}" for line in text.splitlines()]
    return None
