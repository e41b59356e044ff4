"""One pass through the bytes at hand: which records they hold, and where to go on."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from aura_lake.outside.chunk import WHITE_SPACE, Positions
from aura_lake.outside.json_decode import NextGood, Outcome, decode_at, first_key, read_scalars
from aura_lake.outside.json_scan import Scan, gaps_with_text, scan

SMALL_WINDOW = 16 * 1024
LARGE_WINDOW = 1024 * 1024
_SPACES = re.compile(rb"[ \t\r\n]*")


class Cut:
    """Goes through `data`, which begins outside of any value, window by window.

    A value is taken when the byte behind it is known, since one more brace there would
    belong to it. Behind damage the window is small, so that much damage stays cheap.
    After `cut`: `position` is where the next pass begins, `is_damaged` whether the value
    there is known to be, `known` how the last good object began, `window` the next size.
    """

    def __init__(
        self,
        data: bytes,
        latin: Callable[[], str],
        known: bytes | None,
        next_good: NextGood,
        is_last: bool,
        window: int,
    ) -> None:
        self.position = 0
        self.known = known
        self.window = window
        self.is_damaged = False
        self._data = data
        self._latin = latin  # the data, one character a byte; made when it is first needed
        self._next_good = next_good
        self._is_last = is_last
        self._is_waiting = False
        self._starts: list[Positions] = []
        self._ends: list[Positions] = []

    def cut(self) -> tuple[Positions, Positions]:
        """Starts and ends of the records, ascending, positions in the data."""
        while not self._is_waiting:
            self.position = self._after_space(self.position)
            if self.position == len(self._data):
                break
            self._step()
        nothing = [np.zeros(0, np.int64)]
        return np.concatenate(self._starts or nothing), np.concatenate(self._ends or nothing)

    def _step(self) -> None:
        """One window: its good values at once, then whatever stopped them."""
        begin = self.position
        window = self._data[begin : begin + self.window]
        is_whole = begin + len(window) == len(self._data)
        found = scan(window)
        tail = found.tail if found.tail >= 0 else len(window)
        scalars: list[tuple[int, int]] = []
        for index, is_gap in _doubtful(window, found, tail):
            if is_gap:
                low = begin + (int(found.ends[index - 1]) if index else 0)
                is_tail = index == len(found.ends)
                high = begin + (tail if is_tail else int(found.starts[index]))
                may_go_on = is_tail and found.tail < 0 and not (is_whole and self._is_last)
                bad = self._read_gap(low, high, may_go_on, is_tail, scalars)
            else:
                start, end = begin + int(found.starts[index]), begin + int(found.ends[index])
                decoded = decode_at(self._latin(), start)
                is_good = decoded.outcome is Outcome.WHOLE and decoded.end == end
                bad = None if is_good else (start, False)
            if bad is not None:
                stop, is_unfinished = bad
                self._take(found, begin, index, scalars)
                if is_unfinished:
                    self._go_on(begin, stop, is_whole)
                else:
                    self._isolate(stop, stop + 1)
                return
        self._finish_window(found, begin, len(window), scalars, is_whole)

    def _read_gap(
        self, low: int, high: int, may_go_on: bool, is_tail: bool, scalars: list[tuple[int, int]]
    ) -> tuple[int, bool] | None:
        """Add the values between two objects; or say where they stop, and whether for want of bytes."""
        read = read_scalars(self._latin(), low, high, may_go_on)
        scalars.extend(read.spans)
        if read.stopped is None:
            return None
        if not is_tail and b'"' not in self._data[read.stopped : high]:
            scalars.append((read.stopped, self._before_space(read.stopped, high)))
            return None  # text without quotes hides nothing: one bad record
        return read.stopped, read.is_unfinished

    def _finish_window(
        self, found: Scan, begin: int, length: int, scalars: list[tuple[int, int]], is_whole: bool
    ) -> None:
        """What follows the last closed value of a window without damage before it."""
        count = len(found.ends)
        if found.extra_close is not None:
            stray = begin + found.extra_close
            last = self._take(found, begin, count, scalars, but_last=True)
            self._isolate(stray if last is None else last, stray + 1)
        elif found.open_start is not None:
            self._take(found, begin, count, scalars)
            opened = begin + found.open_start
            if self._is_hopeless(opened, found.is_open_suspect, is_whole):
                self._isolate(opened, opened + 1)
            else:
                self._go_on(begin, opened, is_whole)
        elif is_whole and self._is_last:
            self._take(found, begin, count, scalars)
            self.position = begin + length
        else:
            last = self._take(found, begin, count, scalars, but_last=True)
            self._go_on(begin, begin + length if last is None else last, is_whole)

    def _is_hopeless(self, opened: int, is_suspect: bool, is_whole: bool) -> bool:
        """Whether an open value can never be closed."""
        if self._is_last and is_whole:
            return True
        return is_suspect and decode_at(self._latin(), opened).outcome is Outcome.DAMAGED

    def _take(
        self, found: Scan, begin: int, count: int, scalars: list[tuple[int, int]], *, but_last: bool = False
    ) -> int | None:
        """Take the first `count` closed values and the scalars; `but_last`: leave one, and say where it begins."""
        starts, ends = found.starts[:count] + begin, found.ends[:count] + begin
        if count:
            self.known = first_key(self._data, int(starts[-1]), int(ends[-1])) or self.known
        if scalars:
            extra = np.array(scalars, np.int64)
            starts, ends = np.append(starts, extra[:, 0]), np.append(ends, extra[:, 1])
            order = np.argsort(starts)
            starts, ends = starts[order], ends[order]
        last = None
        if but_last and len(starts):
            last, starts, ends = int(starts[-1]), starts[:-1], ends[:-1]
        if len(starts):
            self._starts.append(starts)
            self._ends.append(ends)
        return last

    def _go_on(self, begin: int, position: int, is_whole: bool) -> None:
        """The next window begins at `position`; at the end of the data, more are needed."""
        self.position = position
        self._is_waiting = is_whole
        doubled = 2 * self.window
        self.window = doubled if position == begin else min(doubled, LARGE_WINDOW)

    def _isolate(self, start: int, search_from: int) -> None:
        """The damaged value at `start` is one record, up to the next good one."""
        self.window = SMALL_WINDOW
        self.position = start
        known = self.known or first_key(self._data, start, len(self._data))
        found = self._next_good.find(self._latin(), search_from, known, self._is_last)
        is_found = found.outcome is Outcome.WHOLE
        if not is_found and not self._is_last:
            self._is_waiting = self.is_damaged = True
            return
        self._starts.append(np.array([start], np.int64))
        self._ends.append(np.array([self._before_space(start, found.end)], np.int64))
        self.position = found.end

    def _after_space(self, position: int) -> int:
        match = _SPACES.match(self._data, position)
        return match.end() if match else position

    def _before_space(self, start: int, end: int) -> int:
        """`end` without the white space before it."""
        while end > start + 1 and self._data[end - 1] in WHITE_SPACE:
            end -= 1
        return end


def _doubtful(window: bytes, found: Scan, tail: int) -> list[tuple[int, bool]]:
    """Gaps with text (True) and suspect values (False) by index, in order; gap i precedes value i."""
    lows = np.concatenate([[0], found.ends])
    highs = np.append(found.starts, tail)
    gaps = [(int(index), True) for index in gaps_with_text(window, lows, highs)]
    suspects = [(int(index), False) for index in np.flatnonzero(found.is_suspect)]
    return sorted(gaps + suspects, key=lambda item: (item[0], not item[1]))
