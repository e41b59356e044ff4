"""Personal values become keyed hashes before they reach silver."""

from __future__ import annotations

import hmac
import unicodedata

import polars as pl

from aura_lake.privacy.key import HashKey


def hash_values(values: pl.Series, key: HashKey) -> pl.Series:
    """Text values as `<key id>:<HMAC-SHA256 in hex>`; null stays null.

    Values are canonicalised first (Unicode NFC, outer white space and letter case dropped), so that
    the same address written twice joins. A bare SHA-256 of an address can be reversed by
    hashing all addresses; a keyed one cannot without the key (RFC 2104).
    """
    distinct = values.drop_nulls().unique()
    hashed = [hash_one(text, key) for text in distinct.to_list()]
    return values.replace_strict(distinct, pl.Series(hashed, dtype=pl.String), default=None, return_dtype=pl.String)


def hash_one(text: str, key: HashKey) -> str:
    """One personal value as it stands in silver."""
    canonical = unicodedata.normalize("NFC", text).strip().casefold()
    return f"{key.id}:{hmac.digest(key.secret, canonical.encode(), 'sha256').hex()}"
