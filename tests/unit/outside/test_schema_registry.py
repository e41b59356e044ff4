"""The registry's answers, and what is said where it gives none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aura_lake.cdc.wire_schema import Reference, WireSchema
from aura_lake.errors import FeedError, FeedUnavailable, SettingsError
from aura_lake.outside.schema_registry import PASSWORD, USER, SchemaRegistry
from tests.registry_server import RegistryServer, registry_server


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as running:
        yield running


def test_a_schema_without_a_type_is_avro(server: RegistryServer) -> None:
    server.add(7, "long")
    assert SchemaRegistry(server.url, {}).schema(7) == WireSchema("AVRO", '"long"')


def test_the_type_is_the_registrys(server: RegistryServer) -> None:
    server.add(8, {"type": "object"}, "JSON")
    assert SchemaRegistry(server.url + "/", {}).schema(8) == WireSchema("JSON", '{"type": "object"}')


def test_references_come_each_after_those_it_refers_to_and_once(server: RegistryServer) -> None:
    server.add_subject("a/b", 1, "inner")
    server.add_subject("one", 2, "one", ("inner", "a/b", 1))
    server.add_subject("two", 1, "two", ("inner", "a/b", 1))
    server.add(1, "outer", "AVRO", ("one", "one", 2), ("two", "two", 1))
    found = SchemaRegistry(server.url, {}).schema(1)
    assert found is not None
    assert found.references == (Reference("inner", '"inner"'), Reference("one", '"one"'), Reference("two", '"two"'))


def test_an_id_that_is_not_there_is_none(server: RegistryServer) -> None:
    assert SchemaRegistry(server.url, {}).schema(404) is None


def test_a_reference_that_is_gone_makes_the_schema_unknown(server: RegistryServer) -> None:
    server.add(1, "outer", "AVRO", ("one", "one", 2))
    assert SchemaRegistry(server.url, {}).schema(1) is None


@pytest.mark.parametrize("id_", [-1, 2**31, 2**32 - 1])
def test_what_no_registry_counts_to_is_not_asked_for(server: RegistryServer, id_: int) -> None:
    assert SchemaRegistry(server.url, {}).schema(id_) is None
    assert not server.asked


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_is_busy_may_be_asked_again(server: RegistryServer, status: int) -> None:
    server.status = status
    with pytest.raises(FeedUnavailable, match=rf"{server.url}: the schema registry answers {status} to GET /schemas/"):
        SchemaRegistry(server.url, {}).schema(1)


def test_a_registry_that_is_away_is_named_with_its_address_and_what_to_do() -> None:
    with registry_server() as server:
        url = server.url
    with pytest.raises(FeedUnavailable, match=r"did not answer within 10 s: .*refused.* start it, or mend `registry`"):
        SchemaRegistry(url, {}).schema(1)


def test_a_password_is_sent_and_never_shown(server: RegistryServer) -> None:
    server.account = "us@r:s:crét"
    server.add(1, "long")
    inside = server.url.replace("http://", "http://us%40r:s%3Acr%C3%A9t@")
    assert SchemaRegistry(inside, {}).schema(1) is not None
    assert SchemaRegistry(server.url, {USER: "us@r", PASSWORD: "s:crét"}).schema(1) is not None
    with pytest.raises(FeedError, match=f"answers 401 to GET /schemas/ids/1. Set {USER} and {PASSWORD}"):
        SchemaRegistry(server.url, {USER: "us@r", PASSWORD: "wrong"}).schema(1)
    server.status = 500
    with pytest.raises(FeedUnavailable) as told:
        SchemaRegistry(inside, {}).schema(1)
    assert "s%3A" not in str(told.value)
    assert "us%40r" not in str(told.value)


def test_a_password_without_a_user_is_refused() -> None:
    with pytest.raises(SettingsError, match=f"{PASSWORD} is set, and {USER} is not"):
        SchemaRegistry("http://registry", {PASSWORD: "secret"})


@pytest.mark.parametrize("url", ["file:///etc/hostname", "registry:8081", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(FeedError, match="no address of a schema registry"):
        SchemaRegistry(url, {})


@pytest.mark.parametrize(
    ("status", "answer"), [(404, b"{}"), (404, b"<html>"), (200, b"<html>"), (200, b"[]"), (400, b"")]
)
def test_another_server_is_not_taken_for_a_registry(server: RegistryServer, status: int, answer: bytes) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(FeedError, match="Mend `registry`: Confluent's API stands at the root, Apicurio's at"):
        SchemaRegistry(server.url, {}).schema(1)
