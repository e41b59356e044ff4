"""Small JSON documents of a lake, replaced as a whole: its owner, the manifest, the lease."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.fs as pa_fs

from aura_lake.delta.silence import is_silence, store_away
from aura_lake.delta.storage import filesystem
from aura_lake.errors import LakeError

if TYPE_CHECKING:
    from aura_lake.lake import Lake


def read_document(lake: Lake, name: str) -> dict[str, Any] | None:
    """The document, or None where there is none. Raises LakeError where it is not JSON, StoreUnavailable where the
    store does not answer."""
    if lake.settings.is_local:
        path = Path(lake.settings.home) / name
        if not path.is_file():
            return None
        text = path.read_bytes()
    else:
        remote = filesystem(lake.settings.home, lake.storage_options)
        with _heard(lake.settings.uri(name)):
            if remote.get_file_info(name).type is pa_fs.FileType.NotFound:
                return None
            with remote.open_input_stream(name) as stream:
                text = stream.read()
    try:
        document = json.loads(text)
    except ValueError as error:
        raise LakeError(
            f"{lake.settings.uri(name)}: not a JSON document ({len(text)} bytes).",
            fix="Restore it from a copy, or remove it and run `aura run`.",
        ) from error
    return dict(document)


def list_documents(lake: Lake, folder: str) -> list[str]:
    """The names of the documents in a folder of the lake, sorted; empty where there is no such folder."""
    if lake.settings.is_local:
        found = (Path(lake.settings.home) / folder).glob("*.json")
        return sorted(f"{folder}/{path.name}" for path in found)
    remote = filesystem(lake.settings.home, lake.storage_options)
    files = remote.get_file_info(pa_fs.FileSelector(folder, allow_not_found=True))
    return sorted(f"{folder}/{file.base_name}" for file in files if file.base_name.endswith(".json"))


def write_document(lake: Lake, name: str, document: Mapping[str, Any]) -> None:
    """Replace the document at once: a reader sees the old one or the new one, never half of either."""
    text = (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()
    if not lake.settings.is_local:
        remote = filesystem(lake.settings.home, lake.storage_options)
        with _heard(lake.settings.uri(name)), remote.open_output_stream(name) as stream:
            stream.write(text)
        return
    path = Path(lake.settings.home) / name
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise LakeError(
            f"{path}: cannot be written: {os.strerror(error.errno or 0)}.",
            fix="Point AURA_HOME at a place you may write to, with room left.",
        ) from error


@contextmanager
def _heard(uri: str) -> Iterator[None]:
    """A store's silence as StoreUnavailable."""
    try:
        yield
    except OSError as error:
        if is_silence(uri, error):
            raise store_away(uri) from error
        raise
