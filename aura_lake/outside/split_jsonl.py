"""One record a line: JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from aura_lake.outside.chunk import WHITE_SPACE, OversizeRecord, Positions, RecordChunk, cut_out

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = 0x0A
_RETURN = 0x0D
IS_SPACE = np.isin(np.arange(256), np.frombuffer(WHITE_SPACE, np.uint8))


class JsonLinesSplitter:
    """Cuts blocks at newlines.

    A record is a line without its `\\n`, without one `\\r` before it, and, at the start of
    the object, without the UTF-8 byte order mark. Lines of white space are no records;
    `null` lines are (tombstones). The last line needs no newline.
    """

    def __init__(self, max_record_bytes: int) -> None:
        self._max_record_bytes = max_record_bytes
        self._pending: list[bytes] = []  # of an unfinished line
        self._pending_bytes = 0
        self._base = 0  # offset of what comes next: the pending bytes, else the next block
        self._oversize: OversizeRecord | None = None
        self._is_first = True

    def feed(self, block: bytes) -> Iterator[RecordChunk]:
        """The records that end in this block."""
        if self._is_first:
            block = b"".join([*self._pending, block])
            self._pending, self._pending_bytes = [], 0
            if len(block) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(block):
                self._hold(block)
                return
            self._is_first = False
            if block.startswith(BYTE_ORDER_MARK):
                block = block[len(BYTE_ORDER_MARK) :]
                self._base = len(BYTE_ORDER_MARK)
        if self._oversize is not None:
            newline = block.find(b"\n")
            self._oversize.add(block[:newline] if newline >= 0 else block)
            self._base += newline + 1 if newline >= 0 else len(block)
            if newline < 0:
                return
            yield self._oversize.finish()
            self._oversize = None
            block = block[newline + 1 :]
        last = block.rfind(b"\n")
        if last < 0:
            self._hold_line(block)
            return
        lines = b"".join([*self._pending, memoryview(block)[: last + 1]])
        self._pending, self._pending_bytes = [], 0
        yield from self._lines(lines)
        self._base += len(lines)
        self._hold_line(block[last + 1 :])

    def finish(self) -> Iterator[RecordChunk]:
        """The last line, where no newline ends it."""
        if self._oversize is not None:
            yield self._oversize.finish()
            return
        data = b"".join(self._pending)
        if self._is_first and data == BYTE_ORDER_MARK:
            return
        yield from self._lines(data + b"\n")

    def _lines(self, data: bytes) -> Iterator[RecordChunk]:
        """The records of whole lines."""
        view = np.frombuffer(data, np.uint8)
        newlines = np.flatnonzero(view == _NEWLINE)
        starts = np.concatenate([[0], newlines[:-1] + 1])
        starts, ends = trim_lines(view, starts, newlines, IS_SPACE)
        if len(starts):
            yield cut_out(data, starts, ends, self._base, self._max_record_bytes)

    def _hold_line(self, block: bytes) -> None:
        """Keep the start of a line; over the cap, only hash it."""
        self._hold(block)
        if self._pending_bytes > self._max_record_bytes + 1:  # a final \r does not count
            self._oversize = OversizeRecord(self._base, self._max_record_bytes, is_line=True)
            self._base += self._pending_bytes
            for held in self._pending:
                self._oversize.add(held)
            self._pending, self._pending_bytes = [], 0

    def _hold(self, block: bytes) -> None:
        if block:
            self._pending.append(block)
            self._pending_bytes += len(block)


def trim_lines(
    view: npt.NDArray[np.uint8], starts: Positions, newlines: Positions, is_space: npt.NDArray[np.bool_]
) -> tuple[Positions, Positions]:
    """Starts and ends of lines, without one `\\r` at the end; lines of white space are left out."""
    ends = newlines - ((newlines > starts) & (view[newlines - 1] == _RETURN))
    is_blank = ends == starts
    if (is_space[view[starts]] & ~is_blank).any():
        bounds = np.empty(2 * len(starts), np.int64)
        bounds[0::2] = starts
        bounds[1::2] = newlines
        has_text = (~is_space)[view].view(np.uint8)
        is_blank |= np.bitwise_or.reduceat(has_text, bounds)[0::2] == 0
    if is_blank.any():
        return starts[~is_blank], ends[~is_blank]
    return starts, ends
