"""Avro's binary form as JSON text, read in one pass and exactly. (Avro 1.12 specification, "Binary Encoding".)

The text is what Kafka Connect's JsonConverter would have written of the same value, so that the rest of
the way is one: whole numbers by their digits, bytes and fixed as base64, times as the numbers they count,
enums as their symbol, NaN and the infinities as text. Decimals are better off than there: they stand as text
by their digits, wherever they are, so that expressions and nested fields see them too. (Not as JSON's numbers:
who prints those again drops zeros and chooses exponents.)

Why not fastavro's reader: a producer's bytes must not stop a run, and it reads without a bound on depth
(a record of a recursive type, a million levels deep, ends the process) or on arrays of nothing, takes
negative branches from the end, and wraps numbers beyond 64 bits. It also gives objects that have to be
walked again for every decimal; one pass from bytes to text is the quicker way.
"""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable
from json.encoder import encode_basestring as quoted

import numpy as np

from aura_lake.cdc.avro_schema import AvroType
from aura_lake.cdc.decimals import digits_of

CUT_SHORT = "record_body_is_not_cut_short"
FITS = "record_body_fits_its_schema"
ENDS = "record_body_ends_where_its_schema_does"
SHALLOW = "record_is_not_too_deep"
UTF8 = "record_is_valid_utf8"

#: A type may stand inside itself so many times, as in Avro's own libraries.
MAX_LEVELS = 100

#: Items that take no byte (null, an empty record): without a bound, five bytes ask for a quintillion of them.
MAX_EMPTY_ITEMS = 10_000

VARIABLE_SCALE = "io.debezium.data.VariableScaleDecimal"

Put = Callable[[str], None]
#: Reads the value at an offset, hands its text on in pieces, and gives the offset behind it.
Read = Callable[[bytes, int, Put], int]


class Undecodable(Exception):
    """The bytes are no value of the schema; `rule` names what they break."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


class AvroReader:
    """Reads values of one schema. Building it compiles the schema once."""

    def __init__(self, schema: AvroType) -> None:
        self._read = _Compiler().reader(schema)

    def __call__(self, record: bytes, start: int) -> str:
        """The value that fills `record` from `start` on, as JSON. Raises Undecodable."""
        pieces: list[str] = []
        try:
            end = self._read(record, start, pieces.append)
        except IndexError:
            raise Undecodable(CUT_SHORT) from None
        except UnicodeDecodeError:
            raise Undecodable(UTF8) from None
        except RecursionError:
            raise Undecodable(SHALLOW) from None
        if end != len(record):
            raise Undecodable(ENDS)
        return "".join(pieces)


class _Compiler:
    """Makes a reader of each type. Where a type stands inside itself the reader of the next level is made when
    a record first reaches it, so that depth is bounded without being counted."""

    def __init__(self) -> None:
        self._made: dict[tuple[AvroType, int], Read] = {}
        self._open: list[AvroType] = []

    def reader(self, type_: AvroType, level: int = 0) -> Read:
        if (type_, level) in self._made:
            return self._made[type_, level]
        if type_ in self._open:
            return self._again(type_, level + 1)
        self._open.append(type_)
        try:
            read = self._make(type_, level)
        finally:
            self._open.pop()
        self._made[type_, level] = read
        return read

    def _again(self, type_: AvroType, level: int) -> Read:
        if level > MAX_LEVELS:
            return _too_deep

        def read(body: bytes, at: int, put: Put) -> int:
            deeper = self._made.get((type_, level)) or _deeper(self, type_, level)
            return deeper(body, at, put)

        return read

    def _make(self, type_: AvroType, level: int) -> Read:
        if type_.kind == "record":
            if is_variable_decimal(type_):
                return _variable_decimal
            return _record([(name, self.reader(field, level)) for name, field in type_.fields])
        if type_.kind == "union":
            return _union([self.reader(branch, level) for branch in type_.branches])
        if type_.kind in ("array", "map"):
            assert type_.items is not None
            most = MAX_EMPTY_ITEMS if type_.kind == "array" and _takes_no_byte(type_.items, {}) else None
            items = self.reader(type_.items, level)
            return _array(items, most) if type_.kind == "array" else _map(items)
        if type_.kind == "enum":
            return _enum([quoted(symbol) for symbol in type_.symbols])
        scale = decimal_scale(type_)
        if type_.kind == "fixed":
            is_uuid = type_.extra.get("logicalType") == "uuid" and type_.size == 16
            return _fixed(type_.size, _uuid if is_uuid else _binary(scale))
        if type_.kind == "bytes":
            return _bytes(_binary(scale))
        return _PRIMITIVES[type_.kind]


def _deeper(compiler: _Compiler, type_: AvroType, level: int) -> Read:
    """The reader of a type one level further down, made on its own: nothing is open around it."""
    below = _Compiler()
    below._made = compiler._made
    return below.reader(type_, level)


def decimal_scale(type_: AvroType) -> int | None:
    """The scale of a decimal (Avro's, or Connect's by its name); None for any other type."""
    extra = type_.extra
    if type_.kind not in ("bytes", "fixed"):
        return None
    named = extra.get("connect.name") == "org.apache.kafka.connect.data.Decimal"
    if extra.get("logicalType") != "decimal" and not named:
        return None
    parameters = extra.get("connect.parameters")
    scale = extra.get("scale", parameters.get("scale") if isinstance(parameters, dict) else None)
    if scale is None:
        return None if named else 0  # Avro: a scale left out is zero; Connect: it never is
    try:
        return int(scale)
    except (TypeError, ValueError):
        return None


def is_variable_decimal(type_: AvroType) -> bool:
    """Whether the record is Debezium's number that brings its own scale."""
    name = type_.extra.get("connect.name", type_.name)
    return name == VARIABLE_SCALE and [(n, f.kind) for n, f in type_.fields] == [("scale", "int"), ("value", "bytes")]


