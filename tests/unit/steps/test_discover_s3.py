"""Prefixes of a bucket that no contract names (moto in this process)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.steps.decide_found import accept_found
from aura_lake.steps.discover import look, read_discovered
from aura_lake.steps.land import land
from tests.conftest import PROJECT

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop-{name}
version: 1.0.0
servers:
  - {{server: {name}, type: s3, location: "s3://shop/raw/{name}", format: jsonl}}
"""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="shop")
        yield client


def open_lake(folder: Path) -> Lake:
    if not (folder / "shop").exists():
        (folder / "shop").mkdir()
        (folder / "shop" / "shop.yaml").write_text("id: small\n")
        for name in ("orders", "users"):
            (folder / "shop" / f"{name}.odcs.yaml").write_text(CONTRACT.format(name=name))
    environ = {"AURA_PII_KEY": "k" * 32}
    home = folder / "lake"
    settings = Settings(PROJECT, str(home), home / "state", folder / "shop", environ=environ)
    return Lake(settings, load_shop(folder / "shop", "local", environ))


def put(client: Any, *keys: str) -> None:
    for key in keys:
        client.put_object(Bucket="shop", Key=key, Body=f'{{"id": "{key}"}}\n'.encode())


def test_a_prefix_beside_the_feeds_is_found_and_what_is_elsewhere_is_not(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aura_lake.outside.s3.PAGE_KEYS", 2)
    put(bucket, "raw/orders/1", "raw/users/1", "elsewhere/1", "raw/_hidden/1", "raw/loose.jsonl")
    put(bucket, *(f"raw/reviews/2026/11/{n:02}.jsonl" for n in range(5)))
    looked = look(open_lake(tmp_path))
    assert looked.discovered.roots == ["s3://shop/raw"]
    assert (looked.new, looked.records) == (("loose", "reviews"), 6)
    found = read_discovered(open_lake(tmp_path)).found
    assert (found["reviews"].units, found["reviews"].layout, found["loose"].include) == (5, "%Y/%m", "/loose.jsonl")
    put(bucket, "raw/reviews/2020/01/late.jsonl")
    assert look(open_lake(tmp_path)).new == ()
    for name in ("reviews", "loose"):
        accept_found(open_lake(tmp_path), name, who="ann", why="x")
    lake = open_lake(tmp_path)
    assert land(lake, lake.shop.feeds["reviews"]).objects == 1, "the late one, which the recent prefixes did not show"
    assert land(lake, lake.shop.feeds["loose"]).objects == 0
    assert look(lake).discovered.left_out["hidden, or what a delivery stream could not process"] == [
        "s3://shop/raw/_hidden"
    ]


def test_a_bucket_that_refuses_is_named_and_the_rest_goes_on(bucket: Any, tmp_path: Path) -> None:
    put(bucket, "raw/orders/1")
    lake = open_lake(tmp_path)
    bucket.delete_object(Bucket="shop", Key="raw/orders/1")
    bucket.delete_bucket(Bucket="shop")
    looked = look(lake)
    assert "does not exist" in looked.discovered.unreadable["s3://shop/raw"]
    assert looked.new == ()
