"""Patterns that mean the same in every engine: LIKE, and a small part of regular expressions.

Polars (Rust), DuckDB (RE2) and Snowflake differ in what `\\d` covers, in set operations
inside brackets and in groups, so that a pattern is read here and written out again in
the part that all three agree on.
"""

from __future__ import annotations

import re

import polars as pl

from aura_lake.errors import ContractError

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_SPECIAL = frozenset(r".^$*+?()[]{}|\-&~#" + "\t\n\r\f")
_COUNT = re.compile(r"\{(\d{1,3})(,(\d{1,3})?)?\}")

FIX = (
    "A pattern has characters, ., [a-z], [^a-z], \\d, \\w, \\s, (…), |, ^, $, *, +, ?, {m,n} "
    "and a backslash before a special character."
)


def like_to_regex(pattern: str, escape: str | None) -> str:
    """The regular expression (Rust's) of a LIKE pattern, which must match the whole text."""
    written: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise ContractError(
                    "a LIKE pattern ends with its escape character.",
                    fix="Put %, _ or the escape character itself behind it.",
                )
            written.append(_literal(following))
        elif character in "%_":
            written.append(".*" if character == "%" else ".")
        else:
            written.append(_literal(character))
    return "(?s)^" + "".join(written) + "$"


def portable_regex(pattern: str) -> str:
    """`pattern` written so that Polars, DuckDB and Snowflake read the same.

    Raises `ContractError` for what they do not share: look-around, back-references, named
    groups, flags, lazy and possessive counts, POSIX classes, Unicode classes.
    """
    written: list[str] = []
    position = 0
    repeatable = False
    while position < len(pattern):
        character = pattern[position]
        if character in "*+?{":
            count = _COUNT.match(pattern, position) if character == "{" else None
            if not repeatable or (character == "{" and count is None):
                raise _refused(pattern, position)
            piece = count.group() if count else character
            repeatable = False
        elif character == "[":
            piece = _bracket(pattern, position)
            position = _bracket_end(pattern, position)
            written.append(piece)
            repeatable = True
            continue
        elif character == "\\":
            piece = _escaped(pattern, position)
            position += 1
            repeatable = True
        elif character == "(":
            if pattern.startswith("(?:", position):
                position += 2
            elif pattern.startswith("(?", position):
                raise _refused(pattern, position)
            piece, repeatable = "(", False
        elif character in "^$|)":
            piece, repeatable = character, character == ")"
        elif character in "]}":
            raise _refused(pattern, position)
        else:
            piece = "." if character == "." else _literal(character)
            repeatable = True
        written.append(piece)
        position += 1 if character != "{" else len(piece)
    result = "".join(written)
    matches_text(result, "")
    return result


def matches_text(regex: str, text: str) -> bool:
    """Whether `regex` occurs in `text`; raises `ContractError` where it does not compile."""
    try:
        return bool(pl.select(pl.lit(text).str.contains(regex)).item())
    except pl.exceptions.ComputeError:
        raise ContractError("a regular expression does not compile.", fix=FIX) from None


def _literal(character: str) -> str:
    for letter, control in _CONTROLS.items():
        if character == control:
            return f"\\{letter}"
    return f"\\{character}" if character in _SPECIAL else character


def _escaped(pattern: str, position: int) -> str:
    following = pattern[position + 1 : position + 2]
    if following.lower() in _CLASSES and following:
        negation = "^" if following.isupper() else ""
        return f"[{negation}{_CLASSES[following.lower()]}]"
    if following in _CONTROLS:
        return f"\\{following}"
    if not following or following.isalnum():
        raise _refused(pattern, position)
    return _literal(following)


def _bracket_end(pattern: str, position: int) -> int:
    """The position behind the bracket that opens at `position`."""
    index = position + 1
    while index < len(pattern) and pattern[index] != "]":
        index += 2 if pattern[index] == "\\" else 1
    if index >= len(pattern):
        raise _refused(pattern, position)
    return index + 1


def _bracket(pattern: str, position: int) -> str:
    end = _bracket_end(pattern, position)
    inside = pattern[position + 1 : end - 1]
    negation = "^" if inside.startswith("^") else ""
    written: list[str] = []
    index = len(negation)
    if index == len(inside):
        raise _refused(pattern, position)
    while index < len(inside):
        character = inside[index]
        is_range = character == "-" and written and index + 1 < len(inside) and inside[index - 1] != "-"
        if character == "[":
            raise _refused(pattern, position + 1 + index)
        if character == "\\":
            following = inside[index + 1 : index + 2]
            if following in _CLASSES:
                written.append(_CLASSES[following])
            elif following in _CONTROLS:
                written.append(f"\\{following}")
            elif not following or following.isalnum():
                raise _refused(pattern, position + 1 + index)
            else:
                written.append(_literal(following))
            index += 1
        elif is_range:
            written.append("-")
        else:
            written.append(_literal(character))
        index += 1
    return f"[{negation}{''.join(written)}]"


def _refused(pattern: str, position: int) -> ContractError:
    return ContractError(
        f"a regular expression has something at its character {position + 1} "
        f"({pattern[position : position + 3]!r}) that the engines do not share.",
        fix=FIX,
    )
