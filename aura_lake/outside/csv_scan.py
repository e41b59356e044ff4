"""Where CSV records end: for whole windows at once, and one record at a time."""

from __future__ import annotations

import re

import numpy as np

from aura_lake.outside.chunk import Positions

_QUOTE = 0x22
_NEWLINE = 0x0A
_RETURN = 0x0D


def even_newlines(window: bytes, delimiter: bytes, is_end: bool) -> tuple[Positions, bool]:
    """Newlines outside quoted fields, and whether every quote in the window stands where RFC 4180 wants it.

    The window begins at a record. Where a quote does not (in the middle of an unquoted
    field, closed before something else than a delimiter), the newlines are those of the
    records before it. `is_end`: nothing follows the window, so an open quote is one more.
    """
    view = np.frombuffer(window, np.uint8)
    newlines = np.flatnonzero(view == _NEWLINE)
    if b'"' not in window:
        return newlines, True
    quotes = np.flatnonzero(view == _QUOTE)
    if not is_end and quotes[-1] == len(view) - 1:
        quotes = quotes[:-1]  # whether it closes a field or is doubled is not known yet
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, view[opening - 1], _NEWLINE)
    opens_well = (before == delimiter[0]) | (before == _NEWLINE)
    opens_well[1:] |= opening[1:] == closing[: len(opening) - 1] + 1  # the second of a doubled quote
    after = np.full(len(closing), _NEWLINE, np.uint8)
    inside = closing + 1 < len(view)
    after[inside] = view[closing[inside] + 1]
    closes_well = (after == delimiter[0]) | (after == _NEWLINE) | (after == _QUOTE)
    returns = np.flatnonzero(after == _RETURN)
    followed = np.minimum(closing[returns] + 2, len(view) - 1)
    closes_well[returns] = (view[followed] == _NEWLINE) | (closing[returns] + 2 >= len(view))
    bad = [opening[~opens_well], opening[: len(closing)][~closes_well]]
    if is_end and len(opening) > len(closing):
        bad.append(opening[-1:])
    first_bad = min((int(found[0]) for found in bad if len(found)), default=None)
    outside = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    if first_bad is None:
        return outside, True
    return outside[outside < first_bad], False


def record_end(data: bytes, start: int, delimiter: bytes, is_forced: bool, max_record_bytes: int) -> int | None:
    """The position of the newline that ends the record at `start`.

    None: more bytes are needed. `is_forced`: there are none, or the record is over the
    cap; then a field whose quote does not close ends with its line, and a record without
    a newline gives None.
    """
    stop = _stop(delimiter)
    position = start
    while True:
        if data[position : position + 1] == b'"':
            closed = _closing_quote(data, position)
            if closed is None:
                newline = data.find(b"\n", position)
                return newline if is_forced and newline >= 0 else None
            line_end = data.find(b"\n", position, closed)
            if line_end >= 0 and closed - start > max_record_bytes:
                return line_end
            after = data[closed + 1 : closed + 3]
            if after in (b"", b"\r") and not is_forced:
                return None
            if after.startswith(delimiter):
                position = closed + 2
                continue
            if after.startswith(b"\n") or after == b"\r\n":
                return closed + len(after[: after.index(b"\n") + 1])
            if line_end >= 0:
                return line_end  # a field over several lines that does not end as one
            position = closed + 1
        found = stop.search(data, position)
        if found is None:
            return None
        if found.group() == b"\n":
            return found.start()
        position = found.end()


def _closing_quote(data: bytes, opening: int) -> int | None:
    """The quote that closes the field opened at `opening`, doubled ones passed over."""
    position = opening + 1
    while True:
        found = data.find(b'"', position)
        if found < 0:
            return None
        if data[found + 1 : found + 2] != b'"':
            return found
        position = found + 2


def _stop(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(b"[" + re.escape(delimiter) + b"\n]")
