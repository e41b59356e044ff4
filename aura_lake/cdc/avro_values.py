"""Readers of Avro's values: each takes bytes at an offset, hands on JSON text, and says where it ended.

A reader of the simple types is a function; those of the others are made for their parts. Speed matters here: a
change has some fifty values. So what is nearly always one byte (a length, a branch, a small number) is looked
at before it is read as the general case. (Avro 1.12 specification, "Binary Encoding".)
"""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable
from json.encoder import encode_basestring as quoted

import numpy as np

from aura_lake.cdc.decimals import digits_of

CUT_SHORT = "record_body_is_not_cut_short"
FITS = "record_body_fits_its_schema"
ENDS = "record_body_ends_where_its_schema_does"
SHALLOW = "record_is_not_too_deep"
UTF8 = "record_is_valid_utf8"

Put = Callable[[str], None]
#: Reads the value at an offset, hands its text on in pieces, and gives the offset behind it. Beyond the end of
#: the bytes it raises Undecodable or IndexError.
Read = Callable[[bytes, int, Put], int]


class Undecodable(Exception):
    """The bytes are no value of the schema; `rule` names what they break."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


def _long(body: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of up to 64 bits, and the offset behind it."""
    byte = body[at]
    value, shift = byte & 127, 7
    while byte > 127:
        at += 1
        byte = body[at]
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:
            raise Undecodable(FITS)
    if value >> 64:
        raise Undecodable(FITS)
    return (value >> 1) ^ -(value & 1), at + 1


def _end(body: bytes, at: int) -> tuple[int, int]:
    """Where a string or bytes begin whose length stands at `at`, and where they end."""
    byte = body[at]
    if byte < 128:
        length, at = (byte >> 1) ^ -(byte & 1), at + 1
    else:
        length, at = _long(body, at)
    if length < 0:
        raise Undecodable(FITS)
    if at + length > len(body):
        raise Undecodable(CUT_SHORT)
    return at, at + length


def too_deep(body: bytes, at: int, put: Put) -> int:
    """Where a type may not stand inside itself once more."""
    raise Undecodable(SHALLOW)


def _null(body: bytes, at: int, put: Put) -> int:
    put("null")
    return at


def _boolean(body: bytes, at: int, put: Put) -> int:
    byte = body[at]
    if byte > 1:
        raise Undecodable(FITS)
    put("true" if byte else "false")
    return at + 1


def _read_long(body: bytes, at: int, put: Put) -> int:
    byte = body[at]
    if byte < 128:
        put(str((byte >> 1) ^ -(byte & 1)))
        return at + 1
    value, at = _long(body, at)
    put(str(value))
    return at


def _read_int(body: bytes, at: int, put: Put) -> int:
    byte = body[at]
    if byte < 128:
        put(str((byte >> 1) ^ -(byte & 1)))
        return at + 1
    value, at = _long(body, at)
    if not -(2**31) <= value < 2**31:
        raise Undecodable(FITS)
    put(str(value))
    return at


def _string(body: bytes, at: int, put: Put) -> int:
    byte = body[at]
    if byte < 128 and not byte & 1:
        at += 1
        end = at + (byte >> 1)
        if end > len(body):
            raise Undecodable(CUT_SHORT)
    else:
        at, end = _end(body, at)
    put(quoted(body[at:end].decode()))
    return end


def _float(body: bytes, at: int, put: Put) -> int:
    if at + 4 > len(body):
        raise Undecodable(CUT_SHORT)
    (value,) = struct.unpack_from("<f", body, at)
    # the shortest digits that mean this number of 32 bits; as a double it would have nine more
    put(_no_number(value) or str(np.float32(value)))
    return at + 4


def _double(body: bytes, at: int, put: Put) -> int:
    if at + 8 > len(body):
        raise Undecodable(CUT_SHORT)
    (value,) = struct.unpack_from("<d", body, at)
    put(_no_number(value) or repr(value))
    return at + 8


def _no_number(value: float) -> str | None:
    """What JSON has no number for, as the text that JsonConverter writes."""
    if value - value == 0:  # false for NaN and the infinities alone
        return None
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'


def record(fields: list[tuple[str, Read]]) -> Read:
    """A record: its fields one after the other."""
    if not fields:
        return _empty_record
    named = [(f"{',' if number else '{'}{quoted(name)}:", read) for number, (name, read) in enumerate(fields)]

    def read_record(body: bytes, at: int, put: Put) -> int:
        for name, read in named:
            put(name)
            at = read(body, at, put)
        put("}")
        return at

    return read_record


def _empty_record(body: bytes, at: int, put: Put) -> int:
    put("{}")
    return at


