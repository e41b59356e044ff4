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

from aura_lake.cdc import avro_values as values
from aura_lake.cdc.avro_schema import AvroType
from aura_lake.cdc.avro_values import CUT_SHORT, ENDS, SHALLOW, UTF8, Put, Read, Undecodable

#: A type may stand inside itself so many times, as in Avro's own libraries.
MAX_LEVELS = 100

#: Items that take no byte (null, an empty record): without a bound, five bytes ask for a quintillion of them.
MAX_EMPTY_ITEMS = 10_000

VARIABLE_SCALE = "io.debezium.data.VariableScaleDecimal"


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
            return values.too_deep

        def read(body: bytes, at: int, put: Put) -> int:
            deeper = self._made.get((type_, level)) or _deeper(self, type_, level)
            return deeper(body, at, put)

        return read

    def _make(self, type_: AvroType, level: int) -> Read:
        if type_.kind == "record":
            if is_variable_decimal(type_):
                return values.variable_decimal
            return values.record([(name, self.reader(field, level)) for name, field in type_.fields])
        if type_.kind == "union":
            return values.union([self.reader(branch, level) for branch in type_.branches])
        if type_.kind in ("array", "map"):
            assert type_.items is not None
            most = MAX_EMPTY_ITEMS if type_.kind == "array" and _takes_no_byte(type_.items, {}) else None
            items = self.reader(type_.items, level)
            return values.array(items, most) if type_.kind == "array" else values.map_of(items)
        if type_.kind == "enum":
            return values.enum(list(type_.symbols))
        scale = decimal_scale(type_)
        if type_.kind == "fixed":
            is_uuid = type_.extra.get("logicalType") == "uuid" and type_.size == 16
            return values.fixed(type_.size, values.uuid_text if is_uuid else values.binary(scale))
        if type_.kind == "bytes":
            return values.bytes_of(values.binary(scale))
        return values.PRIMITIVES[type_.kind]


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
