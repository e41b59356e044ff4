"""Whether a store kept silent, told from the words of deltalake's client: its errors carry no codes."""

from __future__ import annotations

import re

from aura_lake.errors import StoreUnavailable

_SILENT = re.compile(
    r"error sending request|tcp connect error|connection (?:refused|reset|closed)|broken pipe|dns error|timed? ?out"
    r"|status code:? (?:429|5\d\d)|after \d+ retries",
    re.IGNORECASE,
)


def is_silence(uri: str, error: BaseException) -> bool:
    """Whether this error of a lake's table or document means that its store did not answer, or was busy."""
    return "://" in uri and _SILENT.search(str(error)) is not None


def store_away(uri: str) -> StoreUnavailable:
    """The error that says so."""
    return StoreUnavailable(
        f"{uri}: the store does not answer.", fix="Nothing was lost: the step runs again once it answers."
    )
