"""Where JSON values stand in a run of bytes, for whole windows at once.

Only braces, brackets, quotes and backslashes are looked at: a few per record, found with
vectorised comparisons. A value is a run from an opening brace or bracket at depth 0 to
the one that brings the depth back to 0, outside strings. That is enough for good data.

Damage can make two records look like one. Two signs of it are marked, and only a decoder
can clear them: within a value, a closing brace that touches an opening one (in good data
only within strings), and a closing quote before a byte that cannot follow a string (a
string that was cut off turns inside and outside round for everything behind it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aura_lake.outside.chunk import Positions

_QUOTE = 0x22
_BACKSLASH = 0x5C
_LOWER = 0xDF  # folds { onto [ and } onto ]
_GOES_ON = np.isin(np.arange(256), np.frombuffer(b" \t\r\n{[", np.uint8))
_FOLLOWS_STRING = np.isin(np.arange(256), np.frombuffer(b" \t\r\n,:]}", np.uint8))
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(b" \t\r\n", np.uint8))


@dataclass(frozen=True)
class Scan:
    """The values of a window that begins outside of any value; positions are relative to it."""

    starts: Positions  #: of the closed values
    ends: Positions  #: behind the closed values
    is_suspect: npt.NDArray[np.bool_]  #: closed values that only a decoder can clear
    open_start: int | None  #: of a value that the window does not close
    is_open_suspect: bool
    extra_close: int | None  #: a closing brace or bracket that closes nothing; nothing behind it was looked at

    @property
    def tail(self) -> int:
        """Where the text behind the last closed value ends: at an open value, a stray brace, or (-1) nowhere."""
        if self.open_start is not None:
            return self.open_start
        return -1 if self.extra_close is None else self.extra_close


def scan(window: bytes) -> Scan:
    """The values of a window, one pass; nothing is decoded."""
    view = np.frombuffer(window, np.uint8)
    folded = view & _LOWER
    positions = np.flatnonzero((folded == 0x5B) | (folded == 0x5D))
    if not len(positions):
        empty = np.zeros(0, np.int64)
        return Scan(empty, empty, np.zeros(0, np.bool_), None, False, None)
    is_quote = _quotes(window, view)
    opens = _opens(view, positions)
    outside = np.flatnonzero(~_inside_strings(is_quote, positions))
    depth = np.cumsum(opens[outside].astype(np.int32) * 2 - 1, dtype=np.int32)
    extra_close = None
    below = np.flatnonzero(depth < 0)
    if len(below):
        extra_close = int(positions[outside[below[0]]])
        outside, depth = outside[: below[0]], depth[: below[0]]
    closing = np.flatnonzero(depth == 0)
    places = positions[outside]
    ends = places[closing] + 1
    first_of_next = np.concatenate([[0], closing + 1])
    starts = places[first_of_next[first_of_next < len(places)]]
    open_start = int(starts[-1]) if len(starts) > len(ends) else None
    starts = starts[: len(ends)]

    is_boundary = np.zeros(len(positions), np.bool_)
    is_boundary[outside[closing]] = True
    touching = ~opens[:-1] & opens[1:] & ~is_boundary[:-1]
    hits = positions[:-1][touching]
    hits = hits[_GOES_ON[view[hits + 1]]]
    signs = np.concatenate([hits, _unlikely_closes(view, is_quote)])
    is_suspect = np.zeros(len(ends), np.bool_)
    is_open_suspect = False
    if len(signs):
        value = np.searchsorted(starts, signs, "right") - 1
        is_within = value >= 0
        is_within[is_within] = signs[is_within] < ends[value[is_within]]
        is_suspect[value[is_within]] = True
        is_open_suspect = open_start is not None and bool((signs >= open_start).any())
    return Scan(starts, ends, is_suspect, open_start, is_open_suspect, extra_close)


def gaps_with_text(window: bytes, lows: Positions, highs: Positions) -> Positions:
    """Which of the runs `window[low:high]` hold something else than white space."""
    lengths = highs - lows
    filled = np.flatnonzero(lengths > 0)
    if not len(filled):
        return filled
    view = np.frombuffer(window, np.uint8)
    lows, lengths = lows[filled], lengths[filled]
    firsts = np.cumsum(lengths) - lengths
    indexes = np.repeat(lows - firsts, lengths) + np.arange(int(lengths.sum()))
    is_text = (~_IS_SPACE[view[indexes]]).view(np.uint8)
    result: Positions = filled[np.bitwise_or.reduceat(is_text, firsts) != 0]
    return result


@dataclass(frozen=True)
class Inside:
    """How deep in a value a run of bytes ends."""

    depth: int = 0
    in_string: bool = False
    is_escaped: bool = False  #: the next byte follows a backslash


def find_close(block: bytes, inside: Inside) -> tuple[int | None, Inside]:
    """The position behind the brace that closes the value `block` goes on with, or where it stands then."""
    quoted = b"\\" + block if inside.is_escaped else block  # one position later, and escaped as before
    shift = len(quoted) - len(block)
    view = np.frombuffer(quoted, np.uint8)
    folded = view & _LOWER
    positions = np.flatnonzero((folded == 0x5B) | (folded == 0x5D))
    is_quote = _quotes(quoted, view)
    outside = positions[_inside_strings(is_quote, positions) == inside.in_string]
    depth = inside.depth + np.cumsum(_opens(view, outside).astype(np.int64) * 2 - 1)
    closed = np.flatnonzero(depth <= 0)
    if len(closed):
        return int(outside[closed[0]]) + 1 - shift, Inside()
    is_odd = np.count_nonzero(is_quote) % 2 == 1
    trailing = len(quoted) - len(quoted.rstrip(b"\\"))
    return None, Inside(int(depth[-1]) if len(depth) else inside.depth, is_odd != inside.in_string, trailing % 2 == 1)


def _opens(view: npt.NDArray[np.uint8], positions: Positions) -> npt.NDArray[np.bool_]:
    """Of braces and brackets, which open: `{` and `[` have the bit that `}` and `]` lack."""
    opens: npt.NDArray[np.bool_] = (view[positions] & 2) != 0
    return opens


def _quotes(window: bytes, view: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which bytes are quotes that begin or end a string."""
    is_quote: npt.NDArray[np.bool_] = view == _QUOTE
    if b"\\" in window:
        backslashes = np.flatnonzero(view == _BACKSLASH)
        run_begins = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
        run_lengths = np.diff(run_begins, append=len(backslashes))
        escaped = backslashes[run_begins] + run_lengths
        is_quote[escaped[(run_lengths % 2 == 1) & (escaped < len(view))]] = False
    return is_quote


def _inside_strings(is_quote: npt.NDArray[np.bool_], positions: Positions) -> npt.NDArray[np.bool_]:
    """Whether an odd number of quotes stands before each position."""
    if not len(positions):
        return np.zeros(0, np.bool_)
    parity = np.bitwise_xor.reduceat(is_quote.view(np.uint8), np.concatenate([[0], positions]))[:-1]
    inside: npt.NDArray[np.bool_] = np.bitwise_xor.accumulate(parity).view(np.bool_)
    return inside


def _unlikely_closes(view: npt.NDArray[np.uint8], is_quote: npt.NDArray[np.bool_]) -> Positions:
    """Closing quotes before a byte that cannot follow a string."""
    closing = np.flatnonzero(is_quote)[1::2]
    if len(closing) and closing[-1] == len(view) - 1:
        closing = closing[:-1]
    unlikely: Positions = closing[~_FOLLOWS_STRING[view[closing + 1]]]
    return unlikely