def union(branches: list[Read]) -> Read:
    """A union: the number of a branch, and its value."""
    if len(branches) == 2 and _null in branches:
        return _optional(branches)
    #: The branches by the one byte that says their number, which it does up to the 64th.
    by_byte = {2 * number: read for number, read in enumerate(branches[:64])}

    def read_union(body: bytes, at: int, put: Put) -> int:
        branch = by_byte.get(body[at])
        if branch is not None:
            return branch(body, at + 1, put)
        number, at = _long(body, at)
        if not 0 <= number < len(branches):
            raise Undecodable(FITS)
        return branches[number](body, at, put)

    return read_union


def _optional(branches: list[Read]) -> Read:
    """A union of null and one other type, which nearly all unions are."""
    null, other = (0, 1) if branches[0] is _null else (1, 0)
    null_byte, other_byte, read = 2 * null, 2 * other, branches[other]

    def read_optional(body: bytes, at: int, put: Put) -> int:
        byte = body[at]
        if byte == null_byte:
            put("null")
            return at + 1
        if byte == other_byte:
            return read(body, at + 1, put)
        number, at = _long(body, at)
        if number not in (0, 1):
            raise Undecodable(FITS)
        return branches[number](body, at, put)

    return read_optional


def enum(symbols: list[str]) -> Read:
    """An enum: the number of a symbol."""
    texts = [quoted(symbol) for symbol in symbols]

    def read_enum(body: bytes, at: int, put: Put) -> int:
        number, at = _long(body, at)
        if not 0 <= number < len(symbols):
            raise Undecodable(FITS)
        put(texts[number])
        return at

    return read_enum


def _block(body: bytes, at: int) -> tuple[int, int]:
    """The number of items in the next block of an array or map, and where they begin."""
    count, at = _long(body, at)
    if count < 0:  # then the block's size in bytes follows, for readers that skip it
        count = -count
        _, at = _long(body, at)
    return count, at


def array(items: Read, most: int | None) -> Read:
    """An array, in blocks of items; of more than `most` items none is read."""

    def read_array(body: bytes, at: int, put: Put) -> int:
        before, total = "[", 0
        while True:
            count, at = _block(body, at)
            if count == 0:
                break
            total += count
            if most is not None and total > most:
                raise Undecodable(FITS)
            for _ in range(count):
                put(before)
                before = ","
                at = items(body, at, put)
        put("]" if total else "[]")
        return at

    return read_array


def map_of(values: Read) -> Read:
    """A map, in blocks of names and values."""

    def read_map(body: bytes, at: int, put: Put) -> int:
        before = "{"
        while True:
            count, at = _block(body, at)
            if count == 0:
                break
            for _ in range(count):
                at, end = _end(body, at)
                put(f"{before}{quoted(body[at:end].decode())}:")
                before = ","
                at = values(body, end, put)
        put("}" if before == "," else "{}")
        return at

    return read_map


def bytes_of(write: Callable[[bytes], str]) -> Read:
    """Bytes with their length in front, as `write` has them."""

    def read_bytes(body: bytes, at: int, put: Put) -> int:
        at, end = _end(body, at)
        put(write(body[at:end]))
        return end

    return read_bytes


def fixed(size: int, write: Callable[[bytes], str]) -> Read:
    """So many bytes, as `write` has them."""

    def read_fixed(body: bytes, at: int, put: Put) -> int:
        if at + size > len(body):
            raise Undecodable(CUT_SHORT)
        put(write(body[at : at + size]))
        return at + size

    return read_fixed


def binary(scale: int | None) -> Callable[[bytes], str]:
    """How bytes are written: as base64, or where they are a decimal of this scale by its digits."""
    if scale is None:
        return _base64
    return lambda raw: _decimal(raw, scale)


def _decimal(raw: bytes, scale: int) -> str:
    """The digits as text. A number beyond all bounds stays in its parts, which no column takes for a number."""
    digits = digits_of(raw, scale)
    return f'{{"scale":{scale},"value":{_base64(raw)}}}' if digits is None else f'"{digits}"'


def _base64(raw: bytes) -> str:
    return f'"{base64.b64encode(raw).decode()}"'


def uuid_text(raw: bytes) -> str:
    """Sixteen bytes as a UUID."""
    return f'"{uuid.UUID(bytes=raw)}"'


def variable_decimal(body: bytes, at: int, put: Put) -> int:
    """Debezium's record of a scale and a number, by its digits."""
    scale, at = _long(body, at)
    at, end = _end(body, at)
    put(_decimal(body[at:end], scale))
    return end


#: The types without parts, by their names.
PRIMITIVES: dict[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "int": _read_int,
    "long": _read_long,
    "float": _float,
    "double": _double,
    "string": _string,
}
