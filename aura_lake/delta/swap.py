"""A document replaced only while it is still as it was read: whoever slept meanwhile replaces nothing.

On a local lake the apply lease is a lock of the kernel that a process keeps while it stands still, so nobody can
have been faster. On S3 a lease runs out; there the put itself is conditional (`If-Match`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aura_lake.delta.documents import read_document, write_document
from aura_lake.errors import CommitConflict, LakeError

if TYPE_CHECKING:
    from aura_lake.lake import Lake

_LOST = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")


def swap_document(lake: Lake, name: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]) -> None:
    """Replace the document that reads `before` (None: that is not there). Raises CommitConflict where it reads
    otherwise by now; then nothing was written. Raises StoreUnavailable where the store does not answer."""
    if lake.settings.is_local:
        if read_document(lake, name) != before:
            raise _conflict(lake, name)
        write_document(lake, name, document)
        return
    from aura_lake.outside.s3_errors import answered
    from aura_lake.outside.s3_session import bucket_and_prefix

    with answered(lake.settings.uri(name), bucket_and_prefix(lake.settings.home)[0]):
        _swap_in_s3(lake, name, before, document)


def _swap_in_s3(lake: Lake, name: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]) -> None:
    client, bucket, key = _place(lake, name)
    try:
        standing = client.get_object(Bucket=bucket, Key=key)
        condition = {"IfMatch": standing["ETag"]}
        is_as_read = json.loads(standing["Body"].read()) == before
    except client.exceptions.NoSuchKey:
        condition, is_as_read = {"IfNoneMatch": "*"}, before is None
    if not is_as_read:
        raise _conflict(lake, name)
    text = (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()
    try:
        client.put_object(Bucket=bucket, Key=key, Body=text, **condition)
    except client.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _LOST:
            raise _conflict(lake, name) from error
        raise LakeError(
            f"{lake.settings.uri(name)}: cannot be written ({code}).", fix="Allow s3:PutObject on the lake's prefix."
        ) from error


def _place(lake: Lake, name: str) -> tuple[Any, str, str]:
    """(client, bucket, key) of a document in S3."""
    from aura_lake.outside.s3_environment import s3_settings
    from aura_lake.outside.s3_session import bucket_and_prefix, region_of, session_for

    settings = s3_settings(lake.settings.environ)
    session = session_for(settings)
    client = session.client("s3", endpoint_url=settings.endpoint_url, region_name=region_of(session, settings))
    bucket, prefix = bucket_and_prefix(lake.settings.home)
    return client, bucket, f"{prefix}/{name}".lstrip("/")


def _conflict(lake: Lake, name: str) -> CommitConflict:
    return CommitConflict(
        f"{lake.settings.uri(name)}: another process has replaced it since it was read.",
        fix="Nothing was written; the step runs again.",
    )
