"""What services are told: loopback only, one replica, and settings that do not break on odd paths."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

from aura_lake.services.connect import Connect
from aura_lake.services.java import write_properties
from aura_lake.services.kafka import Kafka
from aura_lake.services.postgres import Postgres
from aura_lake.services.redis import Redis
from aura_lake.services.registry import Registry
from aura_lake.services.s3 import S3
from aura_lake.services.site import Site, free_ports


def test_every_service_listens_on_loopback_only(site: Site) -> None:
    assert Kafka(site).settings()["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert Connect(site).settings()["listeners"] == "http://127.0.0.1:18083"
    assert Registry(site).settings()["quarkus.http.host"] == "127.0.0.1"
    assert "listen_addresses = '127.0.0.1'\nport = '15432'" in Postgres(site).settings()
    assert "127.0.0.1:17070" in S3(site).command()
    redis = Redis(site)
    redis.prepare()
    assert "bind 127.0.0.1\nport 16379\n" in (redis.folder / "redis.conf").read_text()


def test_ports_are_those_of_the_site(site: Site) -> None:
    ports = dict(zip(site.ports, free_ports(len(site.ports)), strict=True))
    moved = replace(site, ports=ports)
    assert Kafka(moved).bootstrap == f"127.0.0.1:{ports['kafka']}"
    assert Connect(moved).settings()["bootstrap.servers"] == f"127.0.0.1:{ports['kafka']}"
    assert Postgres(moved).dsn("shop") == f"postgresql://postgres@127.0.0.1:{ports['postgres']}/shop"
    assert Registry(moved).url == f"http://127.0.0.1:{ports['registry']}/apis/ccompat/v7"
    assert S3(moved).client_environment["AURA_S3_ENDPOINT_URL"] == f"http://127.0.0.1:{ports['s3']}"
    assert Redis(moved).url == f"redis://127.0.0.1:{ports['redis']}/0"
    assert len(set(ports.values())) == len(ports)


def test_one_node_asks_for_no_second_replica(site: Site) -> None:
    told = {**Kafka(site).settings(), **Connect(site).settings()}
    factors = {name: value for name, value in told.items() if "replication.factor" in name or name.endswith("min.isr")}
    assert len(factors) == 8
    assert set(factors.values()) == {1}


def test_postgres_writes_what_a_connector_can_read_and_may_forget_only_in_tests(site: Site) -> None:
    told = Postgres(site).settings()
    assert "wal_level = 'logical'" in told
    assert "fsync = 'on'" in told
    quick = Postgres(replace(site, is_durable=False)).settings()
    assert "fsync = 'off'" in quick
    assert "synchronous_commit = 'on'" in quick, "off would show changes to a slot late"


def test_variables_that_would_bend_a_server_are_taken_away(site: Site) -> None:
    bent = replace(
        site, environ={"PGPORT": "1", "PGDATA": "/x", "VGW_PORT": "2", "ROOT_ACCESS_KEY": "x", "PATH": "/bin"}
    )
    assert set(Postgres(bent).environment()) == {"PATH", "LC_ALL", "VGW_PORT", "ROOT_ACCESS_KEY"}
    assert set(S3(bent).environment()) == {"PATH", "PGPORT", "PGDATA"}


def test_connect_is_given_its_plugins_without_jars_that_it_has_itself(site: Site) -> None:
    for part, jars in zip(
        Connect.parts, (("connect-runtime-4.jar",), (), ("avro-1.jar", "connect-api-3.jar")), strict=True
    ):
        place = site.artefacts.place_of(part)
        (place / "debezium-connector-postgres").mkdir(parents=True)
        for jar in jars:
            (place / jar).touch()
    connect = Connect(site)
    for _ in range(2):  # a second start finds the folder of the first
        connect.prepare()
    plugins = Path(str(connect.settings()["plugin.path"]))
    assert sorted(path.name for path in plugins.iterdir()) == ["apicurio-converter", "debezium-postgres"]
    assert sorted(path.name for path in (plugins / "apicurio-converter").iterdir()) == ["avro-1.jar", "manifest.jar"]


def test_a_properties_file_keeps_backslashes(tmp_path: Path) -> None:
    write_properties(tmp_path / "a.properties", {"path": "C:\\new", "count": 3})
    assert (tmp_path / "a.properties").read_text() == "path=C:\\\\new\ncount=3\n"


def test_this_room_knows_no_other_but_the_errors() -> None:
    room = Path(__file__).parents[3] / "aura_lake" / "services"
    imports = {
        node.module
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("aura_lake")
    }
    assert {name for name in imports if not f"{name}.".startswith("aura_lake.services.")} == {"aura_lake.errors"}
