"""A document in S3 is replaced only while it is as it was read: the server itself decides between two writers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.delta import swap
from aura_lake.delta.documents import read_document
from aura_lake.delta.swap import swap_document
from aura_lake.errors import CommitConflict
from aura_lake.lake import Lake
from aura_lake.services.s3 import S3
from aura_lake.settings import Settings

pytestmark = pytest.mark.services


@pytest.fixture
def lake(live_s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    live_s3.make_bucket("documents")
    for name, value in live_s3.client_environment.items():
        monkeypatch.setenv(name, value)  # boto3 reads the process's own
    home = f"s3://documents/{uuid.uuid4().hex}"
    environ = live_s3.client_environment
    settings = Settings(project=tmp_path, home=home, state=tmp_path, shop=tmp_path, environ=environ)
    return Lake(settings, Shop("test", tmp_path, {}, {}))


def test_a_document_in_s3_is_replaced_while_it_is_as_it_was_read(lake: Lake) -> None:
    swap_document(lake, "gold/state.json", None, {"a": 1})
    swap_document(lake, "gold/state.json", {"a": 1}, {"a": 2})
    for stale in (None, {"a": 1}):
        with pytest.raises(CommitConflict, match="another process has replaced it"):
            swap_document(lake, "gold/state.json", stale, {"a": 3})
    assert read_document(lake, "gold/state.json") == {"a": 2}


@pytest.mark.parametrize("before", [None, {"a": 1}])
def test_who_sleeps_between_reading_and_writing_writes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, before: dict[str, int] | None
) -> None:
    if before is not None:
        swap_document(lake, "gold/state.json", None, before)
    place = swap._place

    def and_sleep(*given: Any) -> Any:
        """The first put comes after another process's."""
        client, bucket, key = place(*given)
        put: Callable[..., Any] = client.put_object

        def late(**more: Any) -> Any:
            put(Bucket=bucket, Key=key, Body=b'{"a": 9}')
            return put(**more)

        monkeypatch.setattr(client, "put_object", late)
        return client, bucket, key

    monkeypatch.setattr(swap, "_place", and_sleep)
    with pytest.raises(CommitConflict):
        swap_document(lake, "gold/state.json", before, {"a": 3})
    assert read_document(lake, "gold/state.json") == {"a": 9}
