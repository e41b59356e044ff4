"""The bytes of one S3 object, through broken connections."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aura_lake.errors import StoreUnavailable
from aura_lake.outside.objects import ObjectInfo

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BROKEN_IN_A_ROW = 5
_PAUSE_SECONDS = 0.5


class ResumingStream(io.RawIOBase):
    """Reads one version of an object; goes on behind the last byte when the connection breaks.

    `open_at(position)` answers with a body that begins there, or raises our errors: it asks
    for the listed ETag, so that two versions are never mixed. Five breaks in a row without
    a byte between them raise StoreUnavailable.
    """

    def __init__(self, open_at: Callable[[int], Any], info: ObjectInfo, location: str) -> None:
        self._open_at = open_at
        self._info = info
        self._location = location
        self._position = 0
        self._body: Any = None
        if info.size:
            self._body = open_at(0)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._position >= self._info.size or size == 0:
            return b""
        amount = None if size is None or size < 0 else size
        broken = 0
        while True:
            block = self._attempt(amount)
            if block:
                self._position += len(block)
                return block
            broken += 1
            if broken == _BROKEN_IN_A_ROW:
                raise StoreUnavailable(
                    f"{self._location}: {self._info.name} broke off {broken} times at byte "
                    f"{self._position:,} of {self._info.size:,}.",
                    fix="Nothing of it was taken; run again.",
                )
            time.sleep(_PAUSE_SECONDS * (2 ** (broken - 1)))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        block = self.read(view.nbytes)
        view[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
        super().close()

    def _attempt(self, amount: int | None) -> bytes:
        """The next bytes, or none where the connection broke (the next attempt opens anew)."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        if self._body is None:
            self._body = self._open_at(self._position)
        try:
            block: bytes = self._body.read(amount)
        except (BotoCoreError, HTTPError, OSError):
            block = b""
        if not block:
            self._body.close()
            self._body = None
        return block
