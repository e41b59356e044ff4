"""The stand-in that Debezium sends for an unchanged TOAST value, in every form it takes.

PostgreSQL does not log a large value that an update left as it was. Debezium then sends
`unavailable.value.placeholder`, bent into the column's type: text as it is, bytes as base64, arrays of
it, numbers as its bytes, a UUID made of it, a map with it as key and value.
(Connector page, "Toasted values"; a real value equal to it cannot be told from it, so the contract can
name another one.)
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid

DEFAULT = "__debezium_unavailable_value"


def placeholder_texts(placeholder: str) -> frozenset[str]:
    """Every field text (strings without quotes, arrays and objects as compact JSON) that stands in."""
    raw = placeholder.encode()
    # Debezium's UUID arrays hold java.util.UUID.nameUUIDFromBytes of the placeholder: MD5, version 3.
    digest = bytearray(hashlib.md5(raw, usedforsecurity=False).digest())
    named = str(uuid.UUID(bytes=bytes(digest), version=3))
    encoded = base64.b64encode(raw).decode()
    as_json = [
        [placeholder],
        [encoded],
        [named],
        list(raw),
        {placeholder: placeholder},
    ]
    return frozenset({placeholder, encoded, *(json.dumps(form, separators=(",", ":")) for form in as_json)})
