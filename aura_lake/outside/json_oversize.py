"""A JSON value over the cap: followed to its end without being held."""

from __future__ import annotations

import re
from collections.abc import Callable

from aura_lake.outside.chunk import OversizeRecord, RecordChunk
from aura_lake.outside.json_decode import NextGood, Outcome
from aura_lake.outside.json_scan import Inside, find_close

_TOUCHING = re.compile(rb"[}\]][ \t\r\n]*[{\[]")


class OversizeValue:
    """Hashes a value as it streams by, up to the brace that closes it.

    A damaged value has no such brace: it ends where the next good record begins. The same
    is looked for in a sound one wherever a closing brace touches an opening one, and then
    only for records that begin like the last good one.
    """

    def __init__(self, byte_offset: int, next_good: NextGood, max_record_bytes: int, is_sound: bool) -> None:
        self.is_closed = False
        self._record = OversizeRecord(byte_offset, max_record_bytes)
        self._next_good = next_good
        self._max_record_bytes = max_record_bytes
        self._inside = Inside() if is_sound else None
        self._search_from = 1  # the value's own first brace begins no other record

    def take(self, data: bytes, latin: Callable[[], str], known: bytes | None, is_last: bool) -> int:
        """How many of the bytes belong to the value; `is_closed` tells whether that was its end."""
        if not data:
            self.is_closed = is_last
            return 0
        close, after = (None, None) if self._inside is None else find_close(data, self._inside)
        end = len(data) if close is None else close
        count, is_good = end, False
        if self._inside is None or (known is not None and _TOUCHING.search(data, 0, end)):
            count, is_good = self._next_record(latin(), known, is_last, end)
        self._record.add(data[:count])
        self._search_from = 0 if count else self._search_from
        if self._inside is not None and count < end:
            _, after = find_close(data[:count], self._inside)
        self._inside = after
        self.is_closed = is_good or is_last or (close is not None and count == close)
        return count

    def finish(self) -> RecordChunk:
        """The value as a record."""
        return self._record.finish()

    def _next_record(self, text: str, known: bytes | None, is_last: bool, end: int) -> tuple[int, bool]:
        """Where the value must stop, at `end` at most, and whether a whole record begins there."""
        start = self._search_from
        is_strict = self._inside is not None
        while True:
            found = self._next_good.find(text, start, known, is_last, is_strict=is_strict)
            if found.outcome is Outcome.DAMAGED or found.end >= end:
                return end, False
            if found.outcome is Outcome.WHOLE:
                return found.end, True
            if len(text) - found.end <= self._max_record_bytes:
                return found.end, False  # more bytes will tell
            start = found.end + 1
