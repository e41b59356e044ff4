"""Personal values leave bronze as keyed hashes, and the key is looked after."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.contract import Shop
from aura_lake.errors import LakeError, SettingsError
from aura_lake.lake import Lake
from aura_lake.privacy.hash import hash_one, hash_values
from aura_lake.privacy.key import HashKey, read_key
from aura_lake.settings import Settings

KEY = HashKey(b"k" * 32)


def settings(home: str, **environ: str) -> Settings:
    return Settings(project=Path(), home=home, state=Path(home) / "state", shop=Path(), environ=environ)


def test_a_hash_is_hmac_sha256_under_the_key_with_the_keys_id_before_it() -> None:
    digest = hmac.new(KEY.secret, b"ada@example.com", hashlib.sha256).hexdigest()
    assert hash_one("ada@example.com", KEY) == f"{KEY.id}:{digest}"
    assert hashlib.sha256(b"ada@example.com").hexdigest() not in hash_one("ada@example.com", KEY)


def test_another_key_gives_another_hash_and_another_id() -> None:
    other = HashKey(b"o" * 32)
    assert other.id != KEY.id
    assert hash_one("ada@example.com", other).split(":")[1] != hash_one("ada@example.com", KEY).split(":")[1]


@pytest.mark.parametrize("written", ["Ada@Example.com", " ada@example.com ", "ADA@EXAMPLE.COM"])
def test_one_address_written_in_several_ways_joins(written: str) -> None:
    assert hash_one(written, KEY) == hash_one("ada@example.com", KEY)


def test_letters_composed_in_two_ways_are_one_name() -> None:
    assert hash_one("Zoe\u0308", KEY) == hash_one("Zo\u00eb", KEY)


def test_nulls_stay_null_and_rows_keep_their_order() -> None:
    hashed = hash_values(pl.Series(["b", None, "a", "b"], dtype=pl.String), KEY)
    assert hashed.to_list() == [hash_one("b", KEY), None, hash_one("a", KEY), hash_one("b", KEY)]


def test_a_local_lake_makes_its_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    key, is_new = read_key(settings(str(tmp_path)))
    again, is_new_again = read_key(settings(str(tmp_path)))
    assert (is_new, is_new_again, again) == (True, False, key)
    assert (tmp_path / "secrets" / "pii.key").stat().st_mode & 0o777 == 0o600
    assert key.secret.decode() not in repr(key)


def test_a_lake_on_s3_without_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"AURA_PII_KEY is not set, and the lake is s3://b/lake"):
        read_key(settings("s3://b/lake"))


def test_a_short_key_is_refused_with_its_length() -> None:
    with pytest.raises(SettingsError, match=r"AURA_PII_KEY has 5 bytes; at least 32"):
        read_key(settings("/nowhere", AURA_PII_KEY="short"))


def test_a_lake_begun_with_another_key_or_by_another_shop_is_refused(tmp_path: Path) -> None:
    def lake(shop: str, key: str) -> Lake:
        return Lake(settings(str(tmp_path), AURA_PII_KEY=key), Shop(shop, tmp_path, {}, {}))

    assert lake("mine", "a" * 32).hash_key.id
    assert lake("mine", "a" * 32).hash_key.id
    with pytest.raises(LakeError, match=r"has hash_key_id .* and this run has"):
        _ = lake("mine", "b" * 32).hash_key
    with pytest.raises(LakeError, match="has shop 'mine', and this run has 'yours'"):
        _ = lake("yours", "a" * 32).hash_key
