"""What a value looks like, without saying what it is.

A shape is a word such as `uuid`, `int:9`, `dec:2`, `timestamp`; two fields that hold the same thing have values of
the same shapes in the same shares. `canonical` makes values equal that only their wire form tells apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

_NAMED: Sequence[tuple[str, re.Pattern[str]]] = (
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("bool", re.compile(r"true|false", re.IGNORECASE)),
    (
        "timestamp",
        re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?"),
    ),
    ("date", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("slashed_time", re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{2,4}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?")),
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    ("url", re.compile(r"[a-z]{2,10}://\S+", re.IGNORECASE)),
    ("ip", re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")),
    ("version", re.compile(r"v?\d+(?:\.\d+){2,3}")),
)
_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d*\.\d+")
_HEX = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}|(?=[0-9A-F]*\d)(?=[0-9A-F]*[A-F])[0-9A-F]{8,}")
_WORD = re.compile(r"[^\W\d_]+")
_CODE = re.compile(r"[A-Z0-9]{2,12}")
_JOINED = (("dotted", "."), ("snake", "_"), ("dashed", "-"), ("words", " "))

#: Shapes that little else has: to find one again says much.
TELLING = ("uuid", "hex", "timestamp", "date", "email", "url", "ip", "version", "slashed_time")


@lru_cache(maxsize=65_536)
def shape(text: str) -> str:
    """The shape of a value."""
    if not text:
        return "empty"
    for name, pattern in _NAMED:
        if pattern.fullmatch(text):
            return name
    if _INTEGER.fullmatch(text):
        return f"int:{len(text.lstrip('+-'))}"
    if _DECIMAL.fullmatch(text):
        return f"dec:{len(text.partition('.')[2])}"
    if _HEX.fullmatch(text):
        return f"hex:{len(text)}"
    if _WORD.fullmatch(text):
        return "upper" if text.isupper() else "title" if text.istitle() else "word"
    for name, mark in _JOINED:
        if mark in text and re.fullmatch(r"[\w.\- ]+", text):
            return name
    if _CODE.fullmatch(text):
        return f"code:{len(text)}"
    if text[0] in "{[":
        return "json"
    classes = re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))
    return f"other:{classes[:12]}"


@lru_cache(maxsize=65_536)
def canonical(text: str) -> str:
    """The value as it compares: numbers by what they amount to, times by their digits, words as they are."""
    plain = text.strip()
    if _INTEGER.fullmatch(plain) or _DECIMAL.fullmatch(plain):
        if len(plain) > 40:
            return plain
        try:
            return format(Decimal(plain).normalize(), "f")
        except InvalidOperation:
            return plain
    if _NAMED[2][1].fullmatch(plain):
        digits = re.sub(r"(?:Z|UTC|GMT|\+00:?00)$", "", plain).strip().replace("T", " ")
        return re.sub(r"\.?0+$", "", digits) if "." in digits else digits
    return plain.lower() if _NAMED[1][1].fullmatch(plain) or _NAMED[0][1].fullmatch(plain) else plain


@lru_cache(maxsize=65_536)
def number(text: str) -> float | None:
    """The value as a number, where it is one."""
    if _INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text):
        return float(text)
    return None


@lru_cache(maxsize=65_536)
def moment(text: str) -> float | None:
    """A written time as seconds since 1970, where it is one; naive ones as if they were UTC."""
    if not _NAMED[2][1].fullmatch(text) and not _NAMED[3][1].fullmatch(text):
        return None
    plain = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text).replace("Z", "+00:00")
    try:
        found = datetime.fromisoformat(re.sub(r"\s+(?=[+-])", "", plain))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


_PATTERNS = {
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "bool": r"(?:true|false)",
    "timestamp": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "url": r"[A-Za-z]{2,10}://\S+",
    "ip": r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}",
    "version": r"v?[0-9]+(?:\.[0-9]+){2,3}",
    "dotted": r"[\w\- ]*(?:\.[\w\- ]*)+",
    "snake": r"[\w\- ]*_[\w\- ]*",
    "dashed": r"[\w]+(?:-[\w]+)+",
    "words": r"[\w.\-]+(?: [\w.\-]+)+",
    "word": r"[^\W\d_]+",
    "title": r"[^\W\d_]+",
    "upper": r"[^\W\d_]+",
}


def pattern(shapes: Sequence[str]) -> str | None:
    """A regular expression that all values of these shapes match, as Rust and Python read it; None where there is
    none that says anything."""
    parts: set[str] = set()
    lengths = [int(s.partition(":")[2]) for s in shapes if s.startswith("int:")]
    if lengths:
        parts.add(rf"-?[0-9]{{{min(lengths)},{max(lengths)}}}")
    for name in shapes:
        kind, _, size = name.partition(":")
        if kind == "int":
            continue
        if kind == "dec":
            parts.add(r"-?[0-9]*\.[0-9]+")
        elif kind == "hex":
            parts.add(rf"[0-9a-fA-F]{{{size}}}")
        elif kind == "code":
            parts.add(rf"[A-Z0-9]{{{size}}}")
        elif name in _PATTERNS:
            parts.add(_PATTERNS[name])
        else:
            return None
    return rf"^(?:{'|'.join(sorted(parts))})$" if parts else None
