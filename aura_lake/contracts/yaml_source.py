"""Read a YAML file into plain values that know their lines, within limits.

Values are what YAML 1.2 says: `yes` and `2020-01-01` are text, and no tag makes an
object. A file that is too long, too deep, or blows up through aliases is refused before
it is built; so is a key that stands twice in one mapping, of which YAML keeps the last
in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from aura_lake.contracts.problems import Problems
from aura_lake.errors import ContractError

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_VALUES = 20_000
MAX_ALIASES = 50

#: Where a value stands: keys and list positions from the top.
Path_ = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}

# libyaml's parser where the wheel has it: ten times faster, with the same events.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One YAML file: its values and the line each begins on."""

    file: Path
    data: Any
    lines: dict[Path_, int]

    def line(self, path: Path_) -> int:
        """The line of the value at `path`, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass
class _Open:
    """A mapping or list that is being read."""

    value: dict[str, Any] | list[Any]
    path: Path_
    anchor: str | None
    key: str | None = None
    size: int = 1
    keys: set[str] = field(default_factory=set)


def read_document(file: Path, problems: Problems) -> Document | None:
    """The document in `file`; None, and a problem noted, where it cannot be read."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        problems.add(file, 1, f"the file cannot be read ({error.strerror}).", "Check its rights.")
        return None
    if len(raw) > MAX_BYTES:
        problems.add(
            file,
            1,
            f"the file has {len(raw):,} bytes; {MAX_BYTES:,} is the most a contract may have.",
            "Split it: one contract a table.",
        )
        return None
    try:
        return _Builder(file, problems).build(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        problems.add(file, 1, f"byte {error.start} is not UTF-8.", "Save the file as UTF-8.")
    except _RefusedError as refused:
        problems.add(file, refused.line, refused.what, refused.fix)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "something unexpected"
        problems.add(
            file,
            mark.line + 1 if mark else 1,
            f"this is not YAML: {what}.",
            "Check the indentation, and quote values that hold ': ' or begin with a sign.",
        )
    except yaml.YAMLError:
        problems.add(file, 1, "a character in the file is not allowed in YAML.", "Remove it.")
    return None


class _RefusedError(ContractError):
    """YAML that is correct and not accepted."""

    def __init__(self, line: int, what: str, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.line = line


class _Builder:
    """Builds one document from the parser's events, without recursion."""

    def __init__(self, file: Path, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._lines: dict[Path_, int] = {}
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliases = 0
        self._values = 0
        self._root: Any = None

    def build(self, text: str) -> Document:
        documents = 0
        for event in yaml.parse(text, Loader=_Parser):
            line = 1 if event.start_mark is None else event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _RefusedError(line, "a second document begins.", "One file, one contract.")
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, line)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._start(event, line)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._end(line)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event, line)
        return Document(self._file, self._root, self._lines)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise _RefusedError(line, f"the tag {event.tag!r} is not read.", "Write a plain value.")
        frame = self._open[-1] if self._open else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._key(frame, event.value, line)
            return
        is_plain = event.tag is None and event.implicit[0]
        value = _plain_value(event.value) if is_plain else event.value
        self._put(value, 1, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)

    def _key(self, frame: _Open, key: str, line: int) -> None:
        if key in frame.keys:
            self._problems.add(self._file, line, f"the key {key!r} stands twice here.", "Keep one of the two.")
        frame.keys.add(key)
        frame.key = key
        self._lines[(*frame.path, key)] = line

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        tags = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
        if event.tag not in tags:
            raise _RefusedError(line, f"the tag {event.tag!r} is not read.", "Write a plain value.")
        if len(self._open) >= MAX_DEPTH:
            raise _RefusedError(line, f"the file is nested more than {MAX_DEPTH} levels deep.", "Make it flatter.")
        value: dict[str, Any] | list[Any]
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._place(line)
        self._put(value, 1, line)
        self._open.append(_Open(value, path, event.anchor))

    def _end(self, line: int) -> None:
        closed = self._open.pop()
        if closed.anchor:
            self._anchors[closed.anchor] = (closed.value, closed.size)
        if self._open:
            self._open[-1].size += closed.size - 1

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        self._aliases += 1
        if event.anchor not in self._anchors:
            raise _RefusedError(line, f"the alias *{event.anchor} has no anchor.", "Write the value.")
        if self._aliases > MAX_ALIASES:
            raise _RefusedError(line, f"there are more than {MAX_ALIASES} aliases.", "Write the values out.")
        value, size = self._anchors[event.anchor]
        self._put(value, size, line)

    def _place(self, line: int) -> Path_:
        """Where the next value goes."""
        if not self._open:
            return ()
        frame = self._open[-1]
        if isinstance(frame.value, list):
            return (*frame.path, len(frame.value))
        if frame.key is None:
            raise _RefusedError(line, "a key is not a plain word.", "Write keys as plain text.")
        return (*frame.path, frame.key)

    def _put(self, value: Any, size: int, line: int) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            raise _RefusedError(
                line,
                f"the file holds more than {MAX_VALUES:,} values, aliases counted in full.",
                "Split it: one contract a table.",
            )
        path = self._place(line)
        self._lines.setdefault(path, line)
        if not self._open:
            self._root = value
            return
        frame = self._open[-1]
        frame.size += size
        if isinstance(frame.value, list):
            frame.value.append(value)
        else:
            frame.value[str(frame.key)] = value
            frame.key = None


def _plain_value(text: str) -> Any:
    if text.lower() in _WORDS and text in {text.lower(), text.title(), text.upper()}:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
