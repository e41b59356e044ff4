"""The servers that tests of this folder may ask for by name."""

from __future__ import annotations

from tests.services.live import (
    live_connect,
    live_kafka,
    live_postgres,
    live_redis,
    live_registry,
    live_s3,
    live_stack,
)
from tests.services.source_shell import source_shell
from tests.services.streams import made_from_files, shop_records, topic_shop

__all__ = [
    "live_connect",
    "live_kafka",
    "live_postgres",
    "live_redis",
    "live_registry",
    "live_s3",
    "live_stack",
    "made_from_files",
    "shop_records",
    "source_shell",
    "topic_shop",
]
