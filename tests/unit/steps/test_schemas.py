"""How long an unknown schema is waited for, and how often a known one is compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_lake.delta.schemas import KeptSchemas
from aura_lake.errors import FeedError, FeedUnavailable
from aura_lake.outside.schema_registry import SchemaRegistry
from aura_lake.steps.schemas import COMPARE_EVERY_SECONDS, FeedSchemas
from tests.changes import things
from tests.registry_server import RegistryServer, registry_server
from tests.small_lake import SmallLake


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as running:
        running.add(1, "long")
        yield running


class Waiting:
    """The schemas of a feed in a lake, a clock that is set, and every wait."""

    def __init__(self, folder: Path, server: RegistryServer) -> None:
        self.waits: list[float] = []
        self.now = 0.0
        self.kept = KeptSchemas(SmallLake(folder, things()).lake, "things")
        registry = SchemaRegistry(server.url, {})
        self.schemas = FeedSchemas(self.kept, registry, sleep=self.waits.append, clock=lambda: self.now)

    def known(self, *ids: int) -> list[int]:
        """Those of the ids whose schema is found."""
        return [id_ for id_, schema in self.schemas.current(ids).items() if schema is not None]


def test_unknown_ids_are_waited_for_ten_seconds_together(tmp_path: Path, server: RegistryServer) -> None:
    waiting = Waiting(tmp_path, server)
    assert waiting.known(1, *range(100, 200)) == [1]
    assert sum(waiting.waits) == 10
    assert server.asked["/schemas/ids/1"] == 1
    assert server.asked["/schemas/ids/150"] == len(waiting.waits) + 1


def test_an_id_that_was_unknown_is_asked_for_once_and_known_when_it_is_there(
    tmp_path: Path, server: RegistryServer
) -> None:
    waiting = Waiting(tmp_path, server)
    waiting.known(5, 6)
    waiting.waits.clear()
    assert waiting.known(5, 6) == []
    assert waiting.waits == []
    assert waiting.kept.unknown() == {5, 6}
    server.add(6, "int")
    assert waiting.known(5, 6) == [6]
    assert waiting.kept.unknown() == {5}


def test_waiting_ends_when_the_last_schema_is_there(tmp_path: Path, server: RegistryServer) -> None:
    server.add(2, "int")
    server.lag[2] = 2
    waiting = Waiting(tmp_path, server)
    assert waiting.known(1, 2) == [1, 2]
    assert len(waiting.waits) == 2


def test_a_kept_schema_is_compared_now_and_then(tmp_path: Path, server: RegistryServer) -> None:
    waiting = Waiting(tmp_path, server)
    for now in (0.0, 1.0, COMPARE_EVERY_SECONDS - 1):
        waiting.now = now
        assert waiting.known(1) == [1]
    assert server.asked["/schemas/ids/1"] == 1
    server.add(1, "string")
    waiting.now = COMPARE_EVERY_SECONDS
    with pytest.raises(FeedError, match="another schema under id 1"):
        waiting.known(1)


def test_a_refused_schema_is_refused_again(tmp_path: Path, server: RegistryServer) -> None:
    Waiting(tmp_path, server).known(1)
    server.add(1, "string")
    again = Waiting(tmp_path, server)
    for _ in range(2):
        with pytest.raises(FeedError, match="another schema under id 1"):
            again.known(1)


def test_with_the_registry_away_kept_schemas_suffice_and_others_do_not(tmp_path: Path, server: RegistryServer) -> None:
    Waiting(tmp_path, server).known(1, 5)
    server.stop()
    again = Waiting(tmp_path, server)
    assert again.known(1) == [1]
    with pytest.raises(FeedUnavailable):
        again.known(1, 5)
    assert again.schemas.remembered([1, 5])[5] is None, "what was decided then is decided again"
    with pytest.raises(FeedUnavailable):
        again.schemas.remembered([1, 7])


def test_what_is_judged_again_is_read_with_the_kept_schema_whatever_the_registry_has_now(
    tmp_path: Path, server: RegistryServer
) -> None:
    Waiting(tmp_path, server).known(1)
    server.add(1, "string")
    schema = Waiting(tmp_path, server).schemas.remembered([1])[1]
    assert schema is not None
    assert json.loads(schema.text) == "long"
