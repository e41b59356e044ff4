"""Where the bytes of a lake are: a local folder, or an object store through deltalake's own client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake.fs import DeltaStorageHandler


def filesystem(uri: str, storage_options: Mapping[str, str]) -> pa_fs.FileSystem:
    """An Arrow file system; for a remote `uri` its root is the uri itself, for a local one it is `/`."""
    if "://" not in uri:
        return pa_fs.LocalFileSystem()
    return pa_fs.PyFileSystem(_Storage(uri, options=dict(storage_options)))


class _Storage(DeltaStorageHandler):
    """deltalake's handler, whose output streams take `bytes` while Arrow hands out buffers."""

    def open_output_stream(self, path: str, metadata: dict[str, str] | None = None) -> pa.PythonFile:
        return pa.PythonFile(_Sink(self._handler.open_output_stream(path, metadata)), mode="w")


class _Sink:
    """A writable stream that turns buffers into bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._written = 0

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)

    def write(self, data: Any) -> int:
        count = len(data)
        self._stream.write(bytes(data))
        self._written += count
        return count

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()
