"""JSON values one after the other, with or without white space between: what Firehose writes.

The fast path is `json_scan`. Where it meets damage, `json_cut` isolates the damaged value
with `json_decode` and the fast path goes on behind it: one record for each damaged value, and
every other record of the object whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from aura_lake.outside.chunk import RecordChunk, cut_out
from aura_lake.outside.json_cut import LARGE_WINDOW, Cut
from aura_lake.outside.json_decode import NextGood
from aura_lake.outside.json_oversize import OversizeValue
from aura_lake.outside.split_jsonl import BYTE_ORDER_MARK


class JsonSplitter:
    """Cuts blocks at the ends of values at depth 0, outside strings.

    Values are objects, arrays, strings, numbers, `true`, `false` and `null`. A truncated
    value, one with a brace too few or too many, and text that is no JSON come out as one
    record each, without white space around them; invalid UTF-8 and lone surrogates stay
    inside their value.
    """

    def __init__(self, max_record_bytes: int) -> None:
        self._max_record_bytes = max_record_bytes
        self._data = b""
        self._text: str | None = None  # the data, one character a byte
        self._base = 0  # offset of the data's first byte in the object
        self._window = LARGE_WINDOW
        self._known: bytes | None = None  # how the last good object began
        self._next_good = NextGood()
        self._oversize: OversizeValue | None = None
        self._is_first = True

    def feed(self, block: bytes) -> Iterator[RecordChunk]:
        """The records that are known to end in what was fed so far."""
        self._next_good.grow(len(block))
        self._put(self._data + block if self._data else block)
        if self._is_first:
            if len(self._data) < len(BYTE_ORDER_MARK):
                return
            self._skip_mark()
        yield from self._drain(is_last=False)

    def finish(self) -> Iterator[RecordChunk]:
        """What is left at the end of the object."""
        if self._is_first:
            self._skip_mark()
        yield from self._drain(is_last=True)

    def _skip_mark(self) -> None:
        self._is_first = False
        if self._data.startswith(BYTE_ORDER_MARK):
            self._forget(len(BYTE_ORDER_MARK))

    def _drain(self, is_last: bool) -> Iterator[RecordChunk]:
        """Every record up to the first that is not complete yet."""
        while True:
            if self._oversize is not None:
                taken = self._oversize.take(self._data, self._latin, self._known, is_last)
                self._forget(taken)
                if not self._oversize.is_closed:
                    return
                yield self._oversize.finish()
                self._oversize = None
            cut = Cut(self._data, self._latin, self._known, self._next_good, is_last, self._window)
            starts, ends = cut.cut()
            self._known, self._window = cut.known, cut.window
            if len(starts):
                yield cut_out(self._data, starts, ends, self._base, self._max_record_bytes)
            self._forget(cut.position)
            if len(self._data) <= self._max_record_bytes or is_last:
                return
            self._oversize = OversizeValue(
                self._base, self._next_good, self._max_record_bytes, is_sound=not cut.is_damaged
            )

    def _latin(self) -> str:
        if self._text is None:
            self._text = self._data.decode("latin-1")
        return self._text

    def _put(self, data: bytes) -> None:
        self._data, self._text = data, None

    def _forget(self, count: int) -> None:
        if count:
            self._put(self._data[count:])
            self._base += count
