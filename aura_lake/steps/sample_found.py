"""Some records of a topic or prefix that was found, to tell what it is; nothing is remembered of the reading."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aura_lake.contracts.contract import Format
from aura_lake.contracts.sampling import RECORDS, Sample, read_sample
from aura_lake.discovery.found import Found
from aura_lake.lake import Lake
from aura_lake.outside.kafka import TopicReader
from aura_lake.outside.records import store_for
from aura_lake.outside.s3_environment import s3_settings

#: So many objects are listed to choose from.
LISTED = 1_000

#: How long the brokers may give nothing of what they have.
PATIENCE_SECONDS = 10.0

_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a]")


def sample_found(lake: Lake, found: Found) -> Sample:
    """Records from what was found; without any where there is nothing to read yet. Raises what reading raises."""
    if found.topic:
        return _sample_topic(lake, found)
    feed = found.feed
    store = store_for(feed, s3_settings(lake.settings.environ))
    objects, _ = store.some(LISTED)
    sample = Sample(found.name, found.location, found.include, found.layout, list(objects))
    sample.endpoint_url = found.endpoint_url
    read_sample(sample, store)
    return sample


def _sample_topic(lake: Lake, found: Found) -> Sample:
    """The newest messages of each partition: what a topic holds now says more than what it held first."""
    sample = Sample(found.name, found.location, None, None, [], Format.JSON)
    sample.topic = found.topic
    with TopicReader(found.feed, lake.settings.environ) as reader:
        extents = reader.extents(reader.lanes())
        share = RECORDS // max(1, len(extents))
        ranges = {lane: (max(e.earliest, e.end - share), e.end) for lane, e in extents.items()}
        for chunk in reader.read_ranges(ranges, PATIENCE_SECONDS):
            for offset, value in zip(chunk.offsets.tolist(), chunk.values.to_pylist(), strict=True):
                if value is not None:
                    sample.records.append(value)
                    sample.positions.append((str(chunk.lane), chunk.lane.topic_id, offset))
    return sample


def is_framed(records: Sequence[bytes]) -> bool:
    """Whether most values stand behind a schema registry's five bytes."""
    return sum(value[:1] == b"\0" and len(value) > 5 for value in records) > len(records) / 2


def is_text(sample: Sample) -> bool:
    """Whether what was cut looks like records of text, and not like a picture or a Parquet file."""
    head = (sample.header or b"") + b"".join(sample.records[:50])
    return _NOT_TEXT.search(head[: 1 << 16]) is None
