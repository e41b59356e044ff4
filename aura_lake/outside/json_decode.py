"""Where one JSON value ends, said by a decoder; and where the next whole one begins.

Bytes are decoded as Latin-1, one character a byte: positions stay, and invalid UTF-8
inside a string damages nothing but its own value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum

from aura_lake.outside.chunk import WHITE_SPACE

_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_NULL_LINE = re.compile(r"\nnull(?=[ \t\r]*(?:\n|\Z))")
_EMPTY_OBJECT = re.compile(r"\{[ \t\r\n]*\}")
_SPACES = re.compile(r"[ \t\r\n]*")
#: An error this close to the end of the bytes may be only their end: `tru`, `\u12`, `-Infinit`.
_NEAR_END = 16
_FIRST_SLICE = 4 * 1024
_LONGEST_FIRST_KEY = 200
_SPACE = WHITE_SPACE.decode()


class Outcome(Enum):
    """What a decoder says of a position."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    UNFINISHED = "unfinished"  #: the bytes end before the value does


@dataclass(frozen=True)
class Decoded:
    """A decoder's word on the value that begins at a position."""

    outcome: Outcome
    end: int  #: behind the value; or where reading stopped


def decode_at(text: str, start: int) -> Decoded:
    """Whether a whole JSON value begins at `start`.

    Decodes slices that grow: an error costs a count of all lines in the text it is given.
    """
    size = _FIRST_SLICE
    while True:
        part = text[start : start + size]
        is_all = start + len(part) == len(text)
        found = _decode(part)
        is_cut_off = found.outcome is Outcome.UNFINISHED or found.end == len(part)
        if is_all or not is_cut_off:
            return Decoded(found.outcome, start + found.end)
        size *= 4


def _decode(part: str) -> Decoded:
    try:
        return Decoded(Outcome.WHOLE, _DECODER.raw_decode(part)[1])
    except json.JSONDecodeError as error:
        is_at_end = error.msg.startswith("Unterminated string") or error.pos >= len(part) - _NEAR_END
        stopped = len(part) if is_at_end else error.pos
        return Decoded(Outcome.UNFINISHED if is_at_end else Outcome.DAMAGED, stopped)
    except RecursionError:
        return _balanced(part)


def first_key(data: bytes, start: int, end: int) -> bytes | None:
    """An object's bytes up to its first colon, `{"id":`, by which its kind is known."""
    colon = data.find(b":", start, min(end, start + _LONGEST_FIRST_KEY))
    return data[start : colon + 1] if colon > 0 and data[start : start + 1] == b"{" else None


@dataclass(frozen=True)
class Scalars:
    """The values in a run of text between objects."""

    spans: list[tuple[int, int]]
    stopped: int | None  #: where reading stopped before the end of the run
    is_unfinished: bool = False  #: because the value there may go on behind the run


def read_scalars(text: str, low: int, high: int, may_go_on: bool) -> Scalars:
    """Strings, numbers and literals in `text[low:high]`, up to the first thing that is none.

    `may_go_on`: more bytes may follow `high`, so what touches it is not known to be whole.
    """
    spans: list[tuple[int, int]] = []
    position = _after_space(text, low)
    while position < high:
        found = decode_at(text, position)
        if may_go_on and (found.outcome is Outcome.UNFINISHED or found.end >= high):
            return Scalars(spans, position, is_unfinished=True)
        is_ended = found.end == len(text) or text[found.end] in _SPACE + '{["'
        if found.outcome is not Outcome.WHOLE or found.end > high or not is_ended:
            return Scalars(spans, position)
        spans.append((position, found.end))
        position = _after_space(text, found.end)
    return Scalars(spans, None)


class NextGood:
    """Looks behind a damaged value for the next whole one.

    Decoding at every brace of damaged bytes could cost the square of their length, so
    there is a budget that grows with the bytes read: when it is spent, a record that
    begins like the last good one, behind a brace or a newline, is taken undecoded (the
    splitter checks it afterwards).
    """

    def __init__(self) -> None:
        self._budget = 1024 * 1024

    def grow(self, fed_bytes: int) -> None:
        """More bytes were read."""
        self._budget += 4 * fed_bytes

    def find(self, text: str, start: int, known: bytes | None, is_last: bool, *, is_strict: bool = False) -> Decoded:
        """The next position from `start` on at which a record begins (`end` of the answer).

        An object counts if it decodes whole and is followed by the end, white space or
        another object; behind `:`, `,` or `[` it may be part of the damaged value, so it
        counts only if it begins like `known`, the last good record (`is_strict`: so must
        all). A line that is `null` counts too. UNFINISHED: more bytes are needed, and
        `end` is the first position that may count. DAMAGED: none.
        """
        prefix = known.decode("latin-1") if known is not None else None
        first = text.find("{", start)
        answer = Decoded(Outcome.DAMAGED, len(text))
        while first >= 0:
            if self._budget <= 0:
                answer = self._find_undecoded(text, first, prefix)
                break
            outcome = self._judge(text, first, prefix, is_last, is_strict)
            if outcome is not Outcome.DAMAGED:
                answer = Decoded(outcome, first)
                break
            first = text.find("{", first + 1)
        null_line = _NULL_LINE.search(text, max(start - 1, 0), answer.end)
        return Decoded(Outcome.WHOLE, null_line.start() + 1) if null_line else answer

    def _judge(self, text: str, first: int, prefix: str | None, is_last: bool, is_strict: bool) -> Outcome:
        """Whether the brace at `first` begins a record."""
        self._budget -= 64
        begins_alike = prefix is not None and text.startswith(prefix, first)
        if not begins_alike and (is_strict or not self._may_begin(text, first)):
            return Outcome.DAMAGED
        found = decode_at(text, first)
        self._budget -= found.end - first
        if found.outcome is Outcome.DAMAGED or (is_last and found.outcome is Outcome.UNFINISHED):
            return Outcome.DAMAGED
        if found.end == len(text):
            return Outcome.WHOLE if is_last else Outcome.UNFINISHED
        return Outcome.WHOLE if text[found.end] in _SPACE + "{" else Outcome.DAMAGED

    @staticmethod
    def _may_begin(text: str, first: int) -> bool:
        """False behind a colon, a comma or a bracket, and for a `{}` that may stand in running text."""
        before = first - 1
        while before >= 0 and text[before] in _SPACE:
            before -= 1
        if _EMPTY_OBJECT.match(text, first):
            return before < 0 or text[before] == "}" or text[first - 1] == "\n"
        return before < 0 or text[before] not in ":,["

    @staticmethod
    def _find_undecoded(text: str, first: int, prefix: str | None) -> Decoded:
        if prefix is None:
            return Decoded(Outcome.DAMAGED, len(text))
        found = re.compile(r"(?<=[}\n])" + re.escape(prefix)).search(text, first)
        return Decoded(Outcome.WHOLE, found.start()) if found else Decoded(Outcome.DAMAGED, len(text))


def _after_space(text: str, position: int) -> int:
    match = _SPACES.match(text, position)
    return match.end() if match else position


def _balanced(part: str) -> Decoded:
    """`_decode` for values nested deeper than the decoder goes: only their brackets are counted."""
    depth = 0
    for token in _TOKEN.finditer(part):
        mark = token.group()
        if mark in ("{", "["):
            depth += 1
        elif mark in ("}", "]"):
            depth -= 1
            if depth == 0:
                return Decoded(Outcome.WHOLE, token.end())
        elif mark == '"':
            break  # a string without an end
    return Decoded(Outcome.UNFINISHED, len(part))
