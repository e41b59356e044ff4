"""Globs over object names, and over the locations of feeds."""

from __future__ import annotations

import re
from functools import lru_cache

#: Before a name: the name itself, whatever characters it holds.
EXACT = "="
_MAGIC = re.compile(r"[*?\[]")


def has_magic(text: str) -> bool:
    """Whether the text is a glob and not a plain name."""
    return _MAGIC.search(text) is not None


def matches(pattern: str, name: str) -> bool:
    """Whether an object's relative name matches a glob.

    `*` and `?` stay within a folder, `**` crosses folders. A pattern without `/` is held
    against the last part of the name, at any depth (`*.csv`); one with `/` against the
    whole name. A leading `/` anchors a pattern to the root (`/*.csv`). A pattern that
    begins with `=` is the name itself.
    """
    if pattern.startswith(EXACT):
        return name == pattern.removeprefix(EXACT)
    if "/" not in pattern:
        return _compiled(pattern).fullmatch(name.rsplit("/", 1)[-1]) is not None
    return _compiled(pattern.removeprefix("/")).fullmatch(name) is not None


def split_location(path: str) -> tuple[str, str | None]:
    """A location with a glob, as (root without a glob, anchored pattern below it or None)."""
    parts = path.split("/")
    for index, part in enumerate(parts):
        if has_magic(part):
            return "/".join(parts[:index]), "/" + "/".join(parts[index:])
    return path, None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    out: list[str] = []
    index = 0
    while index < len(pattern):
        if pattern.startswith("**/", index):
            out.append("(?:.*/)?")
            index += 3
        elif pattern.startswith("**", index):
            out.append(".*")
            index += 2
        elif pattern[index] == "*":
            out.append("[^/]*")
            index += 1
        elif pattern[index] == "?":
            out.append("[^/]")
            index += 1
        elif pattern[index] == "[" and (end := pattern.find("]", index + 2)) > 0:
            body = pattern[index + 1 : end].replace("\\", "\\\\")
            body = "^" + body[1:] if body[0] == "!" else body.replace("^", "\\^", 1)
            out.append(f"(?![/])[{body}]")
            index = end + 1
        else:
            out.append(re.escape(pattern[index]))
            index += 1
    return re.compile("".join(out), re.DOTALL)
