"""Contracts written as `CREATE DATA CONTRACT name ON TABLE table ( … ) ENFORCEMENT MODE mode`.

A column is a name, a type, and what has to hold of it: NOT NULL, UNIQUE, PRIMARY KEY, REFERENCES table(column),
CHECK (…), COMMENT '…', or a condition that lacks only the column's name (`> 0`, `IN (…)`, `BETWEEN … AND …`). Whatever
else is written is refused, with its line. A page's `&gt;` is read as `>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from pathlib import Path

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from aura_lake.contracts.problems import Problems, did_you_mean
from aura_lake.contracts.rules import parse_expression
from aura_lake.errors import ContractError


class Mode(StrEnum):
    """What ENFORCEMENT MODE says."""

    BLOCK = "block"  #: rows that break a value rule wait; a changed type or a missing field blocks
    QUARANTINE = "quarantine"  #: rows that break a rule wait
    WARN = "warn"  #: rows that break a value rule are counted


@dataclass
class SqlColumn:
    """One column, as it is written."""

    name: str
    line: int
    logical_type: str
    physical_type: str | None = None
    longest: int | None = None
    is_uuid: bool = False
    required: bool = False
    unique: bool = False
    is_key: bool = False
    values: tuple[str, ...] | None = None
    references: str | None = None
    comment: str = ""
    conditions: list[tuple[int, str]] = field(default_factory=list)  #: line, expression with the column's name


@dataclass
class SqlContract:
    """One statement. `checks`: (line, name or none, expression) of the whole row."""

    name: str
    table: str  #: as written, with its schema
    line: int
    columns: list[SqlColumn] = field(default_factory=list)
    checks: list[tuple[int, str | None, str]] = field(default_factory=list)
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    mode: Mode = Mode.QUARANTINE


_ENTITY = re.compile(r"&(?:gt|lt|amp|quot|apos|#39);")
_SIMPLE = {
    "string": ("STRING", "TEXT", "VARCHAR", "CHAR"),
    "integer": ("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "LONG"),
    "number": ("FLOAT", "DOUBLE", "REAL", "DECIMAL", "NUMERIC", "NUMBER"),
    "boolean": ("BOOLEAN", "BOOL"),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP", "TIMESTAMPTZ", "DATETIME"),
    "object": ("JSON",),
}
_TYPES = {word: logical for logical, words in _SIMPLE.items() for word in words}
_INEXACT = frozenset({"FLOAT", "DOUBLE", "REAL"})
_OPERATORS = frozenset({">", "<", ">=", "<=", "=", "<>", "!=", "IN", "BETWEEN", "LIKE"})
_PRIMARY_KEY = "PRIMARY KEY"  # one token
_CLAUSES = frozenset({"UNIQUE", _PRIMARY_KEY, "CHECK", "COMMENT", "REFERENCES", "DEFAULT", "NULL"})


def read_sql(text: str, file: Path) -> list[SqlContract]:
    """The contracts of a file, in order. Raises ContractProblemsError with every line that cannot be read."""
    plain = unescape(text) if _ENTITY.search(text) else text
    problems = Problems()
    try:
        tokens = Tokenizer().tokenize(plain)
    except TokenError:
        line = _line_of_open_quote(plain)
        problems.add(file, line, "a quote that begins here does not end.", "Close it.")
        tokens = []
    reader = _Reader(plain, tokens, file, problems)
    found = []
    while not reader.ended and not problems.found:
        found.append(reader.statement())
    if not found and not problems.found:
        problems.add(file, 1, "the file holds no statement.", "Write CREATE DATA CONTRACT name ON TABLE table (…).")
    problems.raise_if_any(str(file))
    return found


def _line_of_open_quote(text: str) -> int:
    last = max(text.rfind("'"), text.rfind('"'), 0)
    return text.count("\n", 0, last) + 1


class _Unreadable(Exception):
    """A place that cannot be read: line, what is there, what to write."""

    def __init__(self, line: int, what: str, fix: str) -> None:
        super().__init__(what)
        self.line, self.what, self.fix = line, what, fix


class _Reader:
    """Reads tokens from left to right; what is wrong with one column does not hide the next."""

    def __init__(self, text: str, tokens: Sequence[Token], file: Path, problems: Problems) -> None:
        self._text, self._tokens, self._file, self._problems = text, tokens, file, problems
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._tokens)

    def statement(self) -> SqlContract:
        contract = SqlContract("", "", self._line)
        try:
            self._expect("CREATE")
            if self._take("OR"):
                self._expect("REPLACE")
            self._expect("DATA")
            self._expect("CONTRACT")
            contract.name = self._name("the contract's name")
            self._expect("ON")
            self._expect("TABLE")
            contract.table = self._name("the table")
            while self._take("."):
                contract.table += f".{self._name('the table')}"
            self._expect("(")
            self._items(contract)
            if self._take("ENFORCEMENT"):
                self._expect("MODE")
                contract.mode = self._mode()
            if not self.ended:
                self._expect(";")
            self._check(contract)
        except _Unreadable as error:
            self._problems.add(self._file, error.line, error.what, error.fix)
            self._at = len(self._tokens)
        return contract

    # -- what stands between the parentheses

    def _items(self, contract: SqlContract) -> None:
        while True:
            try:
                self._item(contract)
                if self._word not in (",", ")"):
                    raise self._unreadable("what has to hold of a column", "Separate columns with a comma.")
            except _Unreadable as error:
                self._problems.add(self._file, error.line, error.what, error.fix)
                self._skip()
            if self.ended:
                raise _Unreadable(self._line, "the list of columns does not end.", "Close it with ).")
            if self._take(")"):
                return
            self._expect(",")

    def _item(self, contract: SqlContract) -> None:
        named = self._name("the rule's name") if self._take("CONSTRAINT") else None
        if self._word == "CHECK":
            line = self._line
            self._at += 1
            contract.checks.append((line, named, self._parenthesis()))
        elif self._word == "UNIQUE":
            self._at += 1
            contract.uniques.append(self._names())
        elif self._word == _PRIMARY_KEY:
            self._at += 1
            line, keys = self._line, self._names()
            for name in keys:
                self._known(contract, name, line).is_key = True
        elif named is not None:
            raise self._unreadable("CHECK, UNIQUE or PRIMARY KEY", "Only these may be named.")
        else:
            column = self._column()
            if any(other.name == column.name for other in contract.columns):
                raise _Unreadable(column.line, f"the column {column.name!r} stands twice.", "Keep one of the two.")
            contract.columns.append(column)

    def _known(self, contract: SqlContract, name: str, line: int) -> SqlColumn:
        for column in contract.columns:
            if column.name == name:
                return column
        known = [column.name for column in contract.columns]
        raise _Unreadable(line, f"there is no column {name!r}.", did_you_mean(name, known))

    def _column(self) -> SqlColumn:
        line, name = self._line, self._name("a column's name")
        column = self._typed(name, line)
        while not self.ended and self._word not in (",", ")"):
            self._clause(column)
        return column

    def _typed(self, name: str, line: int) -> SqlColumn:
        word = self._word
        if word == "STRUCT" and self._ahead(1) == "<" and self._ahead(3) == ">":
            self._at += 2
            word = self._word
            if word != "UUID":
                raise self._unreadable("STRUCT<uuid>", "Columns are flat: name each nested field as a column.")
            self._at += 1
            self._expect(">")
            return SqlColumn(name, line, "string", "uuid", is_uuid=True)
        if word == "UUID":
            self._at += 1
            return SqlColumn(name, line, "string", "uuid", is_uuid=True)
        logical = _TYPES.get(word)
        if logical is None:
            raise _Unreadable(
                self._line, f"{name!r} has the type {self._raw!r}, which is not known.", did_you_mean(word, _TYPES)
            )
        self._at += 1
        sizes = [int(size) for size in self._numbers()] if self._word == "(" else []
        column = SqlColumn(name, line, logical)
        if logical == "number":
            column.physical_type = "double" if word in _INEXACT else None
            if sizes and word not in _INEXACT:
                column.physical_type = f"numeric({sizes[0]},{sizes[1] if len(sizes) > 1 else 0})"
        elif logical == "string" and sizes:
            column.longest = sizes[0]
        elif logical == "timestamp" and sizes:
            column.physical_type = f"timestamp({sizes[0]})"
        return column

    def _clause(self, column: SqlColumn) -> None:
        word, line = self._word, self._line
        if word == "NOT" and self._ahead(1) == "NULL":
            self._at += 2
            column.required = True
        elif word == "NULL":
            self._at += 1
        elif word == "UNIQUE":
            self._at += 1
            column.unique = True
        elif word == _PRIMARY_KEY:
            self._at += 1
            column.is_key = column.required = True
        elif word == "CHECK":
            self._at += 1
            column.conditions.append((line, self._parenthesis()))
        elif word == "COMMENT":
            self._at += 1
            column.comment = self._string()
        elif word == "REFERENCES":
            self._at += 1
            table = self._name("a table")
            while self._take("."):
                table = self._name("a table")
            (target,) = self._names() or ("",)
            column.references = f"{table.removeprefix('stg_')}.{target}"
        elif word in _OPERATORS or (word == "NOT" and self._ahead(1) in ("IN", "LIKE", "BETWEEN")):
            self._condition(column)
        else:
            raise self._unreadable(
                f"what has to hold of {column.name!r}",
                "Write NOT NULL, UNIQUE, PRIMARY KEY, REFERENCES table(column), COMMENT '…', CHECK (…), or a "
                "condition such as > 0, IN ('a', 'b') or BETWEEN 1 AND 9.",
            )

    def _condition(self, column: SqlColumn) -> None:
        """A condition without the column's name; several are joined by AND."""
        while True:
            line, first = self._line, self._at
            is_range = "BETWEEN" in (self._word, self._ahead(1))
            depth = 0
            while not self.ended:
                word = self._word
                if depth == 0 and self._at > first and (word in (",", ")") or self._begins_clause()):
                    break
                if depth == 0 and word == "AND":
                    if not is_range:
                        break
                    is_range = False
                depth += (word == "(") - (word == ")")
                self._at += 1
            if self._at == first + 1:
                raise self._unreadable("a value", "Write e.g. > 0.")
            told = self._tokens[first : self._at]
            if told[0].text.upper() == "IN" and (values := _texts_in(told)) is not None:
                column.values = values
            else:
                written = self._text[told[0].start : told[-1].end + 1]
                column.conditions.append((line, f"{column.name} {written}"))
            if not self._take("AND"):
                return

    def _begins_clause(self) -> bool:
        if self._word == "NOT":
            return self._ahead(1) == "NULL"
        return self._word in _CLAUSES and self._tokens[self._at].token_type != TokenType.STRING

    # -- when all of it was read

    def _check(self, contract: SqlContract) -> None:
        known = {column.name for column in contract.columns}
        written = [(line, text) for column in contract.columns for line, text in column.conditions]
        for line, text in [*written, *((line, text) for line, _, text in contract.checks)]:
            try:
                unknown = sorted(parse_expression(text).columns - known)
            except ContractError as error:
                self._problems.add(self._file, line, f"`{text}` is no rule: {error.what}", error.fix)
                continue
            if unknown:
                self._problems.add(self._file, line, f"`{text}` names {unknown[0]!r}.", did_you_mean(unknown[0], known))
        for names in contract.uniques:
            for name in names:
                self._known(contract, name, contract.line)

    def _mode(self) -> Mode:
        if self._word.lower() not in tuple(Mode):
            raise self._unreadable("an enforcement mode", f"There are {', '.join(mode.upper() for mode in Mode)}.")
        mode = Mode(self._word.lower())
        self._at += 1
        return mode

    # -- tokens

    @property
    def _line(self) -> int:
        return int(self._tokens[min(self._at, len(self._tokens) - 1)].line) if self._tokens else 1

    @property
    def _raw(self) -> str:
        return str(self._tokens[self._at].text) if not self.ended else "the end of the file"

    @property
    def _word(self) -> str:
        return self._ahead(0)

    def _ahead(self, count: int) -> str:
        if self._at + count >= len(self._tokens):
            return ""
        token = self._tokens[self._at + count]
        return "'" if token.token_type == TokenType.STRING else str(token.text).upper()

    def _take(self, word: str) -> bool:
        if self._word != word:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._unreadable(
                word, f"Write {word} here: CREATE DATA CONTRACT name ON TABLE table (…) ENFORCEMENT MODE BLOCK;"
            )

    def _unreadable(self, wanted: str, fix: str) -> _Unreadable:
        return _Unreadable(self._line, f"{self._raw!r} stands where {wanted} is expected.", fix)

    def _name(self, what: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", self._raw) or self._word == "'":
            raise self._unreadable(what, "Write a name of letters, digits and _.")
        name = self._raw.lower()
        self._at += 1
        return name

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._name("a column's name")]
        while self._take(","):
            names.append(self._name("a column's name"))
        self._expect(")")
        return tuple(names)

    def _numbers(self) -> list[str]:
        self._expect("(")
        numbers: list[str] = []
        while self._raw.isdigit():
            numbers.append(self._raw)
            self._at += 1
            if not self._take(","):
                break
        if not numbers:
            raise self._unreadable("a size", "Write e.g. DECIMAL(12,2).")
        self._expect(")")
        return numbers

    def _string(self) -> str:
        if self._word != "'":
            raise self._unreadable("a text in single quotes", "Write e.g. COMMENT 'What it is'.")
        text = self._raw
        self._at += 1
        return text

    def _parenthesis(self) -> str:
        """The text between two parentheses that match."""
        opened = self._at
        self._expect("(")
        depth = 1
        while not self.ended and depth:
            depth += (self._word == "(") - (self._word == ")")
            self._at += 1
        if depth or self._at - opened <= 2:
            raise _Unreadable(int(self._tokens[opened].line), "the condition does not end.", "Write CHECK (a > 0).")
        return self._text[self._tokens[opened + 1].start : self._tokens[self._at - 2].end + 1]

    def _skip(self) -> None:
        """On to the next comma or the end of the list."""
        depth = 0
        while not self.ended and (depth or self._word not in (",", ")")):
            depth += (self._word == "(") - (self._word == ")")
            self._at += 1


def _texts_in(tokens: Sequence[Token]) -> tuple[str, ...] | None:
    """The values of `IN ('a', 'b')`; None where they are not all texts."""
    inner = [token for token in tokens[2:-1] if token.token_type != TokenType.COMMA]
    if not inner or any(token.token_type != TokenType.STRING for token in inner):
        return None
    return tuple(str(token.text) for token in inner)
