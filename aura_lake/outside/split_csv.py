"""CSV records: RFC 4180 with a header line, as shops really write it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aura_lake.outside.chunk import OversizeRecord, Positions, RecordChunk, cut_out
from aura_lake.outside.csv_scan import even_newlines, record_end
from aura_lake.outside.split_jsonl import BYTE_ORDER_MARK, IS_SPACE, trim_lines

_SMALL_WINDOW = 64 * 1024
_LARGE_WINDOW = 4 * 1024 * 1024
_LONGEST_WALK = 4096


class CsvSplitter:
    """Cuts blocks at the newlines outside quoted fields.

    A quote opens a field only at its start, is doubled inside, and a quote inside an
    unquoted field is a character. Records keep their bytes without the line end; blank
    lines are no records; the first record is `header`.

    A quote that is never closed would take in the rest of the object. A quoted field over
    several lines must therefore end at a delimiter or a line end; where it does not, or
    grows over the cap, the line on which it opens is a record of its own (a bad one, which
    judging will find), and the next line begins the next.
    """

    def __init__(self, max_record_bytes: int, delimiter: bytes = b",") -> None:
        self.header: bytes | None = None
        self._max_record_bytes = max_record_bytes
        self._held_bytes = max_record_bytes + len(b'"\r\n')  # so that what follows a quote within the cap is known
        self._delimiter = delimiter
        self._is_space = IS_SPACE.copy()
        self._is_space[delimiter[0]] = False
        self._data = b""
        self._base = 0  # offset of the data's first byte in the object
        self._window = _LARGE_WINDOW
        self._walk = 1  # records to cut one by one behind a bad quote
        self._oversize: OversizeRecord | None = None
        self._is_first = True

    def feed(self, block: bytes) -> Iterator[RecordChunk]:
        """The records that are known to end in what was fed so far."""
        self._data = self._data + block if self._data else block
        if self._is_first:
            if len(self._data) < len(BYTE_ORDER_MARK):
                return
            self._is_first = False
            self._skip_mark()
        yield from self._drain(is_last=False)

    def finish(self) -> Iterator[RecordChunk]:
        """What is left; the last record needs no line end."""
        if self._is_first:
            self._skip_mark()
        yield from self._drain(is_last=True)
        if self._oversize is not None:
            yield self._oversize.finish()

    def _skip_mark(self) -> None:
        if self._data.startswith(BYTE_ORDER_MARK):
            self._data = self._data[len(BYTE_ORDER_MARK) :]
            self._base = len(BYTE_ORDER_MARK)

    def _drain(self, is_last: bool) -> Iterator[RecordChunk]:
        if self._oversize is not None:
            if not self._end_oversize(self._oversize):
                return
            yield self._oversize.finish()
            self._oversize = None
        if is_last and self._data and not self._data.endswith(b"\n"):
            self._data += b"\n"
        found = list(self._cut(is_last))
        position = found[-1][2] if found else 0
        if found:
            starts = np.concatenate([part[0] for part in found])
            newlines = np.concatenate([part[1] for part in found])
            view = np.frombuffer(self._data, np.uint8)
            starts, ends = trim_lines(view, starts, newlines, self._is_space)
            if self.header is None and len(starts):
                self.header = self._data[starts[0] : ends[0]]
                starts, ends = starts[1:], ends[1:]
            if len(starts):
                yield cut_out(self._data, starts, ends, self._base, self._max_record_bytes)
        self._data = self._data[position:]
        self._base += position
        if len(self._data) > self._held_bytes:
            self._oversize = OversizeRecord(self._base, self._max_record_bytes, is_line=True)
            self._oversize.add(self._data)
            self._base += len(self._data)
            self._data = b""

    def _cut(self, is_last: bool) -> Iterator[tuple[Positions, Positions, int]]:
        """Starts and newlines of records, and the position behind them, in steps through the data."""
        position = 0
        while position < len(self._data):
            window = self._data[position : position + self._window]
            is_whole = position + len(window) == len(self._data)
            newlines, is_sound = even_newlines(window, self._delimiter, is_last and is_whole)
            if len(newlines):
                newlines += position
                starts = np.concatenate([[position], newlines[:-1] + 1])
                sound = self._before_long_field(starts, newlines)
                is_sound &= sound == len(starts)
                starts, newlines = starts[:sound], newlines[:sound]
            if len(newlines):
                position = int(newlines[-1]) + 1
                yield starts, newlines, position
            is_stuck = is_whole and not len(newlines)
            is_over = len(self._data) - position > self._held_bytes
            if not is_sound or (is_stuck and is_over):
                walked = self._walk_records(position, is_last)
                if walked is None:
                    return
                position = walked[2]
                yield walked
                self._window = _SMALL_WINDOW
                self._walk = min(2 * self._walk, _LONGEST_WALK)
                continue
            if is_stuck:
                return
            self._walk = 1
            self._window = max(2 * self._window, _LARGE_WINDOW) if not len(newlines) else _LARGE_WINDOW

    def _before_long_field(self, starts: Positions, newlines: Positions) -> int:
        """How many records precede the first that is over the cap and has several lines."""
        for index in np.flatnonzero(newlines - starts > self._max_record_bytes):
            if self._data.find(b"\n", int(starts[index]), int(newlines[index])) >= 0:
                return int(index)
        return len(starts)

    def _walk_records(self, position: int, is_last: bool) -> tuple[Positions, Positions, int] | None:
        """Some records cut one by one; None where the next is not complete yet."""
        starts: list[int] = []
        newlines: list[int] = []
        while position < len(self._data) and len(starts) < self._walk:
            is_forced = is_last or len(self._data) - position > self._held_bytes
            end = record_end(self._data, position, self._delimiter, is_forced, self._max_record_bytes)
            if end is None:
                break
            starts.append(position)
            newlines.append(end)
            position = end + 1
        if not starts:
            return None
        return np.array(starts, np.int64), np.array(newlines, np.int64), position

    def _end_oversize(self, oversize: OversizeRecord) -> bool:
        """Hash on to the end of the line; whether it was found."""
        newline = self._data.find(b"\n")
        taken = newline + 1 if newline >= 0 else len(self._data)
        oversize.add(self._data[:newline] if newline >= 0 else self._data)
        self._data = self._data[taken:]
        self._base += taken
        return newline >= 0
