"""`aura source` where there is no database: what it understands, and what it says it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import PROJECT, Shell

NOBODY = "postgres://me:hunter2@127.0.0.1:1/shop"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell without a shop, a database or a worker."""
    for name in ("AURA_SHOP", "AURA_ENV", "AURA_POSTGRES_URL", "AURA_POSTGRES_URL_PRODUCTION", "AURA_CONNECT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AURA_PROJECT", str(PROJECT))
    monkeypatch.setenv("AURA_HOME", str(tmp_path / "lake"))
    return Shell(tmp_path, capsys)


def test_without_a_database_it_says_where_to_name_one(shell: Shell) -> None:
    code, _, err = shell("source", "connect", "postgres", "--tables", "orders")
    assert (code, "No database is named" in err, "AURA_POSTGRES_URL" in err) == (1, True, True)


def test_what_it_understood_is_said_before_anything_else(shell: Shell) -> None:
    sentence = "Stream every mutation of `orders` from the production Aurora PostgreSQL into our Bronze S3 bucket"
    code, out, err = shell("source", "connect", sentence)

    assert code == 1
    assert "of `orders`" in out
    assert "AURA_HOME=" in out  # bronze is wished in S3, and is a folder
    assert "AURA_POSTGRES_URL_PRODUCTION or AURA_POSTGRES_URL" in " ".join(err.replace("│", " ").split())


def test_half_a_wish_stops_before_the_database_is_asked(shell: Shell) -> None:
    words = ("source", "connect", "stream orders, hash the emails, whatever it takes", "--url", NOBODY)
    code, out, err = shell(*words)
    assert code == 1
    assert "Not done: hash the emails" in out
    assert "Not understood: " in out
    assert "Half a wish" in err

    document = shell.json(*words)
    assert document["created"] is False
    assert document["refused"][0]["words"] == "hash the emails"


def test_what_is_no_postgres_is_refused(shell: Shell) -> None:
    code, _, err = shell("source", "connect", "mysql")
    assert (code, "'mysql' cannot be connected" in err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [("source", "connect", "postgres", "--tables", "a", "--url", NOBODY), ("init", "x/y", "--from", NOBODY)],
)
def test_a_database_that_does_not_answer_is_told_without_its_password(shell: Shell, words: tuple[str, ...]) -> None:
    code, out, err = shell(*words)
    assert code == 1
    assert "postgres://me@127.0.0.1:1/shop does not answer" in " ".join((out + err).replace("│", " ").split())
    assert "hunter2" not in out + err


def test_a_shop_without_a_connector_says_how_to_make_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AURA_SHOP", str(tmp_path))
    code, _, err = shell("source", "restart")
    assert (code, "has no connector yet" in err) == (1, True)


def test_a_table_or_all_is_read_again_and_not_both(shell: Shell) -> None:
    for words in ((), ("orders", "--all")):
        code, _, err = shell("source", "resnapshot", *words)
        assert (code, "Name one table, or say --all" in err) == (1, True)


def test_check_tells_a_database_and_a_worker_that_do_not_answer_as_findings(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    (shop / "connectors").mkdir(parents=True)
    (shop / "shop.yaml").write_text("id: small\n")
    config = {"slot.name": "s", "publication.name": "p", "topic.prefix": "aura"}
    (shop / "connectors" / "aura-shop.json").write_text(json.dumps({"name": "aura-shop", "config": config}))
    (shop / "things.odcs.yaml").write_text(
        "apiVersion: v3.2.0\nkind: DataContract\nid: things\nversion: 1.0.0\nstatus: active\nservers:\n"
        "  - {server: things, type: local, path: in, format: jsonl}\nschema:\n  - name: things\n    properties:\n"
        "      - {name: id, logicalType: string, primaryKey: true}\n"
    )
    monkeypatch.setenv("AURA_SHOP", str(shop))
    found = shell.json("source", "check", "--url", NOBODY, "--connect-url", "http://127.0.0.1:1")

    assert [(row["check"], row["level"]) for row in found] == [("database", "refuse"), ("connector", "refuse")]
    assert "hunter2" not in json.dumps(found)
    assert shell("source", "check", "--url", NOBODY, "--connect-url", "http://127.0.0.1:1")[0] == 1