def _takes_no_byte(type_: AvroType, known: dict[AvroType, bool]) -> bool:
    if type_.kind != "record":
        return type_.kind == "null" or (type_.kind == "fixed" and type_.size == 0)
    if type_ not in known:
        known[type_] = True
        known[type_] = all(_takes_no_byte(field, known) for _, field in type_.fields)
    return known[type_]


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


def _too_deep(body: bytes, at: int, put: Put) -> int:
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
    value, at = _long(body, at)
    put(str(value))
    return at


def _read_int(body: bytes, at: int, put: Put) -> int:
    value, at = _long(body, at)
    if not -(2**31) <= value < 2**31:
        raise Undecodable(FITS)
    put(str(value))
    return at


def _string(body: bytes, at: int, put: Put) -> int:
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


def _record(fields: list[tuple[str, Read]]) -> Read:
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


def _union(branches: list[Read]) -> Read:
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


def _enum(symbols: list[str]) -> Read:
    def read_enum(body: bytes, at: int, put: Put) -> int:
        number, at = _long(body, at)
        if not 0 <= number < len(symbols):
            raise Undecodable(FITS)
        put(symbols[number])
        return at

    return read_enum


def _block(body: bytes, at: int) -> tuple[int, int]:
    """The number of items in the next block of an array or map, and where they begin."""
    count, at = _long(body, at)
    if count < 0:  # then the block's size in bytes follows, for readers that skip it
        count = -count
        _, at = _long(body, at)
    return count, at


def _array(items: Read, most: int | None) -> Read:
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


def _map(values: Read) -> Read:
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


def _bytes(write: Callable[[bytes], str]) -> Read:
    def read_bytes(body: bytes, at: int, put: Put) -> int:
        at, end = _end(body, at)
        put(write(body[at:end]))
        return end

    return read_bytes


def _fixed(size: int, write: Callable[[bytes], str]) -> Read:
    def read_fixed(body: bytes, at: int, put: Put) -> int:
        if at + size > len(body):
            raise Undecodable(CUT_SHORT)
        put(write(body[at : at + size]))
        return at + size

    return read_fixed


def _binary(scale: int | None) -> Callable[[bytes], str]:
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


def _uuid(raw: bytes) -> str:
    return f'"{uuid.UUID(bytes=raw)}"'


def _variable_decimal(body: bytes, at: int, put: Put) -> int:
    scale, at = _long(body, at)
    at, end = _end(body, at)
    put(_decimal(body[at:end], scale))
    return end


_PRIMITIVES: dict[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "int": _read_int,
    "long": _read_long,
    "float": _float,
    "double": _double,
    "string": _string,
}
