"""How alike two field names are. Names support what values say; alone they decide nothing."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def words(path: str) -> list[str]:
    """The words of a field's last step, in small letters: `userSession` and `user_session` have the same."""
    return [part.lower() for part in _PARTS.findall(path.rpartition(".")[2])]


def likeness(one: str, other: str) -> float:
    """0 to 1. 1: the same words, or the same last step of two paths; shared words, abbreviations and prefixes count
    for more than shared letters."""
    left, right = words(one), words(other)
    if not left or not right:
        return 0.0
    if left == right or "".join(left) == "".join(right):
        return 1.0
    shared = sum(max((_alike(a, b) for b in right), default=0.0) for a in left)
    shared += sum(max((_alike(a, b) for a in left), default=0.0) for b in right)
    by_words = shared / (len(left) + len(right))
    by_letters = SequenceMatcher(None, "".join(left), "".join(right)).ratio()
    initials = "".join(word[0] for word in (left if len(left) > len(right) else right))
    short = "".join(right if len(left) > len(right) else left)
    by_initials = 0.8 if len(initials) > 1 and short == initials else 0.0
    return max(by_words, by_initials, by_letters - 0.25)


def _alike(one: str, other: str) -> float:
    """Two words: equal, one an abbreviation of the other, or neither."""
    if one == other or one.rstrip("s") == other.rstrip("s"):
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) >= 2 and long.startswith(short):
        return 0.8
    if len(short) >= 2 and short[0] == long[0] and _in_order(short, long):
        return 0.6 if len(short) >= 3 else 0.4
    return 0.0


def _in_order(short: str, long: str) -> bool:
    """Whether the letters of a word stand in another one in their order: `qty` in `quantity`."""
    rest = iter(long)
    return all(letter in rest for letter in short)
