"""Which versions of the objects of a feed count, when names were written again."""

from __future__ import annotations

import polars as pl


def live_objects(objects: pl.DataFrame) -> pl.DataFrame:
    """The object versions whose records count for `rows` and `events`: (`object`, `etag`).

    In: one row for each version of each object: `object`, `etag`, `object_modified_at`, `object_hash`,
    `object_error`. Of the versions of one name the one last modified (then by etag) is live. A byte-equal
    copy keeps the content alive wherever it stands, so what counts is whether the *bytes* of a version are
    live under any name. That does not depend on the order in which the versions arrived.
    """
    sound = objects.filter(pl.col("object_error").is_null())
    newest = sound.sort("object_modified_at", "etag").group_by("object").agg(pl.col("object_hash").last())
    return sound.join(newest.select("object_hash").unique(), on="object_hash", how="semi").select("object", "etag")
